package tui

import (
	"io"
	"os"
	"strings"
	"testing"
)

func TestTheAnswerIsNoKeys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pieces       []string
		keys, colour string
	}{
		"whole":                {[]string{"\x1b]11;rgb:ffff/ffff/ffff\a"}, "", "rgb:ffff/ffff/ffff"},
		"with ST, among keys":  {[]string{"ab\x1b]11;rgb:0000/1111/2222\x1b\\cd", "e"}, "abcde", "rgb:0000/1111/2222"},
		"late":                 {[]string{"jjj", "k", "\x1b]11;rgb:0/0/0\a", "q"}, "jjjkq", "rgb:0/0/0"},
		"in pieces":            {[]string{"j\x1b]", "11", ";rgb:ff/ff", "/ff\x1b", "\\k"}, "jk", "rgb:ff/ff/ff"},
		"never":                {[]string{"a", "\x1b", "\x1b[A", "z"}, "a\x1b\x1b[Az", ""},
		"another's beginning":  {[]string{"\x1b]", "x"}, "\x1b]x", ""},
		"without an end":       {[]string{"a\x1b]11;" + strings.Repeat("x", 70), "b"}, "ab", ""},
		"a second one is keys": {[]string{"\x1b]11;rgb:0/0/0\a", "\x1b]11;x"}, "\x1b]11;x", "rgb:0/0/0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			got, colour := "", ""
			k := &keyboard{file: r, answered: func(c string) { colour = c }}
			for _, p := range c.pieces {
				if _, err := w.WriteString(p); err != nil {
					t.Fatal(err)
				}
				buf := make([]byte, 256)
				n, err := k.Read(buf)
				if err != nil {
					t.Fatal(err)
				}
				got += string(buf[:n])
			}
			w.Close()
			if _, err := k.Read(make([]byte, 256)); err != io.EOF {
				t.Errorf("at the end: %v", err)
			}
			if got != c.keys || colour != c.colour {
				t.Errorf("keys %q, colour %q", got, colour)
			}
		})
	}
}

func TestBackgrounds(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string][2]bool{
		"rgb:ffff/ffff/ffff": {false, true}, "rgb:fdfd/f6f6/e3e3": {false, true}, "rgb:0000/2b2b/3636": {true, true}, "rgb:00/00/00": {true, true}, "nonsense": {true, false},
	} {
		if dark, known := darkColour(answer); dark != want[0] || known != want[1] {
			t.Errorf("%s: dark %v, known %v", answer, dark, known)
		}
	}
	for v, want := range map[string]bool{"": true, "15;0": true, "0;15": false, "0;default;7": false, "12;8": true, "0;default": true, "0;x;": true} {
		if got := darkUnasked(func(string) string { return v }); got != want {
			t.Errorf("COLORFGBG=%q: dark %v", v, got)
		}
	}
}

// TestALateAnswerChangesTheColours, and none is waited for: the whole program
// on a terminal that answers after the first frame.
func TestALateAnswerChangesTheColours(t *testing.T) {
	t.Parallel()
	x := onTTY(t, full(), map[string]string{"TERM": "xterm-256color"})
	x.until("\x1b]11;?")
	x.until("k3v7q2xa") // a frame, though nobody answered
	x.until("38;5;116") // the dark accent
	x.press("\x1b]11;rgb:ffff/ffff/ffff\x1b\\")
	x.until("38;5;24m") // the light one
	x.press("q")
	if err := x.end(); err != nil {
		t.Error(err)
	}
}

func TestTheQuestionIsNotAskedInVain(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]map[string]string{
		"no colours": {"TERM": "xterm-256color", "NO_COLOR": "1"}, "dumb": {"TERM": "dumb"}, "screen": {"TERM": "screen.xterm-256color"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := onTTY(t, full(), env)
			x.until("k3v7q2xa")
			x.press("q")
			x.end()
			if strings.Contains(x.out.String(), "\x1b]11;?") {
				t.Error("it was asked")
			}
		})
	}
}
