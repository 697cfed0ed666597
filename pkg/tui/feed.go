package tui

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/medforge/medforge/pkg/api"
)

// How events are gathered and how a lost daemon is tried again.
const (
	gather     = 40 * time.Millisecond // events are handed on so often at most, however many come
	maxEvents  = 5000                  // kept between two hand-ons; with more, everything is loaded anew
	firstRetry = 500 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// connection is how the program stands with the daemon.
type connection struct {
	up    bool
	err   error     // why it is not up; nil before the first try has ended
	retry time.Time // when it is tried again
	turn  int       // counts how often it came up
}

// feedMsg is what has come since the last one.
type feedMsg struct {
	events []api.Event
	missed bool // events were lost: the state has to be loaded anew
	conn   connection
	panic  any
}

// feed owns the one goroutine that reads the event stream. A burst of events
// becomes one message, so that keys are answered in between.
type feed struct {
	daemon Daemon
	now    func() time.Time
	wait   func(ctx context.Context, d time.Duration) // between two tries

	mu   sync.Mutex
	next feedMsg
	wake chan struct{} // holds one: something is there
}

func newFeed(d Daemon, now func() time.Time) *feed {
	return &feed{daemon: d, now: now, wait: sleep, wake: make(chan struct{}, 1)}
}

// sleep waits, and less when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// run reads until ctx ends. A panic in it is handed to the program, which
// gives the terminal back before it ends.
func (f *feed) run(ctx context.Context) {
	defer func() {
		if r := recover(); r != nil {
			f.change(func(m *feedMsg) { m.panic = fmt.Sprintf("%v\n%s", r, debug.Stack()) })
		}
	}()
	back := firstRetry
	for ctx.Err() == nil {
		err := f.connection(ctx, func() { back = firstRetry })
		if ctx.Err() != nil {
			return
		}
		// Not all at once, when many clients lost the same daemon.
		pause := back + time.Duration(rand.Int64N(int64(back/4)))
		f.change(func(m *feedMsg) { m.conn.up, m.conn.err, m.conn.retry = false, err, f.now().Add(pause) })
		f.wait(ctx, pause)
		back = min(2*back, lastRetry)
	}
}

// connection reads one connection to its end.
func (f *feed) connection(ctx context.Context, came func()) error {
	s, err := f.daemon.Events(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	came()
	f.change(func(m *feedMsg) { m.conn = connection{up: true, turn: m.conn.turn + 1} })
	for {
		e, err := s.Next()
		if err != nil {
			return err
		}
		f.change(func(m *feedMsg) {
			if len(m.events) >= maxEvents {
				m.events, m.missed = nil, true
			}
			m.events = append(m.events, e)
		})
	}
}

func (f *feed) change(edit func(*feedMsg)) {
	f.mu.Lock()
	edit(&f.next)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// listen is the command that returns the next message.
func (f *feed) listen(ctx context.Context) tea.Cmd {
	return func() tea.Msg {
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		}
		sleep(ctx, gather)
		f.mu.Lock()
		defer f.mu.Unlock()
		m := f.next
		f.next = feedMsg{conn: m.conn}
		return m
	}
}
