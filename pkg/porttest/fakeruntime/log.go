package fakeruntime

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/medforge/medforge/pkg/fault"
)

// logbook is all that a session printed.
type logbook struct{ lines []string }

func (b *logbook) add(line string) { b.lines = append(b.lines, line) }

// book returns a session's log, a new one if need be. The lock is held.
func (r *Runtime) book(slug string) *logbook {
	b := r.logs[slug]
	if b == nil {
		b = &logbook{}
		r.logs[slug] = b
	}
	return b
}

// followEvery is how often a follower looks for more.
const followEvery = 5 * time.Millisecond

// Log implements session.Runtime.
func (r *Runtime) Log(ctx context.Context, slug string, tail int, follow bool) (io.ReadCloser, error) {
	if err := r.enter(ctx, OpLog, slug); err != nil {
		return nil, err
	}
	defer r.mu.Unlock()
	b := r.logs[slug]
	if b == nil {
		return nil, fault.New(fault.NotFound, "runtime/log-not-found", "Session %s has no log.", slug)
	}
	next := 0
	if tail > 0 && len(b.lines) > tail {
		next = len(b.lines) - tail
	}
	if !follow {
		return io.NopCloser(strings.NewReader(strings.Join(b.lines[next:], ""))), nil
	}
	pr, pw := io.Pipe()
	go func() {
		ticker := time.NewTicker(followEvery)
		defer ticker.Stop()
		for {
			r.mu.Lock()
			text := strings.Join(b.lines[next:], "")
			next = len(b.lines)
			c := r.containers[slug]
			gone := c == nil || !c.running
			r.mu.Unlock()
			// An empty write finds a reader that was closed.
			if _, err := io.WriteString(pw, text); err != nil {
				return
			}
			if gone {
				_ = pw.Close()
				return
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				_ = pw.Close()
				return
			}
		}
	}()
	return &follower{PipeReader: pr, stop: context.AfterFunc(ctx, func() { _ = pw.Close() })}, nil
}

// follower ends its writer when it is closed, also one that waits.
type follower struct {
	*io.PipeReader
	stop func() bool
}

func (f *follower) Close() error {
	f.stop()
	return f.PipeReader.Close()
}
