package zfs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/medforge/medforge/pkg/driver/internal/workspace"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// Discard implements session.Workspaces. Errors: Busy, with who holds the
// dataset. zfs destroy runs without -r, -R and -f: what has a snapshot, a clone
// or an open file stays, whatever was looked at before.
func (w *Workspaces) Discard(ctx context.Context, ref session.Ref) error {
	if err := workspace.CheckRef(ref); err != nil {
		return err
	}
	unlock, err := w.locks.Lock(ctx, ref)
	if err != nil {
		return err
	}
	defer unlock()
	d, there, err := w.standing(ctx, ref)
	if err != nil || !there || !ours(d, ref) {
		return err
	}
	if snapshots, err := w.listSnapshots(ctx, ref); err != nil || len(snapshots) > 0 {
		return err
	}
	untouched, err := w.untouched(ctx, d)
	if err != nil || !untouched {
		return w.failIf(err, "the dataset %s cannot be looked at", d.name)
	}
	err = w.retry(ctx, d.name, func() error {
		_, err := w.cmd.zfs(ctx, "destroy", d.name)
		return err
	})
	if reason := why(err); reason == noDataset || reason == hasChildren {
		return nil
	}
	return w.failIf(err, "the dataset %s cannot be taken back", d.name)
}

func (w *Workspaces) failIf(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return w.fail(err, format, args...)
}

// untouched reports whether the files are as Create or Clone left them.
func (w *Workspaces) untouched(ctx context.Context, d dataset) (bool, error) {
	top, err := w.open(ctx, d)
	if err != nil {
		return false, err
	}
	defer top.Close()
	if d.own(propOrigin) == "" {
		return workspace.Empty(ctx, top)
	}
	if ready := d.ready(); !ready.IsZero() {
		touched, err := workspace.Touched(ctx, top, ready)
		return !touched, err
	}
	// A crash came between the clone and its end: only the top was ours.
	made, err := d.number("creation")
	if err != nil {
		return false, err
	}
	touched, err := workspace.TouchedInside(ctx, top, time.Unix(made, 0))
	return !touched, err
}

// retry repeats what fails because the dataset is busy, for a while, and then
// says who holds it.
func (w *Workspaces) retry(ctx context.Context, name string, call func() error) error {
	end := time.Now().Add(w.cfg.BusyFor)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := call()
		if why(err) != busy {
			return err
		}
		if time.Now().Add(wait).After(end) {
			return w.busy(err, name)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return w.busy(err, name)
		}
	}
}

func (w *Workspaces) busy(cause error, name string) error {
	found := holders(w.cfg.Proc, name)
	who := "nobody was found who holds it"
	if len(found) > 0 {
		who = "held by " + strings.Join(found, "; ")
	}
	return fault.Wrap(cause, fault.Busy, "workspaces/busy", "%s", fmt.Sprintf("the dataset %s is busy: %s", name, who))
}
