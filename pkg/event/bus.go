package event

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/fault"
)

// Options say where a Bus sends what it is given. Only zero values are filled
// in; everything is optional.
type Options struct {
	// Out gets one JSON object a line. Nil prints nothing.
	Out io.Writer
	// Audit stores a batch of events, in order, all or nothing. Nil audits
	// nothing. It is called by one goroutine and must not keep the
	// slice. Unavailable, Timeout, Busy and a context's end are tried again;
	// any other error costs the rows that cause it.
	Audit func(ctx context.Context, batch []Event) error
	Now   func() time.Time // nil is time.Now
	// Count is called with every event that is not volatile, while the bus is
	// locked: it must be quick and publish nothing. Nil counts nothing.
	Count  func(Event)
	Logger *slog.Logger // for troubles of Out and Audit; nil discards
	// History is how many events are kept for readers who come back; 0 is 4096.
	History int
	// Buffer is how many events a reader may be behind before it is cut off;
	// 0 is 256.
	Buffer int
}

// Bus takes events and hands each to stdout, the audit and every subscriber,
// all in the order of Seq. Publish never waits for any of them: stdout and the
// audit have a bounded queue and a goroutine each, and lose events, counted and
// told by a daemon.degraded event, rather than stall the daemon; a subscriber
// that does not keep up is cut off and told so.
type Bus struct {
	now    func() time.Time
	logger *slog.Logger
	buffer int
	count  func(Event)
	run    string
	lines  *lines   // nil: nothing is printed
	audit  *auditor // nil: nothing is audited

	mu     sync.Mutex
	seq    uint64
	ring   ring
	subs   []*Subscription
	closed bool
}

// NewBus starts a bus. Close ends it.
func NewBus(o Options) *Bus {
	b := &Bus{now: o.Now, logger: o.Logger, buffer: o.Buffer, count: o.Count}
	if b.now == nil {
		b.now = time.Now
	}
	if b.logger == nil {
		b.logger = slog.New(slog.DiscardHandler)
	}
	if b.buffer <= 0 {
		b.buffer = 256
	}
	if o.History <= 0 {
		o.History = 4096
	}
	b.ring.events = make([]Event, o.History)
	b.run = strconv.FormatInt(b.now().UnixMilli(), 36)
	if o.Out != nil {
		b.lines = startLines(o.Out, b)
	}
	if o.Audit != nil {
		b.audit = startAuditor(o.Audit, b)
	}
	return b
}

// Publish gives the event its Seq, and its Time if it has none, and hands it on.
// It returns the event as the others see it. The event's Data must not be
// changed afterwards. After Close nothing happens.
func (b *Bus) Publish(e Event) Event { return b.publish(e, true) }

// publish leaves the audit out when it is the audit itself that is in trouble.
func (b *Bus) publish(e Event, audited bool) Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return e
	}
	b.seq++
	e.Seq = b.seq
	if e.Time.IsZero() {
		e.Time = b.now()
	}
	e.Time = e.Time.UTC()
	if !e.Volatile {
		if b.lines != nil {
			e = b.lines.add(e)
		}
		if b.audit != nil && audited {
			b.audit.add(e)
		}
		b.ring.add(e)
		if b.count != nil {
			b.count(e)
		}
	}
	kept := b.subs[:0]
	for _, s := range b.subs {
		if s.offer(e) {
			kept = append(kept, s)
		}
	}
	clear(b.subs[len(kept):])
	b.subs = kept
	return e
}

// Listening reports whether there is any subscriber.
func (b *Bus) Listening() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.subs) > 0
}

// Seq is the number of the newest event.
func (b *Bus) Seq() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seq
}

// ID is the event's name on a stream, to give back to After. It names the
// daemon's run as well, because Seq starts anew with each.
func (b *Bus) ID(e Event) string { return b.run + "-" + strconv.FormatUint(e.Seq, 10) }

// After turns the last ID that a reader saw into what Subscribe takes; "" is
// 0. Errors: Invalid "events/invalid-id"; Conflict "events/resume-lost" when
// the id is of another run of the daemon.
func (b *Bus) After(id string) (uint64, error) {
	if id == "" {
		return 0, nil
	}
	run, num, ok := strings.Cut(id, "-")
	seq, err := strconv.ParseUint(num, 10, 64)
	if !ok || err != nil {
		return 0, fault.New(fault.Invalid, "events/invalid-id",
			"the last event id is not one that this server gave out; leave it out to read from now on")
	}
	if run != b.run {
		return 0, errLost
	}
	return seq, nil
}

// Dropped counts the events that stdout and the audit have lost since the
// start because they did not keep up.
func (b *Bus) Dropped() (printed, audited uint64) {
	if b.lines != nil {
		printed = b.lines.lost()
	}
	if b.audit != nil {
		audited = b.audit.lost()
	}
	return printed, audited
}

// Close ends all subscriptions, then flushes stdout and the audit until ctx
// ends. It returns ctx's error when something was left. An Out that blocks for
// ever keeps one goroutine.
func (b *Bus) Close(ctx context.Context) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	for _, s := range b.subs {
		s.end(errClosed)
	}
	b.subs = nil
	b.mu.Unlock()
	var err error
	if b.audit != nil {
		err = b.audit.close(ctx)
	}
	if b.lines != nil {
		if e := b.lines.close(ctx); err == nil {
			err = e
		}
	}
	return err
}
