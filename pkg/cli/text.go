package cli

import (
	"time"

	"github.com/medforge/medforge/pkg/termtext"
)

// What a stranger wrote goes onto a terminal by these two only.

func cleanText(s string) string { return termtext.Text(s) }
func cleanCell(s string) string { return termtext.Cell(s) }

func visible(r rune) rune { return termtext.Visible(r) }

func bytesText(n int64) string { return termtext.Bytes(n) }

// timeText is a moment for people, in their own time zone.
func timeText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}

func timeOrDash(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return timeText(*t)
}

func durationText(d time.Duration) string { return termtext.Duration(d) }
