package account

import (
	"context"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

const (
	ticketLife = 60 * time.Second
	ticketMax  = 4096 // outstanding at once; a ticket is some 200 bytes
	ticketUser = 32   // of one user's: one more takes the oldest's place
)

// ticket is a one-time link to one session's host. Only its hash is kept, and
// only in memory: a restarted daemon knows none.
type ticket struct {
	userID    string
	parentID  string
	sessionID string
	expires   time.Time
}

type tickets struct {
	mu   sync.Mutex
	open map[[32]byte]ticket
}

func newTickets() *tickets { return &tickets{open: map[[32]byte]ticket{}} }

// take removes and returns it: whoever shows a ticket has used it up, in time
// or not, at the right host or not.
func (t *tickets) take(hash [32]byte) (ticket, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, ok := t.open[hash]
	delete(t.open, hash)
	return k, ok
}

func (t *tickets) put(hash [32]byte, k ticket) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	var oldest [32]byte
	own := 0
	for h, o := range t.open {
		if o.userID == k.userID {
			if own++; own == 1 || o.expires.Before(t.open[oldest].expires) {
				oldest = h
			}
		}
	}
	switch {
	case own >= ticketUser:
		delete(t.open, oldest)
	case len(t.open) >= ticketMax:
		return false
	}
	t.open[hash] = k
	return true
}

func (t *tickets) drop(userID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for h, k := range t.open {
		if k.userID == userID {
			delete(t.open, h)
		}
	}
}

func (t *tickets) sweep(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for h, k := range t.open {
		if !now.Before(k.expires) {
			delete(t.open, h)
		}
	}
}

// Ticket makes a one-time ticket, good for a minute, to the host of a session
// that belongs to ownerID. Errors: Unauthenticated; Denied
// "sessions/not-yours" when the actor is neither the owner nor an admin, or
// sits in another session; TooMany.
func (s *Service) Ticket(_ context.Context, a auth.Actor, sessionID, ownerID string) (string, time.Time, error) {
	switch {
	case a.UserID == "":
		return "", time.Time{}, errNotSignedIn
	case !a.Owns(ownerID), a.Via == auth.ViaSession && a.SessionID != sessionID:
		return "", time.Time{}, fault.New(fault.Denied, "sessions/not-yours",
			"only the session's owner and administrators may open it")
	}
	text, hash, err := newSecret(s.rand)
	if err != nil {
		return "", time.Time{}, err
	}
	k := ticket{userID: a.UserID, parentID: a.CredentialID, sessionID: sessionID, expires: s.now().Add(ticketLife)}
	if !s.tickets.put(hash, k) {
		s.tickets.sweep(s.now())
		if !s.tickets.put(hash, k) {
			return "", time.Time{}, fault.New(fault.TooMany, "auth/too-many-tickets",
				"too many one-time links are open; try again in a minute").After(ticketLife)
		}
	}
	return text, k.expires, nil
}

// Redeem turns a ticket into the cookie of that session's host: its secret and
// its absolute end. A ticket works once, within its minute, for its own session.
// label is the browser's user agent. Errors: Unauthenticated "auth/bad-ticket".
func (s *Service) Redeem(ctx context.Context, text, sessionID, label string) (secret string, expires time.Time, err error) {
	hash, ok := hashSecret(text)
	if !ok {
		return "", time.Time{}, errTicket
	}
	k, ok := s.tickets.take(hash)
	now := s.now()
	if !ok || !now.Before(k.expires) || k.sessionID != sessionID {
		return "", time.Time{}, errTicket
	}
	p, err := s.person(ctx, k.userID)
	if err != nil {
		return "", time.Time{}, err
	}
	if p.Load().Disabled {
		return "", time.Time{}, errDisabled
	}
	c := Credential{Kind: SessionHostCredential, UserID: k.userID, SessionID: k.sessionID,
		ParentID: k.parentID, Label: label, ExpiresAt: now.Add(s.absolute).UTC().Truncate(time.Millisecond)}
	if k.parentID != "" {
		parent := s.table.get(k.parentID)
		if parent == nil || parent.expired(now, s.idle) {
			return "", time.Time{}, errTicket
		}
		if end := parent.cred.ExpiresAt; !end.IsZero() && end.Before(c.ExpiresAt) {
			c.ExpiresAt = end
		}
	}
	secret, c, err = s.grantNew(ctx, c)
	return secret, c.ExpiresAt, err
}
