package event

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/fault"
)

const (
	auditQueue   = 8192             // events that may wait while the database does not answer
	auditBatch   = 256              // rows in one call
	auditTimeout = 10 * time.Second // for one call
	auditBackoff = 30 * time.Second // longest wait between two tries
	auditPatient = 3                // failed tries in a row before it is called degraded
)

// auditor hands events to the audit in batches. While the database does not
// answer it tries again with growing waits; when the queue is full, events
// reach stdout only, which is counted and told once by a daemon.degraded event,
// and once more by daemon.recovered when rows are written again.
type auditor struct {
	write func(context.Context, []Event) error
	bus   *Bus
	wake  chan struct{}
	stop  chan struct{}
	done  chan struct{}
	ctx   context.Context // ends when Close's does
	quit  context.CancelFunc

	mu       sync.Mutex
	queue    []Event
	dropped  uint64
	degraded bool
}

func startAuditor(write func(context.Context, []Event) error, b *Bus) *auditor {
	a := &auditor{write: write, bus: b,
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	a.ctx, a.quit = context.WithCancel(context.Background())
	go a.loop()
	return a
}

// add is called with the bus locked.
func (a *auditor) add(e Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) >= auditQueue {
		a.dropped++
	} else {
		a.queue = append(a.queue, e)
	}
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *auditor) lost() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.dropped
}

func (a *auditor) loop() {
	defer close(a.done)
	for {
		select {
		case <-a.wake:
			a.drain()
		case <-a.stop:
			a.drain()
			return
		}
	}
}

// drain writes until the queue is empty or Close's time is over.
func (a *auditor) drain() {
	failed := 0
	for a.ctx.Err() == nil {
		a.mu.Lock()
		n := min(len(a.queue), auditBatch)
		batch := a.queue[:n:n]
		a.mu.Unlock()
		if n == 0 {
			return
		}
		err := a.call(batch)
		if err == nil || !retryable(err) {
			if err != nil {
				a.salvage(batch, err)
			}
			failed = 0
			a.forget(n)
			a.recovered()
			continue
		}
		failed++
		if failed >= auditPatient || a.full() {
			a.degrade(err)
		}
		a.wait(failed)
	}
}

func (a *auditor) call(batch []Event) error {
	ctx, cancel := context.WithTimeout(a.ctx, auditTimeout)
	defer cancel()
	return a.write(ctx, batch)
}

// retryable: the database does not answer, which says nothing of the rows.
func retryable(err error) bool {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Timeout, fault.Busy:
		return true
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// salvage writes the rows one by one after the batch was refused, so that one
// bad row costs only itself.
func (a *auditor) salvage(batch []Event, why error) {
	for i := range batch {
		err := why
		if len(batch) > 1 {
			err = a.call(batch[i : i+1])
		}
		if err == nil {
			continue
		}
		a.bus.logger.Error("an event was not audited", "seq", batch[i].Seq, "event", batch[i].Type, "error", err)
		a.mu.Lock()
		a.dropped++
		a.mu.Unlock()
	}
}

func (a *auditor) forget(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	rest := copy(a.queue, a.queue[n:])
	clear(a.queue[rest:])
	a.queue = a.queue[:rest]
}

func (a *auditor) full() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.queue) >= auditQueue
}

// wait is cut short by Close, which then tries once more at once.
func (a *auditor) wait(failed int) {
	d := min(100*time.Millisecond<<min(failed-1, 20), auditBackoff)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-a.ctx.Done():
	case <-a.stop:
		select { // closing: short waits until ctx ends
		case <-time.After(50 * time.Millisecond):
		case <-a.ctx.Done():
		}
	}
}

func (a *auditor) degrade(why error) {
	a.mu.Lock()
	was := a.degraded
	a.degraded = true
	a.mu.Unlock()
	if was {
		return
	}
	a.bus.logger.Error("events cannot be audited", "error", why)
	a.bus.publish(Event{Type: Degraded, Data: map[string]any{
		"part": "audit", "why": "the database does not take the events; they stand on stdout only"}}, false)
}

func (a *auditor) recovered() {
	a.mu.Lock()
	was, dropped := a.degraded, a.dropped
	a.degraded = false
	a.mu.Unlock()
	if was {
		a.bus.Publish(Event{Type: Recovered, Data: map[string]any{"part": "audit", "dropped": dropped}})
	}
}

func (a *auditor) close(ctx context.Context) error {
	stop := context.AfterFunc(ctx, a.quit)
	defer stop()
	close(a.stop)
	<-a.done // a.write has a.ctx, which ends with ctx
	a.quit()
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.queue); n > 0 {
		a.dropped += uint64(n)
		return ctx.Err()
	}
	return nil
}
