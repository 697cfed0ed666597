package porttest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

// AccountStore checks what account.Store promises. open returns an empty store.
func AccountStore(t *testing.T, open func(t *testing.T) account.Store) {
	for name, f := range map[string]func(*testing.T, account.Store){
		"users come back":              usersComeBack,
		"names are taken once":         namesTakenOnce,
		"users without a name":         usersWithoutName,
		"list users":                   listUsers,
		"race: one email address":      emailRace,
		"credentials come back":        credentialsComeBack,
		"credentials end":              credentialsEnd,
		"credentials expire":           credentialsExpire,
		"a credential's use":           credentialUse,
		"race: sign-ins and sign-outs": credentialRace,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func newUser(n int) account.User {
	return account.User{ID: uuid.NewString(), Email: fmt.Sprintf("user%d@example.org", n), UnixName: fmt.Sprintf("unix%d", n),
		Name: "Ada Lovelace \u2603", Role: auth.RoleUser, SessionLimit: 2, PasswordHash: "$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA",
		CreatedAt: epoch.Add(time.Duration(n) * time.Second).UTC()}
}

func newCredential(user string, n int) account.Credential {
	return account.Credential{ID: uuid.NewString(), Hash: sha256.Sum256([]byte(user + fmt.Sprint(n))), Kind: account.BrowserCredential,
		UserID: user, Label: "Mozilla/5.0", CreatedAt: epoch.Add(time.Duration(n) * time.Second).UTC(),
		LastUsed: epoch.UTC(), ExpiresAt: epoch.Add(time.Hour).UTC()}
}

func usersComeBack(t *testing.T, s account.Store) {
	ctx := storeContext(t)
	u := newUser(0)
	ok(t, s.CreateUser(ctx, u))
	same(t, "by id", val(s.UserByID(ctx, u.ID))(t), u)
	same(t, "by email", val(s.UserByEmail(ctx, u.Email))(t), u)
	same(t, "by Unix name", val(s.UserByUnixName(ctx, u.UnixName))(t), u)
	for _, no := range []string{"", "nobody", strings.ToUpper(u.Email), u.Email + " ", "\u00e9"} {
		_, err := s.UserByEmail(ctx, no)
		wantFault(t, err, fault.NotFound, "")
		_, err = s.UserByID(ctx, no)
		wantFault(t, err, fault.NotFound, "")
		_, err = s.UserByUnixName(ctx, no)
		wantFault(t, err, fault.NotFound, "")
	}
	made := u.CreatedAt
	u.Email, u.UnixName, u.Name, u.Role, u.Disabled, u.SessionLimit, u.PasswordHash = "new@example.org", "", "Ada", auth.RoleAdmin, true, 0, ""
	for range 2 { // the same again is no error
		u.CreatedAt = time.Time{}
		ok(t, s.UpdateUser(ctx, u))
		u.CreatedAt = made
		same(t, "after the change", val(s.UserByID(ctx, u.ID))(t), u)
	}
	wantFault(t, s.UpdateUser(ctx, newUser(1)), fault.NotFound, "")
}

func namesTakenOnce(t *testing.T, s account.Store) {
	ctx := storeContext(t)
	a, b := newUser(0), newUser(1)
	ok(t, s.CreateUser(ctx, a))
	ok(t, s.CreateUser(ctx, b))
	for _, change := range []func(*account.User){
		func(u *account.User) { u.Email = a.Email },
		func(u *account.User) { u.UnixName = a.UnixName },
	} {
		created, updated := newUser(2), b
		change(&created)
		change(&updated)
		wantFault(t, s.CreateUser(ctx, created), fault.Exists, "accounts/exists")
		wantFault(t, s.UpdateUser(ctx, updated), fault.Exists, "accounts/exists")
	}
	again := newUser(3)
	again.ID = a.ID
	wantFault(t, s.CreateUser(ctx, again), fault.Exists, "")
	same(t, "users", val(s.ListUsers(ctx, "", 10))(t), []account.User{a, b})
}

// usersWithoutName: having none is not a name that can be taken.
func usersWithoutName(t *testing.T, s account.Store) {
	ctx := storeContext(t)
	for i := range 3 {
		web, socket := newUser(2*i), newUser(2*i+1)
		web.UnixName, socket.Email = "", ""
		ok(t, s.CreateUser(ctx, web))
		ok(t, s.CreateUser(ctx, socket))
	}
}

func listUsers(t *testing.T, s account.Store) {
	ctx := storeContext(t)
	if got := val(s.ListUsers(ctx, "", 10))(t); len(got) != 0 {
		t.Fatalf("an empty store has %+v", got)
	}
	var all []account.User
	for i := range 7 {
		u := newUser(i)
		u.CreatedAt = epoch.Add(time.Duration(i/3) * time.Second).UTC() // several at one moment
		ok(t, s.CreateUser(ctx, u))
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b account.User) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	var paged []account.User
	for after := ""; ; {
		page := val(s.ListUsers(ctx, after, 2))(t)
		if len(page) == 0 {
			break
		}
		paged, after = append(paged, page...), page[len(page)-1].ID
	}
	same(t, "page by page", paged, all)
	_, err := s.ListUsers(ctx, uuid.NewString(), 2)
	wantFault(t, err, fault.Invalid, "pagination/invalid-cursor")
}

func emailRace(t *testing.T, s account.Store) {
	ctx := storeContext(t)
	const callers = 30
	errs := make([]error, callers)
	together(callers, func(i int) {
		u := newUser(i)
		u.Email = "same@example.org"
		errs[i] = s.CreateUser(ctx, u)
	})
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantFault(t, err, fault.Exists, "accounts/exists")
	}
	if won != 1 {
		t.Fatalf("%d accounts with one address, want 1", won)
	}
}

func credentialsComeBack(t *testing.T, s account.Store) {
	ctx := storeContext(t)
	u := newUser(0)
	ok(t, s.CreateUser(ctx, u))
	browser, token := newCredential(u.ID, 0), newCredential(u.ID, 1)
	token.Kind, token.Label, token.ExpiresAt, token.LastUsed = account.TokenCredential, "laptop", time.Time{}, time.Time{}
	host := newCredential(u.ID, 2)
	host.Kind, host.SessionID, host.ParentID = account.SessionHostCredential, uuid.NewString(), browser.ID
	all := []account.Credential{browser, token, host}
	for _, c := range all {
		ok(t, s.CreateCredential(ctx, c))
		same(t, "by hash", val(s.CredentialByHash(ctx, c.Hash))(t), c)
	}
	same(t, "a user's", val(s.ListCredentials(ctx, u.ID))(t), all)
	_, err := s.CredentialByHash(ctx, sha256.Sum256([]byte("other")))
	wantFault(t, err, fault.NotFound, "")
	twice := newCredential(u.ID, 9)
	twice.Hash = browser.Hash
	wantFault(t, s.CreateCredential(ctx, twice), fault.Exists, "")
	wantFault(t, s.CreateCredential(ctx, newCredential(uuid.NewString(), 3)), fault.NotFound, "")
	long := newCredential(u.ID, 4)
	long.Label = strings.Repeat("\u00e9", 5000) // a user agent of any length
	ok(t, s.CreateCredential(ctx, long))
}

func credentialsEnd(t *testing.T, s account.Store) {
	ctx := storeContext(t)
	u, other := newUser(0), newUser(1)
	ok(t, s.CreateUser(ctx, u))
	ok(t, s.CreateUser(ctx, other))
	ids := func() (out []string) {
		for _, c := range val(s.ListCredentials(ctx, u.ID))(t) {
			out = append(out, c.ID)
		}
		return out
	}
	a, b, c, d := newCredential(u.ID, 0), newCredential(u.ID, 1), newCredential(u.ID, 2), newCredential(u.ID, 3)
	b.ParentID = a.ID
	foreign := newCredential(other.ID, 0)
	for _, cr := range []account.Credential{a, b, c, d, foreign} {
		ok(t, s.CreateCredential(ctx, cr))
	}
	ok(t, s.DeleteCredential(ctx, a.ID)) // and b, which came from it
	same(t, "left", ids(), []string{c.ID, d.ID})
	wantFault(t, s.DeleteCredential(ctx, a.ID), fault.NotFound, "")
	ok(t, s.DeleteUserCredentials(ctx, u.ID, d.ID))
	same(t, "left", ids(), []string{d.ID})
	ok(t, s.DeleteUserCredentials(ctx, u.ID, ""))
	same(t, "left", ids(), []string(nil))
	same(t, "another user's", val(s.ListCredentials(ctx, other.ID))(t), []account.Credential{foreign})
}

func credentialsExpire(t *testing.T, s account.Store) {
	ctx := storeContext(t)
	u := newUser(0)
	ok(t, s.CreateUser(ctx, u))
	var all []account.Credential
	for i, expires := range []time.Time{{}, epoch.UTC(), epoch.Add(time.Microsecond).UTC()} {
		c := newCredential(u.ID, i)
		c.ExpiresAt = expires
		ok(t, s.CreateCredential(ctx, c))
		all = append(all, c)
	}
	same(t, "not expired", val(s.AllCredentials(ctx, epoch))(t), []account.Credential{all[0], all[2]})
	ok(t, s.DeleteExpired(ctx, epoch.Add(time.Microsecond)))
	same(t, "kept", val(s.ListCredentials(ctx, u.ID))(t), []account.Credential{all[0], all[2]})
}

func credentialUse(t *testing.T, s account.Store) {
	ctx := storeContext(t)
	u := newUser(0)
	ok(t, s.CreateUser(ctx, u))
	c := newCredential(u.ID, 0)
	ok(t, s.CreateCredential(ctx, c))
	later := epoch.Add(time.Minute).UTC()
	for _, at := range []time.Time{later, later, epoch} { // an earlier one comes late
		ok(t, s.TouchCredential(ctx, c.ID, at))
		c.LastUsed = later.UTC()
		same(t, "the credential", val(s.CredentialByHash(ctx, c.Hash))(t), c)
	}
	wantFault(t, s.TouchCredential(ctx, uuid.NewString(), later), fault.NotFound, "")
}

func credentialRace(t *testing.T, s account.Store) {
	ctx := storeContext(t)
	u := newUser(0)
	ok(t, s.CreateUser(ctx, u))
	const callers = 20
	errs := make([]error, callers)
	together(callers, func(i int) {
		c, child := newCredential(u.ID, i), newCredential(u.ID, 1000+i)
		child.ParentID = c.ID
		changed := u
		changed.Name = fmt.Sprint(i)
		errs[i] = errors.Join(s.CreateCredential(ctx, c), s.CreateCredential(ctx, child), s.UpdateUser(ctx, changed),
			s.TouchCredential(ctx, c.ID, epoch.Add(time.Hour)), s.DeleteCredential(ctx, c.ID), s.DeleteExpired(ctx, epoch))
	})
	ok(t, errors.Join(errs...))
	same(t, "left", val(s.ListCredentials(ctx, u.ID))(t), []account.Credential(nil))
}
