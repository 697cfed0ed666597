package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"

	"github.com/medforge/medforge/pkg/config"
	"github.com/medforge/medforge/pkg/termtext"
)

// printer writes results to stdout and what is said to people to stderr.
type printer struct {
	out      *bufio.Writer
	err      io.Writer
	json     bool
	quiet    bool
	color    bool // of results
	terminal bool // results go to one
	width    int  // of that terminal in columns; 0 is no limit
	live     bool // stderr is a terminal that can rewrite a line
}

func newPrinter(a *app) *printer {
	dumb := a.getenv("TERM") == "dumb"
	p := &printer{
		out: bufio.NewWriter(a.Stdout), err: a.Stderr,
		json: a.cfg.Output == config.OutputJSON, quiet: a.cfg.Quiet,
		terminal: isTerminal(a.Stdout), live: isTerminal(a.Stderr) && !dumb,
	}
	p.color = p.terminal && !a.cfg.NoColor && !dumb
	if f, ok := a.Stdout.(*os.File); ok && p.terminal {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			p.width = w
		}
	}
	return p
}

// remembering keeps the first error of writing.
type remembering struct {
	w   io.Writer
	err error
}

func (r *remembering) Write(b []byte) (int, error) {
	n, err := r.w.Write(b)
	if r.err == nil {
		r.err = err
	}
	return n, err
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (p *printer) flush() error { return p.out.Flush() }

// result prints an object of the API: as JSON, or by text.
func (p *printer) result(object any, text func()) error {
	if !p.json {
		text()
		return nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(object); err != nil {
		return err
	}
	for _, r := range b.String() {
		// JSON escapes C0 by itself. The rest of what a terminal may act on can
		// only stand inside its strings, where an escape means the same.
		if r != '\n' && termtext.Visible(r) < 0 && !(r < 0x20) || r == unicode.ReplacementChar {
			fmt.Fprintf(p.out, `\u%04x`, r)
			continue
		}
		p.out.WriteRune(r)
	}
	return nil
}

// line prints one line of a result.
func (p *printer) line(format string, args ...any) {
	fmt.Fprintln(p.out, termtext.Text(fmt.Sprintf(format, args...)))
}

// tell says something to the person, not part of the result.
func (p *printer) tell(format string, args ...any) {
	if !p.quiet {
		fmt.Fprintln(p.err, termtext.Text(fmt.Sprintf(format, args...)))
	}
}

// warn says something that even -q does not silence.
func (p *printer) warn(format string, args ...any) {
	fmt.Fprintln(p.err, termtext.Text(fmt.Sprintf(format, args...)))
}

// paint colours a cell by what it says about a state.
func (p *printer) paint(s string) string {
	if !p.color {
		return s
	}
	var st ansi.Style
	switch strings.TrimSpace(s) {
	case "running", "free", "ok", "yes":
		st = st.ForegroundColor(ansi.Green)
	case "starting", "stopping", "in_use", "warn", "disabled":
		st = st.ForegroundColor(ansi.Yellow)
	case "error", "fail", "faulty", "quarantined":
		st = st.ForegroundColor(ansi.Red)
	case "stopped":
		st = st.Faint()
	default:
		return s
	}
	return st.Styled(s)
}

// pairs prints what is known of one thing, a line each.
func (p *printer) pairs(rows ...[2]string) {
	width := 0
	for _, r := range rows {
		width = max(width, len(r[0]))
	}
	for _, r := range rows {
		value := strings.ReplaceAll(termtext.Text(r[1]), "\n", "\n"+strings.Repeat(" ", width+2))
		fmt.Fprintf(p.out, "%-*s  %s\n", width, r[0], p.paint(value))
	}
}

// table prints rows under a head. On a terminal it is made to fit: the widest
// columns are cut first, with an ellipsis. Elsewhere nothing is cut.
func (p *printer) table(head []string, rows [][]string) {
	const gap = 2
	widths := make([]int, len(head))
	all := append([][]string{head}, rows...)
	for _, r := range all {
		for i := range r {
			r[i] = termtext.Cell(r[i])
			widths[i] = max(widths[i], ansi.StringWidth(r[i]))
		}
	}
	if p.width > 0 {
		fit(widths, p.width-gap*(len(head)-1))
	}
	for n, r := range all {
		var b strings.Builder
		for i, cell := range r {
			cell = ansi.Truncate(cell, widths[i], "…")
			pad := strings.Repeat(" ", widths[i]-ansi.StringWidth(cell))
			if n > 0 {
				cell = p.paint(cell)
			}
			b.WriteString(cell)
			if i < len(r)-1 {
				b.WriteString(pad + strings.Repeat(" ", gap))
			}
		}
		fmt.Fprintln(p.out, strings.TrimRight(b.String(), " "))
	}
}

// fit narrows the widest columns until all fit the width, or are at least
// narrow.
func fit(widths []int, width int) {
	const narrowest = 4
	for {
		sum, widest := 0, 0
		for i, w := range widths {
			sum += w
			if w > widths[widest] {
				widest = i
			}
		}
		if sum <= width || widths[widest] <= narrowest {
			return
		}
		widths[widest]--
	}
}

// raw prints one line of a result whose parts were made harmless already.
func (p *printer) raw(format string, args ...any) {
	fmt.Fprintf(p.out, format+"\n", args...)
}
