package account

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
)

// SignUpMode says who may make an account over the web.
type SignUpMode string

// The modes.
const (
	SignUpClosed SignUpMode = "closed" // only admins make accounts
	SignUpInvite SignUpMode = "invite" // whoever has one of the invitation codes
	SignUpOpen   SignUpMode = "open"
)

// Options make a Service. Store is needed; the rest has defaults.
type Options struct {
	Store   Store
	SignUp  SignUpMode // empty is SignUpClosed
	Invites []string   // codes for SignUpInvite; each may be used by many
	// Idle is how long a browser may stay away (default 7 days), Absolute how
	// long it stays signed in at most (default 30 days). Tokens have their own.
	Idle     time.Duration
	Absolute time.Duration
	Password PasswordParams // zero is DefaultPasswordParams
	Publish  func(event.Event) event.Event
	Logger   *slog.Logger
	Now      func() time.Time
	Rand     io.Reader
	// UnixName turns a uid into a login name; nil asks the system.
	UnixName func(uid uint32) (string, error)
}

// Service lets people in. Every credential that stands is in memory, loaded at
// the start and written through, so that checking one needs no database.
type Service struct {
	store    Store
	signUp   SignUpMode
	invites  [][32]byte
	idle     time.Duration
	absolute time.Duration
	publish  func(event.Event) event.Event
	logger   *slog.Logger
	now      func() time.Time
	rand     io.Reader
	hasher   *hasher
	throttle *throttle
	unix     *unixNames
	tickets  *tickets
	table    *table

	mu      sync.Mutex
	people  map[string]*person // by user id; grown on demand
	undone  map[string]bool    // credential ids ended in memory that the store still has
	writing sync.Mutex         // one change of an account at a time
}

// New loads every credential that stands. Errors: the Store's.
func New(ctx context.Context, o Options) (*Service, error) {
	s := &Service{
		store: o.Store, signUp: o.SignUp, idle: o.Idle, absolute: o.Absolute,
		publish: o.Publish, logger: o.Logger, now: o.Now, rand: o.Rand,
		table: newTable(), tickets: newTickets(), throttle: newThrottle(), unix: newUnixNames(o.UnixName),
		people: map[string]*person{}, undone: map[string]bool{},
	}
	if s.publish == nil {
		s.publish = func(e event.Event) event.Event { return e }
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.rand == nil {
		s.rand = rand.Reader
	}
	if s.signUp == "" {
		s.signUp = SignUpClosed
	}
	if s.idle <= 0 {
		s.idle = 7 * 24 * time.Hour
	}
	if s.absolute <= 0 {
		s.absolute = 30 * 24 * time.Hour
	}
	for _, code := range o.Invites {
		s.invites = append(s.invites, hashInvite(code))
	}
	var err error
	if s.hasher, err = newHasher(o.Password, s.rand); err != nil {
		return nil, err
	}
	return s, s.load(ctx)
}

func (s *Service) load(ctx context.Context) error {
	all, err := s.store.AllCredentials(ctx, s.now())
	if err != nil {
		return err
	}
	// Parents first: a child without its parent does not stand.
	for _, children := range []bool{false, true} {
		for _, c := range all {
			if (c.ParentID != "") != children {
				continue
			}
			if c.LastUsed.IsZero() {
				c.LastUsed = c.CreatedAt
			}
			p, err := s.person(ctx, c.UserID)
			if fault.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			s.table.add(c, p)
		}
	}
	return nil
}

// person returns the account from memory, or asks the store once.
func (s *Service) person(ctx context.Context, id string) (*person, error) {
	s.mu.Lock()
	p := s.people[id]
	s.mu.Unlock()
	if p != nil {
		return p, nil
	}
	u, err := s.store.UserByID(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.remember(u), nil
}

// remember keeps the account as it is now for all its entries to see. It keeps
// what it has already unless told to replace it: the store may have been asked
// before a change that is in memory by now.
func (s *Service) remember(u User) *person {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.people[u.ID]
	if p == nil {
		p = &person{}
		p.Store(&u)
		s.people[u.ID] = p
	}
	return p
}

// replace makes u what every entry of the account sees from now on.
func (s *Service) replace(u User) {
	s.remember(u).Store(&u)
}

// User returns an account by id. Errors: NotFound.
func (s *Service) User(ctx context.Context, id string) (User, error) {
	p, err := s.person(ctx, id)
	if err != nil {
		return User{}, err
	}
	return *p.Load(), nil
}

// Me returns the actor's own account. Errors: Unauthenticated.
func (s *Service) Me(ctx context.Context, a auth.Actor) (User, error) {
	if a.UserID == "" {
		return User{}, errNotSignedIn
	}
	return s.User(ctx, a.UserID)
}

func actorOf(u *User, via auth.Via) auth.Actor {
	return auth.Actor{UserID: u.ID, Name: u.Name, Role: u.Role, Via: via}
}

func (s *Service) newID() (string, error) {
	id, err := uuid.NewRandomFromReader(s.rand)
	if err != nil {
		return "", fault.Wrap(err, fault.Internal, "accounts/no-randomness", "no id could be made")
	}
	return id.String(), nil
}

// grantNew makes a credential, in the store first, and returns its secret.
func (s *Service) grantNew(ctx context.Context, c Credential) (string, Credential, error) {
	id, err := s.newID()
	if err != nil {
		return "", c, err
	}
	text, hash, err := newSecret(s.rand)
	if err != nil {
		return "", c, err
	}
	p, err := s.person(ctx, c.UserID)
	if err != nil {
		return "", c, err
	}
	now := s.now().UTC().Truncate(time.Millisecond)
	c.ID, c.Hash, c.CreatedAt, c.LastUsed = id, hash, now, now
	c.Label = cleanLabel(c.Label)
	if err := s.store.CreateCredential(ctx, c); err != nil {
		return "", c, err
	}
	e, ok := s.table.add(c, p)
	if !ok || p.Load().Disabled { // its parent or account was ended meanwhile
		if ok {
			s.table.end(func(o *Entry) bool { return o == e })
		}
		s.forget(ctx, c.ID)
		return "", c, errNotSignedIn
	}
	return text, c, nil
}

// forget deletes a credential from the store. What the store does not take now
// is tried again by the sweeper: in memory the credential has ended already.
func (s *Service) forget(ctx context.Context, id string) error {
	err := s.store.DeleteCredential(ctx, id)
	if err == nil || fault.Is(err, fault.NotFound) {
		return nil
	}
	s.mu.Lock()
	s.undone[id] = true
	s.mu.Unlock()
	if !errors.Is(err, context.Canceled) {
		s.logger.Warn("a credential that has ended is still in the database", "credential", id, "error", err)
	}
	return err
}

// SignUpMode says who may make an account over the web.
func (s *Service) SignUpMode() SignUpMode { return s.signUp }
