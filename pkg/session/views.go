package session

import (
	"context"
	"io"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

// Get finds a session by id or slug. Somebody else's is NotFound, so that
// nobody learns which slugs are in use; an admin sees all.
func (s *Service) Get(ctx context.Context, a auth.Actor, ref string) (Session, error) {
	if !a.Known() {
		return Session{}, notSignedIn()
	}
	row, err := s.get(ctx, ref)
	if err == nil && (!a.Owns(row.UserID) || (a.Via == auth.ViaSession && a.SessionID != row.ID)) {
		err = fault.New(fault.NotFound, "sessions/not-found", "")
	}
	if fault.Is(err, fault.NotFound) {
		return Session{}, fault.New(fault.NotFound, "sessions/not-found",
			"There is no session %q that you may see. The command medforge session list shows yours.", printable(ref))
	}
	return row, err
}

// Current returns the caller's newest active session; false when there is none.
func (s *Service) Current(ctx context.Context, a auth.Actor) (Session, bool, error) {
	if !a.Known() {
		return Session{}, false, notSignedIn()
	}
	if a.Via == auth.ViaSession {
		row, err := s.get(ctx, a.SessionID)
		return row, err == nil, err
	}
	rows, err := s.list(ctx, Filter{UserID: a.UserID, Statuses: []Status{Starting, Running, Stopping}, Limit: 1})
	if err != nil || len(rows) == 0 {
		return Session{}, false, err
	}
	return rows[0], true, nil
}

// ListQuery chooses a page of sessions, newest first.
type ListQuery struct {
	All   bool   // everybody's; admins only
	Limit int    // 1 to 500
	After string // id of the last one of the page before
}

// List returns a page and whether there is more. Errors: Denied (All).
func (s *Service) List(ctx context.Context, a auth.Actor, q ListQuery) ([]Session, bool, error) {
	if !a.Known() {
		return nil, false, notSignedIn()
	}
	f := Filter{UserID: a.UserID, Limit: q.Limit + 1, After: q.After}
	if q.All {
		if err := adminOnly(a); err != nil {
			return nil, false, err
		}
		f.UserID = ""
	}
	rows, err := s.list(ctx, f)
	if err != nil {
		return nil, false, err
	}
	if len(rows) > q.Limit {
		return rows[:q.Limit], true, nil
	}
	return rows, false, nil
}

// Log opens the session's output; see Runtime.Log. The caller closes it.
func (s *Service) Log(ctx context.Context, a auth.Actor, ref string, tail int, follow bool) (io.ReadCloser, error) {
	row, err := s.Get(ctx, a, ref)
	if err != nil {
		return nil, err
	}
	return s.o.Runtime.Log(ctx, row.Slug, tail, follow && row.Status.Active())
}

// Snapshots lists a session's snapshots, oldest first.
func (s *Service) Snapshots(ctx context.Context, a auth.Actor, ref string) ([]Snapshot, error) {
	row, err := s.Get(ctx, a, ref)
	if err != nil {
		return nil, err
	}
	return s.o.Workspaces.Snapshots(ctx, row.Ref())
}

// Usage returns the space that a session's workspace takes.
func (s *Service) Usage(ctx context.Context, a auth.Actor, ref string) (Usage, error) {
	row, err := s.Get(ctx, a, ref)
	if err != nil {
		return Usage{}, err
	}
	return s.o.Workspaces.Usage(ctx, row.Ref())
}

func (s *Service) list(ctx context.Context, f Filter) ([]Session, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return s.o.Store.List(ctx, f)
}

func notSignedIn() error {
	return fault.New(fault.Unauthenticated, "auth/not-signed-in", "You are not signed in.")
}

func adminOnly(a auth.Actor) error {
	if !a.Known() {
		return notSignedIn()
	}
	if !a.Admin() {
		return fault.New(fault.Denied, "auth/admins-only", "Only an admin may do this.")
	}
	return nil
}
