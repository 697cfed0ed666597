package tui

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"github.com/medforge/medforge/pkg/testkit/watch"
)

// tty is the whole program on a terminal of 80x24 that answers nothing.
type tty struct {
	t           *testing.T
	ctx         context.Context
	master, own *os.File
	before      *term.State
	ended       chan error
	out         watch.Output
}

func onTTY(t *testing.T, d Daemon, env map[string]string) *tty {
	t.Helper()
	x := &tty{t: t, ended: make(chan error, 1)}
	var err error
	if x.master, x.own, err = pty.Open(); err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(x.master, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	x.before = x.modes()
	go func() { _, _ = io.Copy(&x.out, x.master) }() // until the process ends
	var cancel context.CancelFunc
	x.ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	go func() {
		x.ended <- Run(x.ctx, d, Options{In: x.own, Out: x.own, Now: time.Now, Getenv: func(name string) string { return env[name] }})
	}()
	return x
}

func (x *tty) modes() *term.State {
	x.t.Helper()
	s, err := term.GetState(int(x.own.Fd()))
	if err != nil {
		x.t.Fatal(err)
	}
	return s
}

func (x *tty) press(keys string) {
	x.t.Helper()
	if _, err := x.master.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// until waits for what the program writes.
func (x *tty) until(want string) {
	x.t.Helper()
	for ; !strings.Contains(x.out.String(), want); time.Sleep(time.Millisecond) { // between looks at a condition
		if x.ctx.Err() != nil {
			x.t.Fatalf("%q never came: %q", want, x.out.String())
		}
	}
}

// end waits for the program's end and until all that it wrote was read. After a
// panic Bubble Tea leaves its reader to end by itself, so the terminal stays
// open, and a last word says that all was read.
func (x *tty) end() error {
	x.t.Helper()
	err := <-x.ended
	if _, err := x.own.WriteString("the end"); err != nil {
		x.t.Fatal(err)
	}
	x.until("the end")
	return err
}
