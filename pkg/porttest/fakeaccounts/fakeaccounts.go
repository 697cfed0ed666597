// Package fakeaccounts is account.Store in memory, for unit tests of what
// stands on it.
package fakeaccounts

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/fault"
)

// Store keeps accounts and credentials in memory. The zero Store is empty.
type Store struct {
	mu          sync.Mutex
	users       map[string]account.User
	credentials map[string]account.Credential
	down        bool
	calls       int
}

var _ account.Store = (*Store)(nil)

// SetDown makes every call fail as Unavailable, as a lost database does.
func (s *Store) SetDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// Calls is how often the store was asked anything.
func (s *Store) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// enter is every method's beginning; the caller unlocks.
func (s *Store) enter(ctx context.Context) error {
	s.mu.Lock()
	s.calls++
	if s.users == nil {
		s.users, s.credentials = map[string]account.User{}, map[string]account.Credential{}
	}
	if s.down || ctx.Err() != nil {
		return fault.New(fault.Unavailable, "store/unavailable", "the database does not answer")
	}
	return nil
}

func noUser() error {
	return fault.New(fault.NotFound, "accounts/not-found", "there is no such account")
}

func noCredential() error {
	return fault.New(fault.NotFound, "accounts/no-credential", "there is no such token or sign-in")
}

func (s *Store) taken(u account.User) error {
	for id, o := range s.users {
		if id != u.ID && ((u.Email != "" && o.Email == u.Email) || (u.UnixName != "" && o.UnixName == u.UnixName)) {
			return fault.New(fault.Exists, "accounts/exists", "there is an account with that email address or Unix name already")
		}
	}
	return nil
}

// CreateUser adds an account.
func (s *Store) CreateUser(ctx context.Context, u account.User) error {
	err := s.enter(ctx)
	defer s.mu.Unlock()
	if err != nil {
		return err
	}
	if _, there := s.users[u.ID]; there {
		return fault.New(fault.Exists, "accounts/exists", "there is an account with that id already")
	}
	if err := s.taken(u); err != nil {
		return err
	}
	s.users[u.ID] = u
	return nil
}

// UpdateUser writes all of an account's fields but when it was made.
func (s *Store) UpdateUser(ctx context.Context, u account.User) error {
	err := s.enter(ctx)
	defer s.mu.Unlock()
	if err != nil {
		return err
	}
	old, there := s.users[u.ID]
	if !there {
		return noUser()
	}
	if err := s.taken(u); err != nil {
		return err
	}
	u.CreatedAt = old.CreatedAt
	s.users[u.ID] = u
	return nil
}

func (s *Store) user(ctx context.Context, is func(account.User) bool) (account.User, error) {
	err := s.enter(ctx)
	defer s.mu.Unlock()
	if err != nil {
		return account.User{}, err
	}
	for _, u := range s.users {
		if is(u) {
			return u, nil
		}
	}
	return account.User{}, noUser()
}

// UserByID finds an account.
func (s *Store) UserByID(ctx context.Context, id string) (account.User, error) {
	return s.user(ctx, func(u account.User) bool { return u.ID == id })
}

// UserByEmail finds an account by its exact, lower-case address.
func (s *Store) UserByEmail(ctx context.Context, email string) (account.User, error) {
	return s.user(ctx, func(u account.User) bool { return u.Email == email && email != "" })
}

// UserByUnixName finds the account of a Unix user.
func (s *Store) UserByUnixName(ctx context.Context, name string) (account.User, error) {
	return s.user(ctx, func(u account.User) bool { return u.UnixName == name && name != "" })
}

// ListUsers returns accounts, oldest first, after the account with that id.
func (s *Store) ListUsers(ctx context.Context, after string, limit int) ([]account.User, error) {
	err := s.enter(ctx)
	defer s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	order := func(a, b account.User) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	}
	last, there := s.users[after]
	if after != "" && !there {
		return nil, fault.New(fault.Invalid, "pagination/invalid-cursor", "there is no such place in the list")
	}
	var out []account.User
	for _, u := range s.users {
		if after == "" || order(u, last) > 0 {
			out = append(out, u)
		}
	}
	slices.SortFunc(out, order)
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out, nil
}

// CreateCredential keeps one. Errors: Exists, NotFound (the user).
func (s *Store) CreateCredential(ctx context.Context, c account.Credential) error {
	err := s.enter(ctx)
	defer s.mu.Unlock()
	if err != nil {
		return err
	}
	if _, there := s.users[c.UserID]; !there {
		return noUser()
	}
	for _, o := range s.credentials {
		if o.ID == c.ID || o.Hash == c.Hash {
			return fault.New(fault.Exists, "accounts/exists", "there is such a credential already")
		}
	}
	s.credentials[c.ID] = c
	return nil
}

// CredentialByHash finds one.
func (s *Store) CredentialByHash(ctx context.Context, hash [32]byte) (account.Credential, error) {
	out, err := s.list(ctx, func(c account.Credential) bool { return c.Hash == hash })
	if err != nil || len(out) == 0 {
		return account.Credential{}, cmp.Or(err, noCredential())
	}
	return out[0], nil
}

func (s *Store) list(ctx context.Context, is func(account.Credential) bool) ([]account.Credential, error) {
	err := s.enter(ctx)
	defer s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var out []account.Credential
	for _, c := range s.credentials {
		if is(c) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b account.Credential) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// ListCredentials returns a user's, oldest first.
func (s *Store) ListCredentials(ctx context.Context, userID string) ([]account.Credential, error) {
	return s.list(ctx, func(c account.Credential) bool { return c.UserID == userID })
}

// AllCredentials returns every one that has not expired.
func (s *Store) AllCredentials(ctx context.Context, now time.Time) ([]account.Credential, error) {
	return s.list(ctx, func(c account.Credential) bool { return c.ExpiresAt.IsZero() || c.ExpiresAt.After(now) })
}

// TouchCredential records a use.
func (s *Store) TouchCredential(ctx context.Context, id string, at time.Time) error {
	err := s.enter(ctx)
	defer s.mu.Unlock()
	if err != nil {
		return err
	}
	c, there := s.credentials[id]
	if !there {
		return noCredential()
	}
	if at.After(c.LastUsed) {
		c.LastUsed = at
		s.credentials[id] = c
	}
	return nil
}

func (s *Store) remove(ctx context.Context, need string, gone func(account.Credential) bool) error {
	err := s.enter(ctx)
	defer s.mu.Unlock()
	if err != nil {
		return err
	}
	if _, there := s.credentials[need]; need != "" && !there {
		return noCredential()
	}
	for id, c := range s.credentials {
		if gone(c) {
			delete(s.credentials, id)
		}
	}
	return nil
}

// DeleteCredential ends one and those that came from it.
func (s *Store) DeleteCredential(ctx context.Context, id string) error {
	return s.remove(ctx, id, func(c account.Credential) bool { return c.ID == id || c.ParentID == id })
}

// DeleteUserCredentials ends all of a user's except keepID (empty: all).
func (s *Store) DeleteUserCredentials(ctx context.Context, userID, keepID string) error {
	return s.remove(ctx, "", func(c account.Credential) bool {
		return c.UserID == userID && (keepID == "" || c.ID != keepID)
	})
}

// DeleteExpired forgets what expired before then.
func (s *Store) DeleteExpired(ctx context.Context, before time.Time) error {
	return s.remove(ctx, "", func(c account.Credential) bool { return !c.ExpiresAt.IsZero() && c.ExpiresAt.Before(before) })
}
