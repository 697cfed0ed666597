package event

import (
	"context"

	"github.com/medforge/medforge/pkg/fault"
)

var (
	errLost = fault.New(fault.Conflict, "events/resume-lost",
		"the events after that one are no longer kept; load the present state and read from now on")
	errSlow = fault.New(fault.Unavailable, "events/reader-too-slow",
		"events came faster than they were read, so the stream was cut off; resume after the last one you have")
	errClosed = fault.New(fault.Unavailable, "events/closed", "the daemon is shutting down")
)

// Subscription is one reader of a Bus.
type Subscription struct {
	// C delivers the events in order, without a gap among those that the
	// filter lets through. It is closed when the subscription has ended; what
	// was delivered before stays readable.
	C <-chan Event

	c      chan Event
	bus    *Bus
	filter func(Event) bool
	stop   func() bool
	done   bool
	err    error
}

// Subscribe reads from now on (after 0), or first what came after that Seq.
// Volatile events are not repeated. The filter (nil: everything) is called
// with the bus locked: it must be quick and must not call the bus.
//
// The subscription ends, C closed and Err set, when ctx does; when the reader
// is more than Options.Buffer events behind ("events/reader-too-slow"); when
// the bus is closed ("events/closed"); and at once when events after that Seq
// are gone, or that Seq is still to come ("events/resume-lost").
func (b *Bus) Subscribe(ctx context.Context, after uint64, filter func(Event) bool) *Subscription {
	s := &Subscription{bus: b, filter: filter}
	b.mu.Lock()
	defer b.mu.Unlock()
	var missed []Event
	if after != 0 {
		missed = b.ring.after(after, filter)
	}
	s.c = make(chan Event, len(missed)+b.buffer)
	s.C = s.c
	switch {
	case b.closed:
		s.end(errClosed)
		return s
	case after > b.seq || (after != 0 && after < b.ring.evicted):
		s.end(errLost)
		return s
	}
	for _, e := range missed {
		s.c <- e
	}
	b.subs = append(b.subs, s)
	s.stop = context.AfterFunc(ctx, func() { b.unsubscribe(s, context.Cause(ctx)) })
	return s
}

// Err says why C was closed; nil while it is open.
func (s *Subscription) Err() error {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	return s.err
}

func (b *Bus) unsubscribe(s *Subscription, why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.end(why)
	for i, other := range b.subs {
		if other == s {
			b.subs = append(b.subs[:i], b.subs[i+1:]...)
			return
		}
	}
}

// offer reports whether the subscription goes on. The bus is locked.
func (s *Subscription) offer(e Event) bool {
	if s.filter != nil && !s.filter(e) {
		return true
	}
	select {
	case s.c <- e:
		return true
	default:
		s.end(errSlow)
		return false
	}
}

// end is called with the bus locked.
func (s *Subscription) end(why error) {
	if s.done {
		return
	}
	s.done, s.err = true, why
	close(s.c)
	if s.stop != nil {
		s.stop()
	}
}

// VisibleTo is the filter for what a caller may see: public events, with an
// account what is everybody's and the caller's own; an admin sees all.
func VisibleTo(userID string, admin bool) func(Event) bool {
	return func(e Event) bool {
		return admin || e.Public || (userID != "" && (e.SignedIn || e.UserID == userID))
	}
}

// ring keeps the newest events that are not volatile.
type ring struct {
	events  []Event // fixed length
	next    int     // where the next one goes
	evicted uint64  // Seq of the newest one that was overwritten
}

func (r *ring) add(e Event) {
	if old := r.events[r.next].Seq; old != 0 {
		r.evicted = old
	}
	r.events[r.next] = e
	r.next = (r.next + 1) % len(r.events)
}

// after returns the kept events with a greater Seq that the filter lets through.
func (r *ring) after(seq uint64, filter func(Event) bool) []Event {
	var out []Event
	for i := range r.events {
		e := r.events[(r.next+i)%len(r.events)]
		if e.Seq > seq && (filter == nil || filter(e)) {
			out = append(out, e)
		}
	}
	return out
}
