package account

import (
	"context"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
)

// touchEvery is how old the store's last use of a credential may become.
const touchEvery = 5 * time.Minute

// SignOut ends the credential that let the actor in, and what came from it. In
// memory it has ended even when an error is returned. Errors: Unauthenticated.
func (s *Service) SignOut(ctx context.Context, a auth.Actor) error {
	if a.CredentialID == "" {
		return errNotSignedIn
	}
	err := s.endOne(ctx, a.CredentialID)
	s.publish(event.Event{Type: event.SignedOut, UserID: a.UserID, ActorID: a.UserID})
	return err
}

func (s *Service) endOne(ctx context.Context, id string) error {
	s.table.end(func(e *Entry) bool { return e.cred.ID == id })
	return s.forget(ctx, id)
}

// endAll ends all of a user's credentials except keepID (empty: all), in
// memory first.
func (s *Service) endAll(ctx context.Context, userID, keepID string) error {
	gone := s.table.end(func(e *Entry) bool { return e.cred.UserID == userID && e.cred.ID != keepID })
	s.tickets.drop(userID)
	err := s.store.DeleteUserCredentials(ctx, userID, keepID)
	if err != nil {
		s.mu.Lock()
		for _, e := range gone {
			s.undone[e.cred.ID] = true
		}
		s.mu.Unlock()
	}
	return err
}

// EndSessionHost ends every cookie of a session's host. The lifecycle calls it
// when the session is over.
func (s *Service) EndSessionHost(ctx context.Context, sessionID string) error {
	gone := s.table.end(func(e *Entry) bool { return e.cred.SessionID == sessionID && sessionID != "" })
	var first error
	for _, e := range gone {
		if err := s.forget(ctx, e.cred.ID); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// isOf reports whether the entry is one of those that are listed as kind.
// Browsers are those signed in on MedForge's own host, and those that are
// signed in on a session's host only, by a link made over the socket or with a
// token: no other entry of the list stands for them.
func (e *Entry) isOf(kind CredentialKind) bool {
	alone := e.cred.Kind == SessionHostCredential && (e.parent == nil || e.parent.cred.Kind != BrowserCredential)
	return e.cred.Kind == kind || kind == BrowserCredential && alone
}

// Credentials lists the actor's own browsers or tokens, newest use as it is in
// memory. Errors: Unauthenticated; Denied from inside a session.
func (s *Service) Credentials(ctx context.Context, a auth.Actor, kind CredentialKind) ([]Credential, error) {
	if err := personal(a); err != nil {
		return nil, err
	}
	all, err := s.store.ListCredentials(ctx, a.UserID)
	if err != nil {
		return nil, err
	}
	now, out := s.now(), []Credential{}
	for _, c := range all {
		e := s.table.get(c.ID)
		if e == nil || !e.isOf(kind) || e.expired(now, s.idle) {
			continue
		}
		c.LastUsed = time.Unix(e.used.Load(), 0).UTC()
		out = append(out, c)
	}
	return out, nil
}

// EndCredential ends one of the actor's own browsers or tokens.
// Errors: NotFound "auth/credential-not-found".
func (s *Service) EndCredential(ctx context.Context, a auth.Actor, kind CredentialKind, id string) error {
	if err := personal(a); err != nil {
		return err
	}
	e := s.table.get(id)
	if e == nil || e.cred.UserID != a.UserID || !e.isOf(kind) {
		return fault.New(fault.NotFound, "auth/credential-not-found", "there is no %s of yours with the id %q", kind, id)
	}
	err := s.endOne(ctx, id)
	s.publish(event.Event{Type: event.SignedOut, UserID: a.UserID, ActorID: a.UserID,
		Data: map[string]any{"credential_id": id, "kind": string(e.cred.Kind)}})
	return err
}

// EndOtherBrowsers signs the actor out everywhere but where the actor is, and
// returns how many browsers that ended. Tokens stand. In memory they have
// ended even when an error is returned.
func (s *Service) EndOtherBrowsers(ctx context.Context, a auth.Actor) (int, error) {
	if err := personal(a); err != nil {
		return 0, err
	}
	s.tickets.drop(a.UserID) // a link that is still open would be one more
	browsers := 0
	gone := s.table.end(func(e *Entry) bool {
		return e.cred.UserID == a.UserID && e.cred.ID != a.CredentialID && e.isOf(BrowserCredential)
	})
	var first error
	for _, e := range gone {
		if e.isOf(BrowserCredential) {
			browsers++
		}
		if err := s.forget(ctx, e.cred.ID); err != nil && first == nil {
			first = err
		}
	}
	s.publish(event.Event{Type: event.SignedOut, UserID: a.UserID, ActorID: a.UserID, Data: map[string]any{"others": browsers}})
	return browsers, first
}

// personal refuses whoever is nobody or sits in a session: what runs there must
// not reach the owner's other credentials.
func personal(a auth.Actor) error {
	switch {
	case a.UserID == "":
		return errNotSignedIn
	case a.Via == auth.ViaSession:
		return errInSession
	}
	return nil
}

// Run ends what has expired and writes down uses, every half minute, until ctx
// ends.
func (s *Service) Run(ctx context.Context) {
	t := time.NewTicker(30 * time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			s.sweep(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			s.touchAll(last, 0)
			return
		}
	}
}

func (s *Service) sweep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	now := s.now()
	gone := s.table.end(func(e *Entry) bool { return e.expired(now, s.idle) })
	s.mu.Lock()
	ids := make([]string, 0, len(gone)+len(s.undone))
	for id := range s.undone {
		ids = append(ids, id)
	}
	clear(s.undone)
	s.mu.Unlock()
	for _, e := range gone {
		ids = append(ids, e.cred.ID)
	}
	for _, id := range ids {
		s.forget(ctx, id)
	}
	s.touchAll(ctx, touchEvery)
	s.tickets.sweep(now)
	s.throttle.sweep(now)
	if err := s.store.DeleteExpired(ctx, now); err != nil {
		s.logger.Warn("expired credentials stay in the database for now", "error", err)
	}
}

// touchAll writes down the uses that are newer than the store's by at least
// that much.
func (s *Service) touchAll(ctx context.Context, by time.Duration) {
	for _, e := range s.table.all() {
		if e.held.Load() > 0 {
			e.touch(s.now())
		}
		used := e.used.Load()
		if used == e.saved || used-e.saved < int64(by/time.Second) {
			continue
		}
		if err := s.store.TouchCredential(ctx, e.cred.ID, time.Unix(used, 0).UTC()); err != nil {
			if !fault.Is(err, fault.NotFound) {
				return // the store does not answer; next time
			}
			continue
		}
		e.saved = used
	}
}
