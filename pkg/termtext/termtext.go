// Package termtext makes a stranger's text fit for a terminal, and numbers fit
// for people. Whatever comes from a session, a name or a message can hold
// control sequences: they would move the cursor, change the title, or write
// into the clipboard of whoever looks. Text, Cell and LogLine are the only way
// such text gets onto a terminal.
package termtext

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// Text takes escape sequences and control characters out of text of several
// lines; tabs and line ends stay.
func Text(s string) string {
	var marks marks
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return marks.limit(Visible(r))
	}, ansi.Strip(s))
}

// Cell is Text on one line.
func Cell(s string) string {
	var marks marks
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return marks.limit(Visible(r))
	}, ansi.Strip(s))
}

// LogLine makes a line of output harmless. Of a line that was written over
// itself, as progress bars are, the last state is what a terminal would show.
func LogLine(line string) string {
	body, end := strings.CutSuffix(line, "\n")
	body = strings.TrimRight(body, "\r")
	body = Text(body[strings.LastIndexByte(body, '\r')+1:])
	if end {
		body += "\n"
	}
	return body
}

// Visible is -1 for controls, and for the marks that turn the direction of
// writing and so can make a name read as another (CVE-2021-42574).
func Visible(r rune) rune {
	switch {
	case unicode.IsControl(r), r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069, r == 0x200E, r == 0x200F, r == 0x061C:
		return -1
	}
	return r
}

// maxMarks is how many combining marks one letter may carry: no script needs
// more, and a pile of them is drawn across the lines above and below.
const maxMarks = 3

// marks counts the combining marks in a row.
type marks int

func (m *marks) limit(r rune) rune {
	if !unicode.In(r, unicode.Mn, unicode.Me) {
		*m = 0
		return r
	}
	if *m++; *m > maxMarks {
		return -1
	}
	return r
}

// Bytes is a size for people: "1.5 GiB".
func Bytes(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1024, 0
	for f >= 1024 && i < len(units)-1 {
		f /= 1024
		i++
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}

// Duration is a duration for people: "85 ms", "1.2 s", "3 min 5 s",
// "11 h 27 min", "3 d 4 h".
func Duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	d = d.Round(time.Second)
	switch {
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}
