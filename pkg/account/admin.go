package account

import (
	"context"
	"strings"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
)

// ListUsers is a page of the accounts, oldest first. Errors: Denied.
func (s *Service) ListUsers(ctx context.Context, a auth.Actor, after string, limit int) ([]User, error) {
	if !a.Admin() {
		return nil, errAdminOnly
	}
	return s.store.ListUsers(ctx, after, limit)
}

// FindUser finds an account by id, email address or Unix name. Errors: Denied;
// NotFound "accounts/user-not-found".
func (s *Service) FindUser(ctx context.Context, a auth.Actor, ref string) (User, error) {
	if !a.Admin() {
		return User{}, errAdminOnly
	}
	ref = strings.TrimSpace(ref)
	for _, find := range []func(context.Context, string) (User, error){
		s.store.UserByID, s.store.UserByUnixName,
		func(ctx context.Context, ref string) (User, error) {
			return s.store.UserByEmail(ctx, strings.ToLower(ref))
		},
	} {
		if ref == "" {
			break
		}
		if u, err := find(ctx, ref); !fault.Is(err, fault.NotFound) {
			return u, err
		}
	}
	return User{}, fault.New(fault.NotFound, "accounts/user-not-found",
		"there is no account with the id, email address or Unix name %q; see `medforge admin user list`", ref)
}

// UserSpec is an account that an admin makes: an email address, a Unix name, or
// both.
type UserSpec struct {
	Email        string
	UnixName     string
	Name         string
	Role         auth.Role
	SessionLimit int
	Password     string // empty with an email: one is made up
}

