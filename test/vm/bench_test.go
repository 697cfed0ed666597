package vm_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/testkit/watch"
)

// BenchmarkStop is what a stop takes above its process's own end, until the
// snapshot and until the stop are recorded, with a workspace of 1,000 files.
// x/zfs is the first against the bare command "zfs snapshot" on the same dataset.
func BenchmarkStop(b *testing.B) {
	p := newPerson(b, "ada")
	var own, snapshot, all, bare []time.Duration
	for b.Loop() {
		s := p.start(b)
		dir := run(b, "zfs", "get", "-H", "-o", "value", "mountpoint", s.WorkspaceZFS)
		for i := range 1000 {
			if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), make([]byte, 4096), 0o644); err != nil {
				b.Fatal(err)
			}
		}
		begin := time.Now()
		run(b, "zfs", "snapshot", s.WorkspaceZFS+"@bare")
		bare = append(bare, time.Since(begin))
		ended := watch.Ended(b, container(b, s))
		begin = time.Now()
		p.medforge(b, "session", "stop", s.Slug)
		end := <-ended
		own = append(own, end.Sub(begin))
		snapshot = append(snapshot, eventTime(b, "session.snapshot", s).Sub(end))
		all = append(all, eventTime(b, "session.stop", s).Sub(end))
	}
	b.ReportMetric(0, "ns/op")
	reportMS(b, "ms-process-end", own)
	reportMS(b, "ms-snapshot-above", snapshot)
	reportMS(b, "ms-stopped-above", all)
	reportMS(b, "ms-zfs-snapshot", bare)
	b.ReportMetric(float64(median(snapshot))/float64(median(bare)), "x/zfs")
}

// BenchmarkRestart is from the start of the daemon until all is reconciled, with seven sessions. x/none is that against none.
func BenchmarkRestart(b *testing.B) {
	reconciled := func(active int) time.Duration {
		unit(b, "stop")
		begin := time.Now()
		unit(b, "start")
		out := run(b, "medforge", "admin", "reconcile", "-o", "json")
		took := time.Since(begin)
		if r := decode[struct{ Active int }](b, out); r.Active != active {
			b.Fatalf("%d of %d are active: %s", r.Active, active, out)
		}
		return took
	}
	var none, seven []time.Duration
	for range 5 {
		none = append(none, reconciled(0))
	}
	for i := range 7 {
		newPerson(b, fmt.Sprintf("person%d", i)).start(b)
	}
	for b.Loop() {
		seven = append(seven, reconciled(7))
	}
	b.ReportMetric(0, "ns/op")
	reportMS(b, "ms-seven", seven)
	reportMS(b, "ms-none", none)
	b.ReportMetric(float64(median(seven))/float64(median(none)), "x/none")
}

// BenchmarkDeath is from the end of a session's process, unasked for, until its
// row says so.
func BenchmarkDeath(b *testing.B) {
	p := newPerson(b, "ada")
	var took []time.Duration
	for b.Loop() {
		s := p.start(b)
		pid := container(b, s)
		ended := watch.Ended(b, pid)
		run(b, "kill", "-KILL", strconv.Itoa(pid))
		end := <-ended
		took = append(took, eventTime(b, "session.stopping", s).Sub(end))
		eventually(b, "the session has ended", 5*time.Minute, func() bool { return p.show(b, s.Slug).Status == "error" })
	}
	b.ReportMetric(0, "ns/op")
	reportMS(b, "ms-median", took)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func reportMS(b *testing.B, unit string, d []time.Duration) {
	b.ReportMetric(float64(median(d).Milliseconds()), unit)
}

// eventTime is when a session's event was written.
func eventTime(b *testing.B, event string, s sess) (at time.Time) {
	b.Helper()
	eventually(b, event, 5*time.Minute, func() bool {
		for line := range strings.Lines(run(b, "journalctl", "-u", "medforged", "-o", "cat", "--since", "-10min")) {
			var e struct {
				Event, Slug string
				Time        time.Time
			}
			if json.Unmarshal([]byte(line), &e) == nil && e.Event == event && e.Slug == s.Slug {
				at = e.Time
				return true
			}
		}
		return false
	})
	return at
}
