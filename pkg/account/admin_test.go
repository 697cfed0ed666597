package account_test

import (
	"context"
	"testing"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/auth"
)

func TestAdmin(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	ada := h.signUp(t, "ada@example.org")
	ctx := t.Context()
	for _, err := range []error{
		third(h.CreateUser(ctx, ada.Actor, account.UserSpec{UnixName: "x"})),
		third(h.SetUser(ctx, ada.Actor, ada.User.ID, account.UserChange{})),
		second(h.ListUsers(ctx, ada.Actor, "", 10)),
		second(h.FindUser(ctx, ada.Actor, "ada@example.org")),
	} {
		code(t, err, "auth/admin-only")
	}
	bob, password, err := h.CreateUser(ctx, admin, account.UserSpec{Email: "Bob@example.org", UnixName: "bob", SessionLimit: 2})
	if err != nil || len(password) != 43 || bob.SessionLimit != 2 {
		t.Fatalf("%+v %q %v", bob, password, err)
	}
	if _, err := h.SignIn(ctx, "bob@example.org", password, home); err != nil {
		t.Errorf("with the password handed over: %v", err)
	}
	for want, n := range map[string]account.UserSpec{
		"accounts/email-taken":       {Email: "bob@example.org"},
		"accounts/unix-name-taken":   {UnixName: "bob"},
		"accounts/invalid-role":      {UnixName: "x", Role: "king"},
		"accounts/invalid-limit":     {UnixName: "x", SessionLimit: -1},
		"accounts/invalid-unix-name": {UnixName: "a/b"},
		"accounts/invalid-account":   {Name: "nobody"},
	} {
		_, _, err := h.CreateUser(ctx, admin, n)
		code(t, err, want)
	}
	for _, ref := range []string{bob.ID, "bob", "BOB@example.org"} {
		if u, err := h.FindUser(ctx, admin, ref); err != nil || u.ID != bob.ID {
			t.Errorf("%s: %+v %v", ref, u, err)
		}
	}
	_, err = h.FindUser(ctx, admin, "nobody")
	code(t, err, "accounts/user-not-found")
	if all, _ := h.ListUsers(ctx, admin, "", 10); len(all) != 2 {
		t.Errorf("%d users", len(all))
	}
	_, password, err = h.SetUser(ctx, admin, ada.User.ID, account.UserChange{ResetPassword: true})
	if _, in := h.Browser(ada.Secret); err != nil || in {
		t.Errorf("reset: %v, still in %v", err, in)
	}
	if ada, err = h.SignIn(ctx, "ada@example.org", password, home); err != nil {
		t.Error(err)
	}
}

func third(_ account.User, _ string, err error) error { return err }
func second[T any](_ T, err error) error              { return err }

func TestDisabledAndDemoted(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	ada := h.signUp(t, "ada@example.org")
	set := func(c account.UserChange) {
		t.Helper()
		if _, _, err := h.SetUser(context.Background(), admin, ada.User.ID, c); err != nil {
			t.Fatal(err)
		}
	}
	king, user, yes, no := auth.RoleAdmin, auth.RoleUser, true, false
	set(account.UserChange{Role: &king})
	g, _ := h.Browser(ada.Secret)
	if !g.Actor.Admin() {
		t.Error("the new role is not seen at once")
	}
	ticket, _, err := h.Ticket(t.Context(), g.Actor, "s", "somebody else")
	if err != nil {
		t.Fatal(err)
	}
	ide, _, _ := h.Redeem(t.Context(), ticket, "s", "")
	pass1, _ := h.SessionHost(ide)
	set(account.UserChange{Role: &user})
	if !ended(g.Pass) || !ended(pass1.Pass) {
		t.Error("a former admin is still in a stranger's session")
	}
	ada = h.signIn(t, "ada@example.org", home)
	g, _ = h.Browser(ada.Secret)
	ticket, _, _ = h.Ticket(t.Context(), g.Actor, "s", ada.User.ID)
	set(account.UserChange{Disabled: &yes})
	if _, ok := h.Browser(ada.Secret); ok || !ended(g.Pass) {
		t.Error("a disabled account is still in")
	}
	_, _, err = h.Redeem(t.Context(), ticket, "s", "")
	code(t, err, "auth/bad-ticket")
	_, err = h.SignIn(t.Context(), "ada@example.org", pass, home)
	code(t, err, "auth/account-disabled")
	_, err = h.SignIn(t.Context(), "ada@example.org", "wrong password", home)
	code(t, err, "auth/bad-credentials")
	set(account.UserChange{Disabled: &no})
	h.signIn(t, "ada@example.org", home)
}

func TestLinkUnixAndWeb(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	ada := h.signUp(t, "ada@example.org")
	unix, _ := h.UnixUser(t.Context(), 1000)
	name := "user1000"
	_, _, err := h.SetUser(t.Context(), admin, ada.User.ID, account.UserChange{UnixName: &name})
	code(t, err, "accounts/unix-name-taken")
	u, _, err := h.SetUser(t.Context(), admin, ada.User.ID, account.UserChange{UnixName: &name, MoveUnixName: true})
	if err != nil || u.UnixName != name {
		t.Fatalf("%+v %v", u, err)
	}
	if a, _ := h.UnixUser(t.Context(), 1000); a.UserID != ada.User.ID {
		t.Errorf("the socket is still %+v", a)
	}
	old, err := h.User(t.Context(), unix.UserID)
	if err != nil || old.UnixName != "" || old.ID != unix.UserID {
		t.Errorf("the old account: %+v %v", old, err)
	}
	root := "root"
	h.UnixUser(t.Context(), 0)
	_, _, err = h.SetUser(t.Context(), admin, ada.User.ID, account.UserChange{UnixName: &root, MoveUnixName: true})
	code(t, err, "accounts/root")
}
