package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session/faultpoint"
)

// recordDeath records that a session's process ended without a stop.
func (s *Service) recordDeath(ctx context.Context, row Session) error {
	msg := "Its main process is gone."
	inspectCtx, cancel := context.WithTimeout(ctx, runtimeTimeout)
	defer cancel()
	if c, err := s.o.Runtime.Inspect(inspectCtx, row.Slug); err == nil && !c.ExitedAt.IsZero() {
		msg = fmt.Sprintf("Its main process ended by itself with exit code %d.", c.ExitCode)
		if c.ExitCode == 137 {
			msg += " It was killed, most likely for lack of memory."
		}
	}
	_, err := s.stopping(ctx, row, Died, ReasonContainerDeath, msg, "")
	return err
}

// finish ends a session that is stopping: process, snapshot, container,
// sockets, and last the claims. A failure before the snapshot leaves the row
// as it is, to be tried again; each step can be repeated.
func (s *Service) finish(ctx context.Context, row Session) error {
	s.closeAPI(row.Slug)
	if err := bounded(ctx, s.o.StopGrace+runtimeTimeout, func(ctx context.Context) error {
		return s.o.Runtime.Stop(ctx, row.Slug, s.o.StopGrace)
	}); err != nil {
		return err
	}
	faultpoint.Hit("stop.ended")
	trigger, reason, message := s.outcome(row)
	if row.StartedAt.IsZero() {
		// It never ran: what its start made is taken back where nobody has
		// written to it, and stays otherwise.
		if err := bounded(ctx, workspaceTimeout, func(ctx context.Context) error {
			return s.o.Workspaces.Discard(ctx, row.Ref())
		}); err != nil {
			return err
		}
	} else if err := s.snapshot(ctx, row); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if fault.Is(err, fault.Unavailable) {
			// The storage does not answer, as when a pool is imported late: the
			// snapshot has not failed yet. The session stays stopping.
			return err
		}
		trigger, reason = EndedBadly, ReasonSnapshotFailed
		message = joinSentences(message, "The snapshot at the stop failed: "+publicMessage(err)+" The workspace is untouched.")
	}
	faultpoint.Hit("stop.snapshot")
	if err := s.sweep(ctx, row.Slug); err != nil {
		return err
	}
	faultpoint.Hit("stop.removed")
	s.handBack(ctx, row)
	c := change(trigger)
	c.At = s.o.Now().UTC()
	c.Reason = reason
	c.ErrorMessage = message
	c.Release = true
	after, err := s.apply(ctx, row.ID, c)
	if err != nil && !fault.Is(err, fault.Conflict) {
		return err
	}
	faultpoint.Hit("stop.recorded_end")
	data := map[string]any{"reason": reason, "status": after.Status}
	if message != "" {
		data["error"] = message
	}
	s.publish(event.SessionStop, after, "", data)
	return nil
}

// outcome is how a session ends when its snapshot succeeds.
func (s *Service) outcome(row Session) (Trigger, StopReason, string) {
	if row.StopReason == ReasonRequested || row.StopReason == "" {
		return Ended, ReasonRequested, ""
	}
	return EndedBadly, row.StopReason, row.ErrorMessage
}

// snapshotAttempts is how often a snapshot is tried before the session ends in
// error: a busy moment passes, a full disk does not.
const snapshotAttempts = 4

func (s *Service) snapshot(ctx context.Context, row Session) error {
	var err error
	for attempt := range snapshotAttempts {
		if attempt > 0 && !sleep(ctx, s.o.RetryFirst<<(attempt-1)) {
			return ctx.Err()
		}
		t := s.o.Now()
		err = bounded(ctx, workspaceTimeout, func(ctx context.Context) error {
			_, err := s.o.Workspaces.Snapshot(ctx, row.Ref(), row.SnapshotName)
			return err
		})
		data := map[string]any{"snapshot": row.SnapshotName, "duration_ms": s.o.Now().Sub(t).Milliseconds()}
		if err == nil {
			s.publish(event.SessionSnapshot, row, "", data)
			return nil
		}
		if fault.Is(err, fault.OutOfSpace) || fault.Is(err, fault.NotFound) || attempt == snapshotAttempts-1 || ctx.Err() != nil {
			data["error"] = publicMessage(err)
			s.publish(event.SessionSnapshot, row, "", data)
			break
		}
		s.o.Logger.Warn("snapshot failed, trying again", "session", row.ID, "attempt", attempt+1, "error", err)
	}
	s.o.Logger.Error("snapshot failed", "session", row.ID, "snapshot", row.SnapshotName, "error", err)
	return err
}

// sweep takes away whatever the host still has of a session, except its
// workspace, its snapshots and its log.
func (s *Service) sweep(ctx context.Context, slug string) error {
	return bounded(ctx, s.o.StopGrace+2*runtimeTimeout, func(ctx context.Context) error {
		s.closeAPI(slug)
		if err := s.o.Runtime.Stop(ctx, slug, s.o.StopGrace); err != nil {
			return err
		}
		if err := s.o.Runtime.Remove(ctx, slug); err != nil {
			return err
		}
		return s.o.Sockets.Remove(ctx, slug)
	})
}

// bounded runs f with a deadline of its own.
func bounded(ctx context.Context, d time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d, errors.New("the step took longer than "+d.String()))
	defer cancel()
	return f(ctx)
}

// sleep waits; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func joinSentences(a, b string) string {
	if a == "" {
		return b
	}
	return a + " " + b
}
