package cli_test

import (
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
)

// shows reports whether the terminal shows what is typed.
func (x *terminal) shows(t testing.TB) bool {
	t.Helper()
	raw, err := x.in.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var echo bool
	if err := raw.Control(func(fd uintptr) { echo = echoes(t, int(fd)) }); err != nil {
		t.Fatal(err)
	}
	return echo
}

// untilHidden waits until the terminal shows nothing: the prompt comes a moment
// before.
func (x *terminal) untilHidden(t testing.TB) {
	t.Helper()
	x.untilTrue(t, "what is typed is hidden", func() bool { return !x.shows(t) })
}

func (x *terminal) say(t testing.TB, line string) {
	t.Helper()
	if _, err := x.in.WriteString(line); err != nil {
		t.Fatal(err)
	}
}

func TestLoginShowsNoPassword(t *testing.T) {
	t.Parallel()
	h := httpapitest.Start(t, httpapitest.Options{})
	srv := httptest.NewServer(h.API.Public())
	t.Cleanup(srv.Close)
	c := openTerminal(t, 80, nil, "login", srv.URL)
	c.until(t, "Email: ")
	c.say(t, "alice@example.org\n")
	c.until(t, "Password: ")
	c.untilHidden(t)
	c.say(t, httpapitest.Password+"\n")
	out, code := c.end(t)
	if code != 0 || strings.Contains(out, httpapitest.Password) || !strings.Contains(out, "as alice@example.org") {
		t.Errorf("%d, and the terminal showed %q", code, out)
	}
}

// An interrupt at the prompt ends the command and leaves a terminal that shows
// what is typed.
func TestInterruptedLoginLeavesTheTerminalAsItWas(t *testing.T) {
	t.Parallel()
	c := openTerminal(t, 80, nil, "login", "http://127.0.0.1:1", "--email", "alice@example.org")
	c.until(t, "Password: ")
	c.untilHidden(t)
	if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if out, code := c.end(t); code != 1 {
		t.Errorf("%d: %s", code, out)
	}
	if !c.shows(t) {
		t.Error("the terminal shows nothing any more")
	}
}
