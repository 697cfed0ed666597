package tui

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/muesli/termenv"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

// startFeed runs a feed whose pauses between two tries are noted and not
// waited for, until the test ends.
func startFeed(t *testing.T, d Daemon) (f *feed, pauses func() []time.Duration, ctx context.Context) {
	ctx, cancel := context.WithCancel(t.Context())
	f = newFeed(d, func() time.Time { return noon })
	var mu sync.Mutex
	var all []time.Duration
	f.wait = func(ctx context.Context, d time.Duration) {
		mu.Lock()
		all = append(all, d)
		n := len(all)
		mu.Unlock()
		if n >= 8 {
			<-ctx.Done() // enough was seen
		}
	}
	done := make(chan struct{})
	go func() { defer close(done); f.run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return f, func() []time.Duration { mu.Lock(); defer mu.Unlock(); return append([]time.Duration{}, all...) }, ctx
}

// next is the feed's next message.
func next(t *testing.T, f *feed, ctx context.Context) feedMsg {
	t.Helper()
	m, ok := f.listen(ctx)().(feedMsg)
	if !ok {
		t.Fatal("the feed has ended")
	}
	return m
}

func TestManyEventsAreOneMessage(t *testing.T) {
	t.Parallel()
	d := empty()
	d.events = make(chan api.Event, 1000)
	for i := range 1000 {
		d.events <- api.Event{Seq: uint64(i)}
	}
	f, _, ctx := startFeed(t, d)
	var all []api.Event
	messages := 0
	for len(all) < 1000 {
		m := next(t, f, ctx)
		messages++
		all = append(all, m.events...)
	}
	for i, e := range all {
		if e.Seq != uint64(i) {
			t.Fatalf("event %d is %d", i, e.Seq)
		}
	}
	if messages > 20 {
		t.Errorf("1,000 events that were there at once came in %d messages", messages)
	}
}

func TestTooManyEventsAreNotKept(t *testing.T) {
	t.Parallel()
	f := newFeed(empty(), time.Now)
	d := make(chan api.Event, maxEvents+10)
	for range maxEvents + 10 {
		d <- api.Event{}
	}
	close(d)
	f.daemon.(*fake).events = d
	if err := f.connection(t.Context(), func() {}); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	if m := next(t, f, t.Context()); !m.missed || len(m.events) > maxEvents {
		t.Errorf("missed %v, %d events kept", m.missed, len(m.events))
	}
}

func TestALostDaemonIsTriedAgain(t *testing.T) {
	t.Parallel()
	d := empty()
	d.err = gone
	f, pauses, ctx := startFeed(t, d)
	var m feedMsg
	for len(pauses()) < 8 {
		m = next(t, f, ctx)
	}
	if m.conn.up || m.conn.err == nil || !m.conn.retry.After(noon) {
		t.Errorf("%+v", m.conn)
	}
	for i, p := range pauses() {
		least := min(firstRetry<<i, lastRetry)
		if p < least || p > least+least/4 {
			t.Errorf("pause %d is %s, want %s and a little more", i, p, least)
		}
	}
}

// panics is a daemon whose stream panics.
type panics struct{ *fake }

func (panics) Events(context.Context) (EventStream, error) { panic("a mistake of ours") }

func TestAPanicOfTheFeedIsTheProgramsToTell(t *testing.T) {
	t.Parallel()
	f, _, ctx := startFeed(t, panics{empty()})
	if m := next(t, f, ctx); m.panic == nil {
		t.Error("it was lost")
	}
}

func TestTheScreenComesBackByItself(t *testing.T) {
	t.Parallel()
	d := full()
	r := newRig(t, d, termenv.Ascii, true)
	d.err = gone
	r.send(feedMsg{conn: connection{err: gone, retry: r.at.Add(2 * time.Second), turn: 1}})
	r.has("No connection to MedForge, trying again in 2 s", "k3v7q2xa")
	r.wait(time.Second)
	r.has("trying again in 1 s")
	r.keys("j", "4")
	r.has("Loading the board.")
	d.err, d.sessions = nil, d.sessions[:1]
	r.send(feedMsg{conn: connection{up: true, turn: 2}})
	r.hasNot("No connection", "Loading")
	r.has("RANK", "Grace")
	r.keys("1")
	r.has("c7d2ef5g")
	r.hasNot("k3v7q2xa")
}
