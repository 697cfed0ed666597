package account

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/netip"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
)

// Origin is where a sign-in comes from.
type Origin struct {
	Address netip.Addr // of the client, after trusted proxies
	Agent   string     // the browser's user agent, shown to its owner
}

// SignIn is a new browser credential.
type SignIn struct {
	User      User
	Actor     auth.Actor
	Secret    string    // the cookie's value; nowhere else
	ExpiresAt time.Time // the absolute end, for the cookie's Max-Age
}

// NewAccount is what a person sends to sign up.
type NewAccount struct {
	Email    string
	Password string
	Name     string // empty: the email's local part
	Invite   string // for SignUpInvite
}

// SignUp makes an account and signs in. Errors: Denied
// "accounts/signup-closed", "accounts/bad-invite"; Invalid with its fields;
// Exists "accounts/email-taken"; TooMany "auth/too-many-attempts".
func (s *Service) SignUp(ctx context.Context, n NewAccount, from Origin) (SignIn, error) {
	if s.signUp == SignUpClosed {
		return SignIn{}, fault.New(fault.Denied, "accounts/signup-closed",
			"accounts on this host are made by its administrators; ask one of them")
	}
	if err := s.throttle.tryAddress(from.Address, s.now()); err != nil {
		return SignIn{}, err
	}
	if s.signUp == SignUpInvite && !s.invited(n.Invite) {
		return SignIn{}, fault.New(fault.Denied, "accounts/bad-invite",
			"this host takes sign-ups with an invitation code only, and this is not one")
	}
	u, err := newUser(n.Email, n.Name, n.Password)
	if err != nil {
		return SignIn{}, err
	}
	if u.PasswordHash, err = s.hasher.hash(ctx, n.Password); err != nil {
		return SignIn{}, err
	}
	s.writing.Lock()
	u, err = s.create(ctx, u, auth.Actor{})
	s.writing.Unlock()
	if fault.Is(err, fault.Exists) {
		return SignIn{}, errEmailTaken
	}
	if err != nil {
		return SignIn{}, err
	}
	return s.enter(ctx, u, from)
}

var errEmailTaken = fault.New(fault.Exists, "accounts/email-taken",
	"there is an account with that email address already; sign in instead")

// newUser checks everything at once, so that all that is wrong is told.
func newUser(email, name, password string) (User, error) {
	u := User{Role: auth.RoleUser}
	var wrong []fault.Field
	note := func(err error) {
		if err != nil {
			wrong = append(wrong, fault.As(err).Fields...)
		}
	}
	var err error
	u.Email, err = NormalEmail(email)
	note(err)
	if name == "" && err == nil {
		name = nameFromEmail(u.Email)
	}
	if name != "" {
		u.Name, err = CleanName(name)
		note(err)
	}
	note(checkPassword("password", password))
	if len(wrong) > 0 {
		return u, fault.New(fault.Invalid, "accounts/invalid-account", "the account could not be made: %s: %s",
			wrong[0].Loc[len("body."):], wrong[0].Msg).With(wrong...)
	}
	return u, nil
}

func hashInvite(code string) [32]byte { return sha256.Sum256([]byte(code)) }

func (s *Service) invited(code string) bool {
	h, found := hashInvite(code), 0
	for _, want := range s.invites {
		found |= subtle.ConstantTimeCompare(h[:], want[:])
	}
	return found == 1 && code != ""
}

// SignIn checks an email address and a password. It takes as long when there
// is no such account. Errors: Unauthenticated "auth/bad-credentials"; Denied
// "auth/account-disabled" when the password is right; TooMany
// "auth/too-many-attempts", "auth/too-many-sign-ins", with RetryAfter.
func (s *Service) SignIn(ctx context.Context, email, password string, from Origin) (SignIn, error) {
	email, err := NormalEmail(email)
	if err != nil || len(password) > 4*passwordMax {
		return SignIn{}, errBadCredentials
	}
	if err := s.throttle.try(email, from.Address, s.now()); err != nil {
		return SignIn{}, err
	}
	u, err := s.store.UserByEmail(ctx, email)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return SignIn{}, err
	}
	right, stale, err := s.hasher.verify(ctx, password, u.PasswordHash)
	if err != nil {
		return SignIn{}, err
	}
	if !right {
		s.failed(u, from)
		return SignIn{}, errBadCredentials
	}
	s.throttle.right(email, from.Address, s.now())
	if u.Disabled {
		return SignIn{}, errDisabled
	}
	if stale {
		s.rehash(ctx, u, password)
	}
	return s.enter(ctx, u, from)
}

