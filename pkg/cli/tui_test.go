package cli_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
	"github.com/medforge/medforge/pkg/session"
)

// What the program does to a terminal, and what takes it back.
const (
	altScreen, mainScreen = "\x1b[?1049h", "\x1b[?1049l"
	hideCursor, showMouse = "\x1b[?25l", "\x1b[?1002h"
	showCursor, hideMouse = "\x1b[?25h", "\x1b[?1002l"
	noWrap, wrap          = "\x1b[?7l", "\x1b[?7h"
)

// press writes keys to the program.
func (x *terminal) press(t testing.TB, keys string) {
	t.Helper()
	if _, err := x.in.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// onScreen is the full-screen program on a terminal.
func onScreen(t testing.TB, h *httpapitest.Host, args ...string) *terminal {
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
	for _, c := range [][2]string{{altScreen, mainScreen}, {hideCursor, showCursor}, {showMouse, hideMouse}, {noWrap, wrap}} {
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

// TestFullScreenStoppedAndGoneOnWith: Ctrl+Z gives the terminal back, and when
// the shell lets the program go on it is there again and has lost no key.
func TestFullScreenStoppedAndGoneOnWith(t *testing.T) {
	t.Parallel()
	x := onScreen(t, listed(t))
	x.until(t, "aaaaaa22")
	x.press(t, "\x1a")
	x.until(t, mainScreen)
	x.untilTrue(t, "it is there again", func() bool {
		// No shell's child is stopped by the signal; the program waits for this one.
		if err := x.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		return strings.LastIndex(x.text(), altScreen) > strings.LastIndex(x.text(), mainScreen)
	})
	x.press(t, "2")
	x.until(t, "slots free")
	x.press(t, "q")
	out, code := x.end(t)
	if code != 0 {
		t.Errorf("exit %d", code)
	}
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

// BenchmarkIdleScreen is what the full-screen program takes of a core while
// nobody touches it, with seven live sessions and a reading of the GPUs every
// two seconds: percent-of-a-core, by the process's own time over the clock's.
// The goal is below 1.
func BenchmarkIdleScreen(b *testing.B) {
	h := httpapitest.Start(b, httpapitest.Options{})
	for i := range 7 {
		h.Service.Add(session.Session{ID: fmt.Sprint("id", i), UserID: httpapitest.Admin.ID, Slug: fmt.Sprintf("aaaaaa%d2", i+2), Status: session.Running,
			GPUIndex: i, GPUUUID: fmt.Sprintf("GPU-00000000-0000-0000-0000-%012d", i), CreatedAt: time.Now()}, "")
	}
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Second):
			}
			var gpus []map[string]any
			for i := range 7 {
				gpus = append(gpus, map[string]any{"index": i, "uuid": fmt.Sprintf("GPU-00000000-0000-0000-0000-%012d", i), "name": "NVIDIA H200", "status": "in_use",
					"memory_total_bytes": 141 << 30, "memory_used_bytes": int64(60+i) << 30, "utilisation_percent": time.Now().Second() + i, "session": fmt.Sprintf("aaaaaa%d2", i+2)})
			}
			h.Bus.Publish(event.Event{Type: event.GPUSample, SignedIn: true, Volatile: true, Data: map[string]any{"gpus": gpus}})
		}
	}()
	for _, s := range []struct{ name, keys, shown string }{{"sessions", "1", "7 live"}, {"gpus", "2", "slots free"}} {
		b.Run(s.name, func(b *testing.B) {
			x := onScreen(b, h, "tui")
			x.press(b, s.keys)
			x.until(b, s.shown)
			time.Sleep(2 * time.Second) // what a start takes is not what waiting takes
			share := 0.0
			for b.Loop() {
				used, began := processTime(b, x.cmd.Process.Pid), time.Now()
				time.Sleep(10 * time.Second)
				share = 100 * (processTime(b, x.cmd.Process.Pid) - used).Seconds() / time.Since(began).Seconds()
			}
			b.ReportMetric(share, "percent-of-a-core")
			x.press(b, "q")
			x.end(b)
		})
	}
}

// processTime is what a process has had of a core (proc_pid_stat(5)), to a
// hundredth of a second.
func processTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	f := strings.Fields(string(raw)[strings.LastIndexByte(string(raw), ')')+1:])
	ticks := 0
	for _, s := range f[11:13] { // utime, stime
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
