package termtext

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// hostile are texts that would do something to a terminal, and what is left of
// them in a cell.
var hostile = map[string]string{
	"plain":                                   "plain",
	"red \x1b[31mred\x1b[0m":                  "red red",
	"clip\x1b]52;c;aGk=\x07board":             "clipboard",
	"title\x1b]0;pwned\x1b\\!":                "title!",
	"c1 \u009b2J clear":                       "c1 2J clear",
	"8-bit \x9b2Jx":                           "8-bit x",
	"over\rwritten":                           "over written",
	"two\nlines\tand a tab":                   "two lines and a tab",
	"right \u202eot tfel":                     "right ot tfel",
	"bell\a back\b del\x7f nul\x00":           "bell back del nul",
	"dcs \x1bPq#0;2;0;0;0\x1b\\end":           "dcs end",
	"link \x1b]8;;https://x\x07y\x1b]8;;\x07": "link y",
	"Zoë 李雷 👩‍🔬":                              "Zoë 李雷 👩‍🔬",
	"pile" + strings.Repeat("\u0301", 50):     "pile" + strings.Repeat("\u0301", maxMarks),
}

func TestNothingOfAStrangerReachesTheTerminal(t *testing.T) {
	t.Parallel()
	for in, want := range hostile {
		if got := Cell(in); got != want {
			t.Errorf("Cell(%q) = %q, want %q", in, got, want)
		}
		for _, got := range []string{Text(in), LogLine(in)} {
			if strings.ContainsFunc(got, func(r rune) bool { return r != '\n' && r != '\t' && Visible(r) < 0 }) {
				t.Errorf("of %q there is left %q", in, got)
			}
		}
	}
}

func TestUnfinishedSequences(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"\x1b", "\x1b[", "\x1b[31", "\x1b]52;c;aGk=", "\x1bP", "a\xffb", "\xc2"} {
		got := Cell(in) + Text(in)
		if strings.ContainsRune(got, 0x1b) || ansi.Strip(got) != got {
			t.Errorf("of %q there is left %q", in, got)
		}
	}
}

func TestTextKeepsLines(t *testing.T) {
	t.Parallel()
	if got := Text("a\n\tb\x1b[2J\r\n"); got != "a\n\tb\n" {
		t.Errorf("got %q", got)
	}
}

func TestLogLineShowsTheLastState(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"10 %\r 50 %\r100 %\n": "100 %\n", "line\r\n": "line\n", "no end": "no end", "": "", "\n": "\n",
	} {
		if got := LogLine(in); got != want {
			t.Errorf("LogLine(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNumbersForPeople(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 3 << 29: "1.5 GiB", 1<<63 - 1: "8.0 EiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{85 * time.Millisecond: "85 ms", 1200 * time.Millisecond: "1.2 s", 185 * time.Second: "3 min 5 s",
		11*time.Hour + 27*time.Minute + 59*time.Second: "11 h 27 min", 76 * time.Hour: "3 d 4 h"} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%d) = %s, want %s", d, got, want)
		}
	}
}

func FuzzCell(f *testing.F) {
	for in := range hostile {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if got := Cell(in); strings.ContainsFunc(got, func(r rune) bool { return Visible(r) < 0 }) {
			t.Errorf("Cell(%q) = %q", in, got)
		}
	})
}
