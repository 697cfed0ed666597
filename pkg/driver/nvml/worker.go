package nvml

import (
	"context"
	"time"

	"github.com/medforge/medforge/pkg/fault"
)

// worker makes all calls into NVML, one after another, in one goroutine. A call
// into C cannot be interrupted: a caller whose time is up goes away, the call
// goes on alone, and no second one is made beside it.
type worker struct {
	jobs chan func()
	quit chan struct{}
	gone chan struct{} // closed when the goroutine has ended
}

func newWorker() *worker {
	w := &worker{jobs: make(chan func()), quit: make(chan struct{}), gone: make(chan struct{})}
	go func() {
		defer close(w.gone)
		for {
			select {
			case job := <-w.jobs:
				job()
			case <-w.quit:
				return
			}
		}
	}()
	return w
}

// do runs one call within ctx and limit and returns what it returned.
func do[T any](ctx context.Context, w *worker, limit time.Duration, call func() (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	type result struct {
		value T
		err   error
	}
	var none T
	if ctx.Err() != nil {
		return none, noAnswer(ctx)
	}
	done := make(chan result, 1)
	select {
	case w.jobs <- func() { v, err := call(); done <- result{v, err} }:
	case <-ctx.Done():
		return none, noAnswer(ctx)
	case <-w.quit:
		return none, fault.New(fault.Unavailable, "gpus/closed", "the GPU driver was closed")
	}
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, noAnswer(ctx)
	}
}

func noAnswer(ctx context.Context) error {
	return fault.Wrap(ctx.Err(), fault.Unavailable, "gpus/no-answer",
		"the NVIDIA driver did not answer in time; see whether nvidia-smi hangs too, and look for Xid in the kernel's log (dmesg)")
}

// close ends the goroutine after the call in hand, if that ever ends. It must
// be called once.
func (w *worker) close() { close(w.quit) }
