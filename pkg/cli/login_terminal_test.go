package cli_test

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
)

// conversation is the program on a terminal that is typed on.
type conversation struct {
	t    *testing.T
	cmd  *exec.Cmd
	term *os.File
	mu   sync.Mutex
	seen string
	done chan struct{}
}

func converse(t *testing.T, args ...string) *conversation {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, exe)
	cmd.Args = append([]string{"medforge"}, args...)
	cmd.Env = []string{"TZ=UTC", "TERM=xterm", "HOME=" + t.TempDir()}
	c := &conversation{t: t, cmd: cmd, done: make(chan struct{})}
	if c.term, err = pty.Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.term.Close() })
	go func() {
		defer close(c.done)
		buf := make([]byte, 4096)
		for {
			n, err := c.term.Read(buf)
			c.mu.Lock()
			c.seen += string(buf[:n])
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return c
}

func (c *conversation) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen
}

// await waits for a prompt.
func (c *conversation) await(prompt string) {
	c.t.Helper()
	for !strings.Contains(c.text(), prompt) {
		select {
		case <-c.done:
			c.t.Fatalf("it ended before it said %q: %s", prompt, c.text())
		case <-time.After(5 * time.Millisecond): // between looks at a condition
		}
	}
}

// shows reports whether the terminal shows what is typed.
func (c *conversation) shows() bool {
	c.t.Helper()
	raw, err := c.term.SyscallConn()
	if err != nil {
		c.t.Fatal(err)
	}
	var echo bool
	if err := raw.Control(func(fd uintptr) { echo = echoes(c.t, int(fd)) }); err != nil {
		c.t.Fatal(err)
	}
	return echo
}

// untilHidden waits until the terminal shows nothing: the prompt comes a moment
// before.
func (c *conversation) untilHidden() {
	c.t.Helper()
	for c.shows() {
		select {
		case <-c.done:
			c.t.Fatalf("it ended: %s", c.text())
		case <-time.After(5 * time.Millisecond): // between looks at a condition
		}
	}
}

func (c *conversation) say(line string) {
	c.t.Helper()
	if _, err := c.term.WriteString(line); err != nil {
		c.t.Fatal(err)
	}
}

func TestLoginShowsNoPassword(t *testing.T) {
	t.Parallel()
	h := httpapitest.Start(t, httpapitest.Options{})
	srv := httptest.NewServer(h.API.Public())
	t.Cleanup(srv.Close)
	c := converse(t, "login", srv.URL)
	c.await("Email: ")
	c.say("alice@example.org\n")
	c.await("Password: ")
	c.untilHidden()
	c.say(httpapitest.Password + "\n")
	<-c.done
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, c.text())
	}
	if strings.Contains(c.text(), httpapitest.Password) || !strings.Contains(c.text(), "as alice@example.org") {
		t.Errorf("the terminal showed %q", c.text())
	}
}

// An interrupt at the prompt ends the command and leaves a terminal that shows
// what is typed.
func TestInterruptedLoginLeavesTheTerminalAsItWas(t *testing.T) {
	t.Parallel()
	c := converse(t, "login", "http://127.0.0.1:1", "--email", "alice@example.org")
	c.await("Password: ")
	c.untilHidden()
	if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-c.done
	if err := c.cmd.Wait(); err == nil || c.cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%v: %s", err, c.text())
	}
	if !c.shows() {
		t.Error("the terminal shows nothing any more")
	}
}
