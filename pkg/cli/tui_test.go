package cli_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
)

// What the program does to a terminal, and what takes it back.
const (
	altScreen, mainScreen = "\x1b[?1049h", "\x1b[?1049l"
	hideCursor, showMouse = "\x1b[?25l", "\x1b[?1002h"
	showCursor, hideMouse = "\x1b[?25h", "\x1b[?1002l"
)

// press writes keys to the program.
func (x *terminal) press(t *testing.T, keys string) {
	t.Helper()
	if _, err := x.in.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// onScreen is the full-screen program on a terminal. TERM is tmux's, which cannot
// be asked for its background: nobody would answer here.
func onScreen(t *testing.T, h *httpapitest.Host, args ...string) *terminal {
	t.Helper()
	return onTerminal(t, h, 100, []string{"TERM=tmux-256color"}, args...)
}

func TestFullScreen(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"tui"}} {
		h := listed(t)
		x := onScreen(t, h, args...)
		x.until(t, "aaaaaa22")
		x.press(t, "s")
		x.until(t, "is starting on GPU")
		x.until(t, "VS Code")
		h.Service.Wait()
		x.press(t, "q")
		out, code := x.end(t)
		if code != 0 {
			t.Errorf("exit %d", code)
		}
		leavesTheTerminal(t, out)
	}
}

// leavesTheTerminal fails when something that was set is not taken back, in
// the order that counts: the last word.
func leavesTheTerminal(t *testing.T, out string) {
	t.Helper()
	for _, c := range [][2]string{{altScreen, mainScreen}, {hideCursor, showCursor}, {showMouse, hideMouse}} {
		if on, off := strings.LastIndex(out, c[0]), strings.LastIndex(out, c[1]); on < 0 || off < on {
			t.Errorf("%q at %d, %q at %d; it ended with %q", c[0], on, c[1], off, out[max(0, len(out)-20000):])
			return
		}
	}
}

func TestFullScreenEndsByASignal(t *testing.T) {
	t.Parallel()
	h := listed(t)
	x := onScreen(t, h)
	x.until(t, "aaaaaa22")
	if err := x.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	out, _ := x.end(t)
	leavesTheTerminal(t, out)
}

// TestTheTerminalIsNotAsked: no command but the full-screen program asks a
// terminal for its colours, which takes seconds where none answers.
func TestTheTerminalIsNotAsked(t *testing.T) {
	t.Parallel()
	h := listed(t)
	began := time.Now()
	out, code := onTerminal(t, h, 100, []string{"TERM=xterm-256color", "COLORTERM=truecolor"}, "session", "list").end(t)
	if code != 0 || strings.Contains(out, "\x1b]11;?") || strings.Contains(out, "\x1b[6n") {
		t.Errorf("after %s: %d %q", time.Since(began), code, out)
	}
}