// failed tells of an attempt on an account that exists. What was typed as the
// address of one that does not may be anything, even a password: never kept.
func (s *Service) failed(u User, from Origin) {
	s.publish(event.Event{Type: event.SignInFailed, UserID: u.ID,
		Data: map[string]any{"address": from.Address.String()}})
}

// rehash brings the stored hash to the present parameters. The sign-in does not
// depend on it.
func (s *Service) rehash(ctx context.Context, u User, password string) {
	next, err := s.hasher.hash(ctx, password)
	if err == nil {
		_, err = s.change(ctx, u.ID, func(now *User) error {
			if now.PasswordHash == u.PasswordHash {
				now.PasswordHash = next
			}
			return nil
		})
	}
	if err != nil {
		s.logger.Warn("a password hash keeps its old parameters for now", "user", u.ID, "error", err)
	}
}

func (s *Service) enter(ctx context.Context, u User, from Origin) (SignIn, error) {
	secret, c, err := s.grantNew(ctx, Credential{Kind: BrowserCredential, UserID: u.ID, Label: from.Agent,
		ExpiresAt: s.now().Add(s.absolute).UTC().Truncate(time.Millisecond)})
	if err != nil {
		return SignIn{}, err
	}
	s.publish(event.Event{Type: event.SignedIn, UserID: u.ID, ActorID: u.ID,
		Data: map[string]any{"address": from.Address.String(), "credential_id": c.ID}})
	a := actorOf(&u, auth.ViaCookie)
	a.CredentialID = c.ID
	return SignIn{User: u, Actor: a, Secret: secret, ExpiresAt: c.ExpiresAt}, nil
}

// change reads an account, changes it and stores it, one at a time, and makes
// it what everybody sees.
func (s *Service) change(ctx context.Context, id string, f func(*User) error) (User, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	u, err := s.store.UserByID(ctx, id)
	if err != nil {
		return u, err
	}
	if err := f(&u); err != nil {
		return u, err
	}
	if err := s.store.UpdateUser(ctx, u); err != nil {
		return u, err
	}
	s.replace(u)
	return u, nil
}

// ChangePassword sets a new password and ends every other credential of the
// account. Whoever calls on the socket and has no password yet needs no current
// one. Errors: Denied "auth/wrong-password" (not Unauthenticated: the caller
// stays signed in); Invalid "accounts/invalid-password"; TooMany; Denied from inside a session.
func (s *Service) ChangePassword(ctx context.Context, a auth.Actor, current, next string, from Origin) error {
	if err := personal(a); err != nil {
		return err
	}
	if err := checkPassword("new", next); err != nil {
		return err
	}
	u, err := s.store.UserByID(ctx, a.UserID)
	if err != nil {
		return err
	}
	if u.PasswordHash != "" || a.Via != auth.ViaSocket {
		key := "id:" + u.ID
		if err := s.throttle.try(key, from.Address, s.now()); err != nil {
			return err
		}
		right, _, err := s.hasher.verify(ctx, current, u.PasswordHash)
		if err != nil {
			return err
		}
		if !right {
			s.failed(u, from)
			return fault.New(fault.Denied, "auth/wrong-password", "the current password is wrong")
		}
		s.throttle.right(key, from.Address, s.now())
	}
	hash, err := s.hasher.hash(ctx, next)
	if err != nil {
		return err
	}
	if _, err := s.change(ctx, u.ID, func(now *User) error {
		if now.PasswordHash != u.PasswordHash {
			return fault.New(fault.Conflict, "accounts/password-changed-meanwhile", "the password was changed by somebody else just now")
		}
		now.PasswordHash = hash
		return nil
	}); err != nil {
		return err
	}
	s.publish(event.Event{Type: event.AccountChanged, UserID: u.ID, ActorID: a.UserID, Data: map[string]any{"changed": "password"}})
	return s.endAll(ctx, u.ID, a.CredentialID)
}
