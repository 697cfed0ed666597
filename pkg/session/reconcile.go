package session

import (
	"context"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session/faultpoint"
)

// Orphan is something that stands without its counterpart.
type Orphan struct {
	Kind      string // "container", "network", "sockets", "claim", "workspace", "row"
	Name      string
	SessionID string // where it is known
	Why       string
	// Removed says that it was taken away; otherwise it is only reported,
	// because something could be lost.
	Removed bool
}

// ReconcileReport is what a look at everything found.
type ReconcileReport struct {
	At      time.Time
	Active  int // sessions that should be there
	Orphans []Orphan
}

// Reconcile looks at everything now, workspaces included, cleans what can be
// cleaned without losing anything, and reports the rest. Errors: Denied,
// Unavailable.
func (s *Service) Reconcile(ctx context.Context, a auth.Actor) (ReconcileReport, error) {
	if err := adminOnly(a); err != nil {
		return ReconcileReport{}, err
	}
	report, err := s.look(ctx)
	if err != nil {
		return report, err
	}
	lost, err := s.strayWorkspaces(ctx)
	report.Orphans = append(report.Orphans, lost...)
	return report, err
}

// reconcile finds and cleans what a crash can leave. Everything is listed
// first and its row looked up after: a session's row is there before anything
// else of it, so what is listed and has no row then is an orphan.
func (s *Service) reconcile(ctx context.Context) (ReconcileReport, error) {
	report := ReconcileReport{At: s.o.Now().UTC()}
	claims, err := s.claims(ctx)
	if err != nil {
		return report, err
	}
	runCtx, cancel := context.WithTimeout(ctx, runtimeTimeout)
	defer cancel()
	containers, err := s.o.Runtime.List(runCtx)
	if err != nil {
		return report, err
	}
	networks, err := s.o.Runtime.Networks(runCtx)
	if err != nil {
		return report, err
	}
	folders, err := s.o.Sockets.List(runCtx)
	if err != nil {
		return report, err
	}
	active, err := s.list(ctx, Filter{Statuses: []Status{Starting, Running, Stopping}})
	if err != nil {
		return report, err
	}
	report.Active = len(active)
	faultpoint.Hit("reconcile.listed")

	found := func(o Orphan) {
		report.Orphans = append(report.Orphans, o)
		if o.Removed {
			s.o.Logger.Warn("orphan removed", "kind", o.Kind, "name", o.Name, "why", o.Why)
			s.o.Publish(event.Event{Time: s.o.Now(), Type: event.OrphanFound, SessionID: o.SessionID,
				Data: map[string]any{"kind": o.Kind, "name": o.Name, "why": o.Why}})
		}
	}
	running := map[string]bool{}
	for _, c := range containers {
		why, err := s.orphaned(ctx, c.SessionID)
		if err != nil {
			return report, err
		}
		if why == "" || (c.Running && why == noRow) {
			running[c.Slug] = true // its network and folder are in use
		}
		if why == "" {
			continue
		}
		o := Orphan{Kind: "container", Name: ContainerName(c.Slug), SessionID: c.SessionID, Why: why}
		if !running[c.Slug] {
			if err := s.sweep(ctx, c.Slug); err != nil {
				return report, err
			}
			faultpoint.Hit("reconcile.container")
			o.Removed = true
		}
		found(o)
	}
	for kind, slugs := range map[string][]string{"network": networks, "sockets": folders} {
		for _, slug := range slugs {
			if running[slug] {
				continue
			}
			why, err := s.orphaned(ctx, slug)
			if err != nil {
				return report, err
			}
			if why == "" {
				continue
			}
			if err := s.sweep(ctx, slug); err != nil {
				return report, err
			}
			faultpoint.Hit("reconcile." + kind)
			found(Orphan{Kind: kind, Name: slug, Why: why, Removed: true})
		}
	}
	held := map[string]bool{}
	for _, c := range claims {
		held[c.SessionID] = true
		why, err := s.orphaned(ctx, c.SessionID)
		if err != nil {
			return report, err
		}
		if why == "" {
			continue
		}
		storeCtx, cancel := context.WithTimeout(ctx, storeTimeout)
		err = s.o.Store.ReleaseClaims(storeCtx, c.SessionID)
		cancel()
		if fault.Is(err, fault.Conflict) {
			continue // active again in between: it is nobody's orphan
		}
		if err != nil {
			return report, err
		}
		faultpoint.Hit("reconcile.claim")
		found(Orphan{Kind: "claim", Name: c.Kind + " " + c.Key, SessionID: c.SessionID, Why: why, Removed: true})
	}
	for _, row := range active {
		if !held[row.ID] && row.CreatedAt.Before(report.At.Add(-time.Minute)) {
			found(Orphan{Kind: "row", Name: row.Slug, SessionID: row.ID, Why: "the session is active and holds no GPU or slot"})
		}
	}
	return report, nil
}

// noRow is why a running container is only reported: work may be in it.
const noRow = "no session of that name is recorded"

// orphaned says why what belongs to a session (by id or slug) should not be
// there; empty when it should.
func (s *Service) orphaned(ctx context.Context, ref string) (string, error) {
	row, err := s.get(ctx, ref)
	switch {
	case fault.Is(err, fault.NotFound):
		return noRow, nil
	case err != nil:
		return "", err
	case row.Status.Active():
		return "", nil
	case s.o.Now().Sub(row.StoppedAt).Abs() < time.Minute:
		// It ended while we looked, and what we saw of it went with it. One that
		// ends in an hour only shows that the clock was set back.
		return "", nil
	}
	return "the session is " + string(row.Status), nil
}

func (s *Service) claims(ctx context.Context) ([]ClaimRow, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return s.o.Store.Claims(ctx)
}

// strayWorkspaces lists workspaces that no row names. They are only ever
// reported: they hold somebody's files.
func (s *Service) strayWorkspaces(ctx context.Context) ([]Orphan, error) {
	refs, err := s.o.Workspaces.List(ctx)
	if err != nil {
		return nil, err
	}
	var out []Orphan
	for _, r := range refs {
		row, err := s.get(ctx, r.SessionID)
		if fault.Is(err, fault.NotFound) || (err == nil && row.UserID != r.UserID) {
			out = append(out, Orphan{Kind: "workspace", Name: r.UserID + "/" + r.SessionID, SessionID: r.SessionID, Why: noRow})
			continue
		}
		if err != nil {
			return out, err
		}
	}
	return out, nil
}
