package cli_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// terminal is the program running on a terminal of its own.
type terminal struct {
	cmd  *exec.Cmd
	out  watch.Output
	in   *os.File
	read chan struct{} // closed when the program has let go of its terminal
}

// onTerminal starts the program on a terminal so many columns wide, as one who
// calls on the host's socket.
func onTerminal(t testing.TB, h *httpapitest.Host, columns uint16, env []string, args ...string) *terminal {
	t.Helper()
	return openTerminal(t, columns, append([]string{"MEDFORGE_SOCKET=" + h.Socket}, env...), args...)
}

func openTerminal(t testing.TB, columns uint16, env []string, args ...string) *terminal {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	// testscript.Main runs the program when it is called by its name.
	cmd := exec.CommandContext(ctx, exe)
	cmd.Args = append([]string{"medforge"}, args...)
	cmd.Env = append([]string{"TZ=UTC", "TERM=xterm", "HOME=" + t.TempDir()}, env...)
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: columns})
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{cmd: cmd, in: f, read: make(chan struct{})}
	go func() {
		defer close(term.read)
		_, err := io.Copy(&term.out, f)
		if err != nil && !errors.Is(err, syscall.EIO) { // EIO: the other end is closed
			t.Errorf("reading the terminal: %v", err)
		}
	}()
	t.Cleanup(func() { f.Close() })
	return term
}

func (x *terminal) text() string { return strings.ReplaceAll(x.out.String(), "\r\n", "\n") }

// end waits for the program and returns all it wrote and its exit code.
func (x *terminal) end(t testing.TB) (string, int) {
	t.Helper()
	<-x.read
	err := x.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return x.text(), x.cmd.ProcessState.ExitCode()
}

// until waits for a text to appear.
func (x *terminal) until(t testing.TB, want string) {
	t.Helper()
	x.untilTrue(t, fmt.Sprintf("%q", want), func() bool { return strings.Contains(x.text(), want) })
}

// untilTrue waits for what the program does before it ends.
func (x *terminal) untilTrue(t testing.TB, what string, holds func() bool) {
	t.Helper()
	watch.Until(t, what, func() bool {
		select {
		case <-x.read:
			if !holds() {
				t.Fatalf("it ended before %s: %q", what, x.text())
			}
			return true
		default:
			return holds()
		}
	}, x.text)
}

func listed(t *testing.T) *httpapitest.Host {
	h := httpapitest.Start(t, httpapitest.Options{})
	h.Service.Add(session.Session{ID: "i", UserID: httpapitest.Admin.ID, Slug: "aaaaaa22", Status: session.Running,
		CreatedAt: time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)}, "first \x1b[31mred\x1b[0m\x1b]52;c;aGk=\x07\nstep 1\rstep 2\r\nlast\x9b2J\n")
	return h
}

func TestColoursAreForTerminals(t *testing.T) {
	t.Parallel()
	h := listed(t)
	for _, c := range []struct {
		env    []string
		args   []string
		colour bool
	}{
		{nil, []string{"session", "list"}, true},
		{[]string{"NO_COLOR=1"}, []string{"session", "list"}, false},
		{[]string{"TERM=dumb"}, []string{"session", "list"}, false},
		{nil, []string{"session", "list", "--no-color"}, false},
		{nil, []string{"session", "list", "-o", "json"}, false},
	} {
		out, code := onTerminal(t, h, 200, c.env, c.args...).end(t)
		if code != 0 || strings.Contains(out, "\x1b[32mrunning") != c.colour || strings.Contains(out, "\x1b") != c.colour {
			t.Errorf("%v %v: %d %q", c.env, c.args, code, out)
		}
	}
}

func TestTablesFitTheTerminal(t *testing.T) {
	t.Parallel()
	h := listed(t)
	out, _ := onTerminal(t, h, 60, []string{"NO_COLOR=1"}, "session", "list").end(t)
	for _, line := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
		if n := len([]rune(line)); n > 60 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	if !strings.Contains(out, "aaaaaa22") || !strings.Contains(out, "…") {
		t.Errorf("got\n%s", out)
	}
	if out, _ := onTerminal(t, h, 200, []string{"NO_COLOR=1"}, "session", "list").end(t); strings.Contains(out, "…") {
		t.Errorf("there was room for\n%s", out)
	}
}

func TestALogDoesNothingToTheTerminal(t *testing.T) {
	t.Parallel()
	out, code := onTerminal(t, listed(t), 80, nil, "session", "logs", "aaaaaa22").end(t)
	if out != "first red\nstep 2\nlast\n" || code != 0 {
		t.Errorf("%d %q", code, out)
	}
}

func TestAMessageDoesNothingToTheTerminal(t *testing.T) {
	t.Parallel()
	h := listed(t)
	h.Service.Set(func(s *httpapitest.Settings) {
		s.Err = fault.New(fault.Conflict, "a/b", "\x1b]0;owned\x07hello\x1b[2J\u202e")
	})
	out, code := onTerminal(t, h, 80, nil, "gpu", "list").end(t)
	if out != "medforge: hello\n" || code != 5 {
		t.Errorf("%d %q", code, out)
	}
}

func TestALiveLineWhileWaiting(t *testing.T) {
	t.Parallel()
	h := httpapitest.Start(t, httpapitest.Options{})
	reached, release := h.Service.Hold("ide")
	x := onTerminal(t, h, 80, nil, "session", "start")
	<-reached
	x.until(t, "Starting  ")
	release()
	out, code := x.end(t)
	// What is left on the screen after each rewriting of the live line.
	var left []string
	for _, line := range strings.Split(out, "\n") {
		left = append(left, strings.TrimPrefix(line[strings.LastIndex(line, "\r")+1:], "\x1b[K"))
	}
	screen := strings.Join(left, "\n")
	if code != 0 || !strings.HasPrefix(screen, "Session abcdefg2 on GPU 0\n  Workspace  12 ms\n") || strings.Contains(screen, "Starting") {
		t.Errorf("%d\n%s", code, screen)
	}
	if !strings.HasSuffix(screen, "\nhttp://s-abcdefg2.medforge.localhost:8080/\n") {
		t.Errorf("the end is\n%s", screen)
	}
}

func TestCtrlCWhileFollowingALogIsNoFailure(t *testing.T) {
	t.Parallel()
	x := onTerminal(t, listed(t), 80, nil, "session", "logs", "-f", "aaaaaa22")
	x.until(t, "last")
	if err := x.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if out, code := x.end(t); code != 0 || strings.Contains(out, "medforge:") {
		t.Errorf("%d %q", code, out)
	}
}
