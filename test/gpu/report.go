package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// The results of a check.
const (
	passed = "ok"
	failed = "FAILED"
	notRun = "not run"
)

type row struct{ name, result, seen string }

// report is the table of what was checked. Each line also goes to progress as
// it comes.
type report struct {
	progress io.Writer
	about    [][2]string
	rows     []row
	began    time.Time
}

func (r *report) note(key, value string) { r.about = append(r.about, [2]string{key, value}) }

func (r *report) add(name, result, seen string) {
	seen = strings.Join(strings.Fields(seen), " ")
	r.rows = append(r.rows, row{name, result, seen})
	fmt.Fprintf(r.progress, "%6.1fs %-8s %s: %s\n", time.Since(r.began).Seconds(), result, name, seen)
}

// cannotRun says that a check had no place here, which is no failure.
type cannotRun struct{ why string }

func (e cannotRun) Error() string { return e.why }

// check runs one check, which returns what it saw, and reports whether it held.
func (r *report) check(name string, f func() (seen string, err error)) bool {
	seen, err := f()
	if none := (cannotRun{}); errors.As(err, &none) {
		r.add(name, notRun, none.why)
		return false
	}
	if err != nil {
		r.add(name, failed, err.Error())
		return false
	}
	r.add(name, passed, seen)
	return true
}

// failures counts the checks that did not hold.
func (r *report) failures() (n int) {
	for _, row := range r.rows {
		if row.result == failed {
			n++
		}
	}
	return n
}

// print writes the table.
func (r *report) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, a := range r.about {
		fmt.Fprintf(t, "%s\t%s\n", a[0], a[1])
	}
	fmt.Fprintln(t)
	fmt.Fprintln(t, "CHECK\tRESULT\tSEEN")
	counts := map[string]int{}
	for _, row := range r.rows {
		fmt.Fprintf(t, "%s\t%s\t%s\n", row.name, row.result, row.seen)
		counts[row.result]++
	}
	fmt.Fprintf(t, "\n%d ok, %d failed, %d not run, in %d s\n", counts[passed], counts[failed], counts[notRun], int(time.Since(r.began).Seconds()))
	return t.Flush()
}