// CreateUser makes an account, and a password when it has an email address and
// none was given, to hand over once. Errors: Denied; Invalid with its fields;
// Exists "accounts/email-taken", "accounts/unix-name-taken".
func (s *Service) CreateUser(ctx context.Context, a auth.Actor, n UserSpec) (u User, password string, err error) {
	if !a.Admin() {
		return u, "", errAdminOnly
	}
	made := n.Email != "" && n.Password == ""
	if made {
		if n.Password, _, err = newSecret(s.rand); err != nil {
			return u, "", err
		}
	}
	switch {
	case n.Email != "":
		u, err = newUser(n.Email, n.Name, n.Password)
	case n.UnixName == "":
		err = invalid("email", "accounts/invalid-account", "an account needs an email address or a Unix name")
	case n.Password != "":
		err = invalid("password", "accounts/invalid-account", "a password needs an email address to sign in with")
	default:
		if n.Name == "" {
			n.Name = n.UnixName
		}
		u.Name, err = CleanName(n.Name)
	}
	if err == nil {
		u.UnixName, u.Role, u.SessionLimit = n.UnixName, n.Role, n.SessionLimit
		err = checkAdminFields(&u)
	}
	if err == nil && u.UnixName != "" {
		err = checkUnixName(u.UnixName)
	}
	if err != nil {
		return u, "", err
	}
	if n.Password != "" {
		if u.PasswordHash, err = s.hasher.hash(ctx, n.Password); err != nil {
			return u, "", err
		}
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.free(ctx, u); err != nil {
		return u, "", err
	}
	u, err = s.create(ctx, u, a)
	if err != nil || !made {
		n.Password = ""
	}
	return u, n.Password, err
}

func checkAdminFields(u *User) error {
	if u.Role == "" {
		u.Role = auth.RoleUser
	}
	switch {
	case u.Role != auth.RoleUser && u.Role != auth.RoleAdmin:
		return invalid("role", "accounts/invalid-role", `a role is "user" or "admin"`)
	case u.SessionLimit < 0:
		return invalid("session_limit", "accounts/invalid-limit", "a limit of sessions is 0 (the host's) or more")
	case u.UnixName == rootName && u.Role != auth.RoleAdmin:
		return invalid("role", "accounts/invalid-role", "root is always an admin")
	}
	return nil
}

// free says which of an account's names is taken by another, before the store
// only says that one is.
func (s *Service) free(ctx context.Context, u User) error {
	if u.Email != "" {
		switch other, err := s.store.UserByEmail(ctx, u.Email); {
		case err == nil && other.ID != u.ID:
			return errEmailTaken
		case err != nil && !fault.Is(err, fault.NotFound):
			return err
		}
	}
	if u.UnixName != "" {
		switch other, err := s.store.UserByUnixName(ctx, u.UnixName); {
		case err == nil && other.ID != u.ID:
			return fault.New(fault.Exists, "accounts/unix-name-taken",
				"the Unix user %s has the account %s already; move the name to let that account go without it", u.UnixName, other.ID)
		case err != nil && !fault.Is(err, fault.NotFound):
			return err
		}
	}
	return nil
}

// UserChange is what an admin sets; nil fields stay as they are.
type UserChange struct {
	Role         *auth.Role
	SessionLimit *int
	Disabled     *bool
	Name         *string
	Email        *string
	// UnixName links the account with that Unix user; "" unlinks.
	UnixName *string
	// MoveUnixName takes the name from the account that has it. That account is
	// kept with all its things, without a Unix name; admins still see them.
	MoveUnixName bool
	// ResetPassword makes up a new password, to hand over once.
	ResetPassword bool
}

// SetUser changes an account. Disabling it, resetting its password, or taking
// the admin's role away ends its credentials at once, open connections
// included. Errors: Denied; NotFound; Invalid; Exists as CreateUser; Conflict
// "accounts/root" for disabling or renaming root.
func (s *Service) SetUser(ctx context.Context, a auth.Actor, id string, c UserChange) (u User, password string, err error) {
	if !a.Admin() {
		return u, "", errAdminOnly
	}
	var hash string
	if c.ResetPassword {
		if password, _, err = newSecret(s.rand); err != nil {
			return u, "", err
		}
		if hash, err = s.hasher.hash(ctx, password); err != nil {
			return u, "", err
		}
	}
	if c.UnixName != nil && c.MoveUnixName && *c.UnixName != "" {
		if err := s.unlinkOther(ctx, a, id, *c.UnixName); err != nil {
			return u, "", err
		}
	}
	var before User
	u, err = s.change(ctx, id, func(u *User) error {
		before = *u
		return s.apply(ctx, u, c, hash)
	})
	if err != nil {
		return u, "", err
	}
	s.publish(event.Event{Type: event.AccountChanged, UserID: u.ID, ActorID: a.UserID, Data: changed(before, u)})
	demoted := before.Role == auth.RoleAdmin && u.Role != auth.RoleAdmin
	if u.Disabled || c.ResetPassword || demoted {
		keep := ""
		if a.UserID == u.ID && !u.Disabled {
			keep = a.CredentialID
		}
		err = s.endAll(ctx, u.ID, keep)
	}
	return u, password, err
}

func (s *Service) apply(ctx context.Context, u *User, c UserChange, hash string) (err error) {
	if u.UnixName == rootName && ((c.Disabled != nil && *c.Disabled) || (c.UnixName != nil && *c.UnixName != rootName)) {
		return fault.New(fault.Conflict, "accounts/root", "root's account cannot be disabled or unlinked: root owns this host")
	}
	if c.Email != nil {
		if u.Email, err = NormalEmail(*c.Email); err != nil {
			return err
		}
	}
	if c.Name != nil {
		if u.Name, err = CleanName(*c.Name); err != nil {
			return err
		}
	}
	if c.UnixName != nil && *c.UnixName != "" && *c.UnixName != u.UnixName {
		if err := checkUnixName(*c.UnixName); err != nil {
			return err
		}
	}
	set(&u.Role, c.Role)
	set(&u.SessionLimit, c.SessionLimit)
	set(&u.Disabled, c.Disabled)
	set(&u.UnixName, c.UnixName)
	if u.UnixName == "" && u.Email == "" {
		return invalid("unix_name", "accounts/invalid-account", "nobody could use the account: it needs an email address or a Unix name")
	}
	if hash != "" {
		if u.Email == "" {
			return invalid("reset_password", "accounts/invalid-account", "a password needs an email address to sign in with")
		}
		u.PasswordHash = hash
	}
	if err := checkAdminFields(u); err != nil {
		return err
	}
	return s.free(ctx, *u)
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// unlinkOther takes a Unix name from the account that has it.
func (s *Service) unlinkOther(ctx context.Context, a auth.Actor, id, name string) error {
	other, err := s.store.UserByUnixName(ctx, name)
	if fault.Is(err, fault.NotFound) || (err == nil && other.ID == id) {
		return nil
	}
	if err != nil {
		return err
	}
	if name == rootName {
		return fault.New(fault.Conflict, "accounts/root", "root's name cannot be moved to another account")
	}
	u, err := s.change(ctx, other.ID, func(u *User) error { u.UnixName = ""; return nil })
	if err == nil {
		s.publish(event.Event{Type: event.AccountChanged, UserID: u.ID, ActorID: a.UserID, Data: changed(other, u)})
	}
	return err
}

// changed names what an admin changed, with new values that are no secret.
func changed(before, after User) map[string]any {
	d := map[string]any{}
	if before.Role != after.Role {
		d["role"] = string(after.Role)
	}
	if before.Disabled != after.Disabled {
		d["disabled"] = after.Disabled
	}
	if before.SessionLimit != after.SessionLimit {
		d["session_limit"] = after.SessionLimit
	}
	if before.UnixName != after.UnixName {
		d["unix_name"] = after.UnixName
	}
	if before.Name != after.Name {
		d["name"] = after.Name
	}
	if before.Email != after.Email {
		d["email_changed"] = true
	}
	if before.PasswordHash != after.PasswordHash {
		d["password_reset"] = true
	}
	return d
}
