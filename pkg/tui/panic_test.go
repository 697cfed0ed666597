package tui

import (
	"context"
	"strings"
	"testing"

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
			x := onTTY(t, panicsLater{full(), where}, map[string]string{"TERM": "screen-256color"}) // is not asked anything: the first frame comes at once
			if where == "nowhere" {
				x.until("k3v7q2xa")
				x.press("q")
			}
			if err := x.end(); (err != nil) != (where != "nowhere") || x.ctx.Err() != nil {
				t.Errorf("it ended with %v", err)
			}
			if after := x.modes(); *x.before != *after {
				t.Errorf("the terminal's modes are %+v, were %+v", after, x.before)
			}
			text := x.out.String()
			for _, c := range [][2]string{{"\x1b[?1049h", "\x1b[?1049l"}, {"\x1b[?25l", "\x1b[?25h"}, {"\x1b[?1002h", "\x1b[?1002l"}, {"\x1b[?7l", "\x1b[?7h"}} {
				if on, off := strings.LastIndex(text, c[0]), strings.LastIndex(text, c[1]); on < 0 || off < on {
					t.Errorf("%q at %d, %q at %d", c[0], on, c[1], off)
				}
			}
		})
	}
}
