package event

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"sync"
)

// linesMax bounds what waits for a stdout that does not take it: about 20,000
// lines.
const linesMax = 4 << 20

// linesKeep is how large a buffer may be kept once it is empty.
const linesKeep = 64 << 10

// lines prints events. A goroutine writes what has gathered, whole lines, in
// one Write, so lines never mix. When stdout does not take them (a stopped
// pager, a stuck journal) up to linesMax bytes wait; further lines are dropped
// and counted, and a daemon.degraded event says how many as soon as it flows
// again.
type lines struct {
	out  io.Writer
	bus  *Bus
	wake chan struct{}
	stop chan struct{}
	done chan struct{}

	mu      sync.Mutex
	pending bytes.Buffer
	dropped uint64 // in all
	untold  uint64 // not yet told by an event
}

func startLines(out io.Writer, b *Bus) *lines {
	l := &lines{out: out, bus: b, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go l.loop()
	return l
}

// add queues the event's line and returns the event. One whose Data cannot be
// written as JSON gets Data that says so, for every reader alike.
func (l *lines) add(e Event) Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	start := l.pending.Len()
	enc := json.NewEncoder(&l.pending)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		l.pending.Truncate(start)
		e.Data = map[string]any{"encode_error": err.Error()}
		if enc.Encode(e) != nil {
			l.pending.Truncate(start)
		}
	}
	if l.pending.Len() > linesMax {
		l.pending.Truncate(start)
		l.dropped++
		l.untold++
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return e
}

func (l *lines) lost() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}

func (l *lines) loop() {
	defer close(l.done)
	var batch bytes.Buffer
	for {
		select {
		case <-l.wake:
		case <-l.stop:
			l.write(&batch)
			return
		}
		l.write(&batch)
	}
}

// write empties the queue. The queue's buffer and the one in hand change
// places, so nothing is copied and the lock is never held during a Write.
func (l *lines) write(batch *bytes.Buffer) {
	for {
		l.mu.Lock()
		if l.pending.Len() == 0 {
			l.mu.Unlock()
			return
		}
		l.pending, *batch = *batch, l.pending
		l.mu.Unlock()
		n := uint64(bytes.Count(batch.Bytes(), []byte{'\n'}))
		_, err := l.out.Write(batch.Bytes())
		batch.Reset()
		if batch.Cap() > linesKeep {
			*batch = bytes.Buffer{}
		}
		l.mu.Lock()
		if err != nil {
			l.dropped += n
			l.untold += n
			l.mu.Unlock()
			l.bus.logger.Error("events cannot be printed", "error", err, "dropped", n)
			return // the next event tries again
		}
		untold := l.untold
		l.untold = 0
		l.mu.Unlock()
		if untold > 0 {
			l.bus.Publish(Event{Type: Degraded, Data: map[string]any{
				"part": "stdout", "why": "stdout did not take the events in time", "dropped": untold}})
			l.bus.Publish(Event{Type: Recovered, Data: map[string]any{"part": "stdout"}})
		}
	}
}

func (l *lines) close(ctx context.Context) error {
	close(l.stop)
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
