package tui

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"github.com/medforge/medforge/pkg/api"
)

// panicsLater is a daemon that panics in one of the program's goroutines.
type panicsLater struct {
	*fake
	where string
}

func (p panicsLater) Events(ctx context.Context) (EventStream, error) {
	if p.where == "the feed" {
		panic("a mistake of ours")
	}
	return p.fake.Events(ctx)
}

func (p panicsLater) GPUs(ctx context.Context) ([]api.GPU, error) {
	if p.where == "a command" {
		panic("a mistake of ours")
	}
	return p.fake.GPUs(ctx)
}

func (p panicsLater) Address() string {
	if p.where == "the view" {
		panic("a mistake of ours")
	}
	return p.fake.Address()
}

// TestAPanicGivesTheTerminalBack: wherever it happens, the screen, the cursor,
// the mouse and the terminal's modes are as they were.
func TestAPanicGivesTheTerminalBack(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"the feed", "a command", "the view", "nowhere"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			master, tty, err := pty.Open()
			if err != nil {
				t.Fatal(err)
			}
			if err := pty.Setsize(master, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
				t.Fatal(err)
			}
			before, err := term.GetState(int(tty.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			var out bytes.Buffer
			go func() { _, _ = io.Copy(lockedWriter{&mu, &out}, master) }() // until the process ends
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if where == "nowhere" {
				go func() {
					for ; ctx.Err() == nil; time.Sleep(time.Millisecond) {
						mu.Lock()
						ready := strings.Contains(out.String(), "k3v7q2xa")
						mu.Unlock()
						if ready {
							_, _ = master.WriteString("q")
							return
						}
					}
				}()
			}
			err = Run(ctx, panicsLater{full(), where}, Options{In: tty, Out: tty, Now: time.Now, Getenv: func(name string) string {
				return map[string]string{"TERM": "tmux-256color"}[name]
			}})
			if (err != nil) != (where != "nowhere") || ctx.Err() != nil {
				t.Errorf("it ended with %v", err)
			}
			after, err := term.GetState(int(tty.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			if *before != *after {
				t.Errorf("the terminal's modes are %+v, were %+v", after, before)
			}
			// After a panic Bubble Tea leaves its reader to end by itself, so the
			// terminal stays open, and a last word says that all was read.
			if _, err := tty.WriteString("the end"); err != nil {
				t.Fatal(err)
			}
			text := func() string {
				mu.Lock()
				defer mu.Unlock()
				return out.String()
			}
			for !strings.HasSuffix(text(), "the end") && ctx.Err() == nil {
				time.Sleep(time.Millisecond) // between looks at a condition
			}
			for _, c := range [][2]string{{"\x1b[?1049h", "\x1b[?1049l"}, {"\x1b[?25l", "\x1b[?25h"}, {"\x1b[?1002h", "\x1b[?1002l"}} {
				if on, off := strings.LastIndex(text(), c[0]), strings.LastIndex(text(), c[1]); on < 0 || off < on {
					t.Errorf("%q at %d, %q at %d", c[0], on, c[1], off)
				}
			}
		})
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(p)
}
