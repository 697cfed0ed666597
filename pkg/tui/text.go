package tui

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/termtext"
)

// clean is the only way a name, a message or a log gets onto the screen.
func clean(s string) string { return termtext.Cell(s) }

// width is how many columns a text takes.
func width(s string) int { return ansi.StringWidth(s) }

// cut shortens to so many columns, with an ellipsis.
func cut(s string, columns int) string {
	if columns <= 0 {
		return ""
	}
	return ansi.Truncate(s, columns, "…")
}

// pad cuts or fills to exactly so many columns.
func pad(s string, columns int) string {
	s = cut(s, columns)
	return s + strings.Repeat(" ", max(0, columns-width(s)))
}

// padLeft is pad with the text at the right.
func padLeft(s string, columns int) string {
	s = cut(s, columns)
	return strings.Repeat(" ", max(0, columns-width(s))) + s
}

// spread puts one text at the left and one at the right of a line.
func spread(left, right string, columns int) string {
	room := columns - width(right)
	if room < 1 {
		return pad(left, columns)
	}
	return pad(left, room) + right
}

// box makes text exactly so many lines high and at most so many columns wide.
func box(s string, columns, lines int) string {
	return strings.Join(boxLines(s, columns, lines), "\n")
}

func boxLines(s string, columns, lines int) []string {
	rows := strings.Split(s, "\n")
	if len(rows) > lines {
		rows = rows[:max(0, lines)]
	}
	for i := range rows {
		rows[i] = cut(rows[i], columns)
	}
	for len(rows) < lines {
		rows = append(rows, "")
	}
	return rows
}

// wrap breaks text at words, for what may take several lines.
func wrap(s string, columns int) string { return ansi.Wrap(s, max(1, columns), "") }

// age is how long something has been so: "42s", "5m", "3h10m", "4d".
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// gib is a size in the one unit that a column of sizes shares.
func gib(n int64) string {
	f := float64(n) / (1 << 30)
	if f >= 100 || f == math.Trunc(f) {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.1f", f)
}

// score is a score for people: as many digits as tell neighbours apart.
func score(f float64) string { return fmt.Sprintf("%.6f", f) }

// stamp is a moment for people, in their own time zone; today's is its hour.
func stamp(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	t, now = t.In(now.Location()), now.In(now.Location())
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04")
}

// plural is "1 session" or "3 sessions".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return group(n) + " " + one + "s"
}

// group writes a number with its thousands apart: 100,000.
func group(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// why is an error in the daemon's own words, on one line.
func why(err error) string {
	if e := fault.As(err); e != nil {
		return clean(e.Message)
	}
	return clean(err.Error())
}

// short is enough of a digest for people.
func short(digest string) string {
	algorithm, hex, ok := strings.Cut(digest, ":")
	if !ok {
		return cut(clean(digest), 12)
	}
	return clean(algorithm) + ":" + clean(hex[:min(12, len(hex))])
}
