package session

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/fault"
)

// drives runs at most one worker per session. A kick while the worker runs
// makes it look once more, so nothing that happened in between is missed.
type drives struct {
	work func(ctx context.Context, id string)

	mu     sync.Mutex
	ctx    context.Context // of Run; nil before and after
	active map[string]*drive
	wg     sync.WaitGroup
}

type drive struct {
	again bool
	wake  chan struct{}           // ends a back-off early
	abort context.CancelCauseFunc // ends the start in hand; nil when there is none
}

func newDrives(work func(context.Context, string)) *drives {
	return &drives{work: work, active: map[string]*drive{}}
}

func (d *drives) begin(ctx context.Context) {
	d.mu.Lock()
	d.ctx = ctx
	d.mu.Unlock()
}

// end stops taking kicks and waits for the workers, whose context is ended.
func (d *drives) end() {
	d.mu.Lock()
	d.ctx = nil
	d.mu.Unlock()
	d.wg.Wait()
}

// kick makes sure that somebody looks at the session soon.
func (d *drives) kick(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx == nil {
		return // the next start of the daemon looks at every active row
	}
	if w, ok := d.active[id]; ok {
		w.again = true
		select {
		case w.wake <- struct{}{}:
		default:
		}
		return
	}
	w := &drive{wake: make(chan struct{}, 1)}
	d.active[id] = w
	ctx := d.ctx
	d.wg.Go(func() {
		for {
			d.work(ctx, id)
			d.mu.Lock()
			if !w.again || ctx.Err() != nil {
				delete(d.active, id)
				d.mu.Unlock()
				return
			}
			w.again = false
			d.mu.Unlock()
		}
	})
}

// errStopWanted is the cause that ends a start when its session is to stop.
var errStopWanted = errors.New("the session is to stop")

// abort ends the start in hand, if one is.
func (d *drives) abort(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if w, ok := d.active[id]; ok && w.abort != nil {
		w.abort(errStopWanted)
	}
}

// abortable returns a context for a start that abort can end.
func (d *drives) abortable(ctx context.Context, id string) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.active[id]
	if w != nil {
		w.abort = cancel
	}
	return ctx, func() {
		d.mu.Lock()
		if w != nil {
			w.abort = nil
		}
		d.mu.Unlock()
		cancel(nil)
	}
}

// pause waits, or less when kicked. False: ctx ended.
func (d *drives) pause(ctx context.Context, id string, wait time.Duration) bool {
	d.mu.Lock()
	w := d.active[id]
	d.mu.Unlock()
	var wake chan struct{}
	if w != nil {
		wake = w.wake
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
		return true
	case <-t.C:
		return true
	}
}

// drive brings one session's row and reality together: look, take the next
// step, look again, until they agree. A step that fails is tried again after a
// wait that doubles up to a cap.
func (s *Service) drive(ctx context.Context, id string) {
	wait := s.o.RetryFirst
	for ctx.Err() == nil {
		done, err := s.driveOnce(ctx, id)
		if done {
			return
		}
		if err == nil {
			wait = s.o.RetryFirst
			continue
		}
		if ctx.Err() != nil {
			return
		}
		s.o.Logger.Warn("session step failed, trying again", "session", id, "wait", wait, "error", err)
		if !s.drives.pause(ctx, id, wait) {
			return
		}
		wait = min(2*wait, s.o.RetryMax)
	}
}

// driveOnce takes one step. done says that row and reality agree.
func (s *Service) driveOnce(ctx context.Context, id string) (done bool, err error) {
	row, err := s.get(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return true, nil // an orphan; reconciliation reports it
	}
	if err != nil {
		return false, err
	}
	s.index.put(row)
	r, err := s.observe(ctx, row)
	if r == Unknown && row.Status == Running {
		return true, nil // lives on; looked at again when the runtime is back
	}
	if err != nil {
		return false, err
	}
	switch Next(row.Status, r) {
	case StepStart:
		return false, s.start(ctx, row)
	case StepRecordDead:
		return false, s.recordDeath(ctx, row)
	case StepFinish:
		return false, s.finish(ctx, row)
	case StepSweep:
		return false, s.sweep(ctx, row.Slug)
	}
	if row.Status == Running {
		s.serveAPI(ctx, row)
	}
	return true, nil
}

// observe says what the host shows of a session.
func (s *Service) observe(ctx context.Context, row Session) (Reality, error) {
	if row.Status == Starting || row.Status == Stopping {
		return Unknown, nil // their steps do not depend on it
	}
	ctx, cancel := context.WithTimeout(ctx, runtimeTimeout)
	defer cancel()
	c, err := s.o.Runtime.Inspect(ctx, row.Slug)
	switch {
	case fault.Is(err, fault.NotFound):
		return Absent, nil
	case err != nil:
		return Unknown, err
	case c.Running:
		return Alive, nil
	}
	return Dead, nil
}

func (s *Service) get(ctx context.Context, ref string) (Session, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return s.o.Store.Get(ctx, ref)
}
