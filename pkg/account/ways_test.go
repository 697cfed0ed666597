package account_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/auth"
)

func TestUnixUser(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	root, err := h.UnixUser(t.Context(), 0)
	if err != nil || root.Name != "root" || !root.Admin() || root.Via != auth.ViaSocket {
		t.Fatalf("%+v %v", root, err)
	}
	var wg sync.WaitGroup
	ids := make([]string, 20)
	for i := range ids { // at first use, many at once: one account
		wg.Go(func() {
			a, err := h.UnixUser(t.Context(), 1000)
			if err != nil || a.Admin() || a.Name != "user1000" {
				t.Errorf("%+v %v", a, err)
			}
			ids[i] = a.UserID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] || id == "" || id == root.UserID {
			t.Fatalf("ids %v", ids)
		}
	}
	h.restart(t)
	if a, _ := h.UnixUser(t.Context(), 1000); a.UserID != ids[0] {
		t.Error("another account after a restart")
	}
	_, err = h.UnixUser(t.Context(), 5000)
	code(t, err, "auth/unknown-uid")
	yes := true
	_, _, err = h.SetUser(t.Context(), root, ids[0], account.UserChange{Disabled: &yes})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.UnixUser(t.Context(), 1000)
	code(t, err, "auth/account-disabled")
	_, _, err = h.SetUser(t.Context(), root, root.UserID, account.UserChange{Disabled: &yes})
	code(t, err, "accounts/root")
}

func TestUnixNameIsAskedAgainAfterAWhile(t *testing.T) {
	t.Parallel()
	name, asked := "alice", 0
	h := open(t, func(o *account.Options) {
		o.UnixName = func(uint32) (string, error) { asked++; return name, nil }
	})
	a, _ := h.UnixUser(t.Context(), 1000)
	name = "bob" // the uid was given to somebody else
	h.UnixUser(t.Context(), 1000)
	if asked != 1 {
		t.Errorf("asked %d times at once", asked)
	}
	h.clock.add(2 * time.Minute)
	b, _ := h.UnixUser(t.Context(), 1000)
	if a.UserID == b.UserID || b.Name != "bob" {
		t.Errorf("%+v is still %+v", b, a)
	}
	name = "root"
	_, err := h.UnixUser(t.Context(), 1001)
	code(t, err, "auth/unknown-uid")
}

func TestTicket(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	ada, bob := h.signUp(t, "ada@example.org"), h.signUp(t, "bob@example.org")
	get := func() string {
		t.Helper()
		text, expires, err := h.Ticket(t.Context(), ada.Actor, "session-1", ada.User.ID)
		if err != nil || expires != h.clock.now().Add(time.Minute) || len(text) != 43 {
			t.Fatalf("%q %v %v", text, expires, err)
		}
		return text
	}
	_, _, err := h.Ticket(t.Context(), bob.Actor, "session-1", ada.User.ID)
	code(t, err, "sessions/not-yours")
	_, _, err = h.Ticket(t.Context(), auth.Actor{}, "session-1", "")
	code(t, err, "auth/not-signed-in")
	if _, _, err = h.Ticket(t.Context(), admin, "session-1", ada.User.ID); err != nil {
		t.Errorf("an admin: %v", err)
	}
	inside := ada.Actor
	inside.Via, inside.SessionID = auth.ViaSession, "session-2"
	_, _, err = h.Ticket(t.Context(), inside, "session-1", ada.User.ID)
	code(t, err, "sessions/not-yours")

	ticket := get()
	secret, expires, err := h.Redeem(t.Context(), ticket, "session-1", "ua")
	if err != nil || expires != ada.ExpiresAt {
		t.Fatalf("%v %v", expires, err)
	}
	g, ok := h.SessionHost(secret)
	if !ok || g.SessionID != "session-1" || g.Actor.UserID != ada.User.ID {
		t.Fatalf("%v %+v", ok, g)
	}
	if _, ok := h.Browser(secret); ok {
		t.Error("a session host's cookie opens MedForge itself")
	}
	if _, ok := h.SessionHost(ada.Secret); ok {
		t.Error("MedForge's cookie opens a session's host")
	}
	_, _, err = h.Redeem(t.Context(), ticket, "session-1", "ua") // replay
	code(t, err, "auth/bad-ticket")
	ticket = get()
	_, _, err = h.Redeem(t.Context(), ticket, "session-2", "ua") // another host: used up
	code(t, err, "auth/bad-ticket")
	_, _, err = h.Redeem(t.Context(), ticket, "session-1", "ua")
	code(t, err, "auth/bad-ticket")
	ticket = get()
	h.clock.add(time.Minute)
	_, _, err = h.Redeem(t.Context(), ticket, "session-1", "ua")
	code(t, err, "auth/bad-ticket")

	// Many at once with one ticket: one gets in.
	ticket = get()
	var wg sync.WaitGroup
	won := make(chan string, 20)
	for range 20 {
		wg.Go(func() {
			if s, _, err := h.Redeem(t.Context(), ticket, "session-1", "ua"); err == nil {
				won <- s
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d redeemed one ticket", len(won))
	}
	second, _ := h.SessionHost(<-won)

	// Signing out ends what came from it, and tickets too.
	ticket = get()
	if err := h.SignOut(t.Context(), ada.Actor); err != nil {
		t.Fatal(err)
	}
	if _, ok := h.SessionHost(secret); ok || !ended(g.Pass) || !ended(second.Pass) {
		t.Error("the session host's cookie outlives the sign-in it came from")
	}
	_, _, err = h.Redeem(t.Context(), ticket, "session-1", "ua")
	code(t, err, "auth/bad-ticket")
}

func TestTicketsOfOneUserAreFew(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	ada := h.signUp(t, "ada@example.org")
	first, _, _ := h.Ticket(t.Context(), ada.Actor, "s", ada.User.ID)
	var last string
	for range 100 {
		h.clock.add(time.Millisecond)
		last, _, _ = h.Ticket(t.Context(), ada.Actor, "s", ada.User.ID)
	}
	_, _, err := h.Redeem(t.Context(), first, "s", "")
	code(t, err, "auth/bad-ticket")
	if _, _, err = h.Redeem(t.Context(), last, "s", ""); err != nil {
		t.Error(err)
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	ada := h.signUp(t, "ada@example.org")
	other := h.signIn(t, "ada@example.org", away)
	token, _, _ := h.CreateToken(t.Context(), ada.Actor, "ci", 0)
	code(t, h.ChangePassword(t.Context(), ada.Actor, "wrong password", "new password", home), "auth/wrong-password")
	code(t, h.ChangePassword(t.Context(), ada.Actor, pass, "short", home), "accounts/invalid-password")
	inside := ada.Actor
	inside.Via = auth.ViaSession
	code(t, h.ChangePassword(t.Context(), inside, pass, "new password", home), "auth/not-from-a-session")
	if err := h.ChangePassword(t.Context(), ada.Actor, pass, "new password", home); err != nil {
		t.Fatal(err)
	}
	if _, ok := h.Browser(ada.Secret); !ok {
		t.Error("signed out oneself")
	}
	if _, ok := h.Browser(other.Secret); ok {
		t.Error("the other browser is still in")
	}
	if _, ok := h.Token(token); ok {
		t.Error("the token still works")
	}
	_, err := h.SignIn(t.Context(), "ada@example.org", pass, home)
	code(t, err, "auth/bad-credentials")
	// A Unix user without a password sets one on the socket, unasked.
	unix, _ := h.UnixUser(t.Context(), 1000)
	if err := h.ChangePassword(t.Context(), unix, "", "new password", home); err != nil {
		t.Error(err)
	}
	code(t, h.ChangePassword(t.Context(), unix, "", "newer password", home), "auth/wrong-password")
}

func TestTokens(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	ada, bob := h.signUp(t, "ada@example.org"), h.signUp(t, "bob@example.org")
	inside := ada.Actor
	inside.Via = auth.ViaSession
	_, _, err := h.CreateToken(t.Context(), inside, "x", 0)
	code(t, err, "auth/not-from-a-session")
	_, _, err = h.CreateToken(t.Context(), ada.Actor, " \n", 0)
	code(t, err, "accounts/invalid-token-name")
	_, _, err = h.CreateToken(t.Context(), ada.Actor, "x", -1)
	code(t, err, "accounts/invalid-token-life")
	text, c, err := h.CreateToken(t.Context(), ada.Actor, "ci", time.Hour)
	if err != nil || !strings.HasPrefix(text, "mf_") || len(text) != 46 {
		t.Fatalf("%q %v", text, err)
	}
	g, ok := h.Token(text)
	if !ok || g.Actor.Via != auth.ViaToken || g.Actor.UserID != ada.User.ID {
		t.Fatalf("%v %+v", ok, g)
	}
	list, _ := h.Credentials(t.Context(), ada.Actor, account.TokenCredential)
	if len(list) != 1 || list[0].Label != "ci" {
		t.Errorf("%+v", list)
	}
	code(t, h.EndCredential(t.Context(), bob.Actor, account.TokenCredential, c.ID), "auth/credential-not-found")
	h.clock.add(time.Hour)
	if _, ok := h.Token(text); ok {
		t.Error("outlived its hour")
	}
	text, c, _ = h.CreateToken(t.Context(), ada.Actor, "ci", 0)
	h.restart(t)
	if g, ok = h.Token(text); !ok {
		t.Fatal("lost by a restart")
	}
	if err := h.EndCredential(t.Context(), ada.Actor, account.TokenCredential, c.ID); err != nil || !ended(g.Pass) {
		t.Errorf("revoking: %v, ended %v", err, ended(g.Pass))
	}
	for range 100 {
		if _, _, err = h.CreateToken(t.Context(), ada.Actor, "many", 0); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err = h.CreateToken(t.Context(), ada.Actor, "many", 0)
	code(t, err, "accounts/too-many-tokens")
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	ada, bob := h.signUp(t, "ada@example.org"), h.signUp(t, "bob@example.org")
	token, _, _ := h.CreateToken(t.Context(), bob.Actor, "ci", 0)
	for _, c := range []struct {
		name    string
		headers []string
		secure  bool
		user    string
		code    string
	}{
		{"nothing", nil, false, "", ""},
		{"cookie", []string{"Cookie: medforge_session=" + ada.Secret}, false, ada.User.ID, ""},
		{"cookie behind TLS", []string{"Cookie: __Host-medforge_session=" + ada.Secret}, true, ada.User.ID, ""},
		{"plain cookie behind TLS", []string{"Cookie: medforge_session=" + ada.Secret}, true, "", ""},
		{"stale", []string{"Cookie: medforge_session=" + strings.Repeat("A", 43)}, false, "", "auth/sign-in-expired"},
		{"stale and good", []string{"Cookie: medforge_session=x; medforge_session=" + ada.Secret}, false, ada.User.ID, ""},
		{"two good ones", []string{"Cookie: medforge_session=" + bob.Secret + "; medforge_session=" + ada.Secret}, false, "", "auth/sign-in-expired"},
		{"token", []string{"Authorization: bearer " + token}, false, bob.User.ID, ""},
		{"token before cookie", []string{"Authorization: Bearer " + token, "Cookie: medforge_session=" + ada.Secret}, false, bob.User.ID, ""},
		{"bad token", []string{"Authorization: Bearer mf_x", "Cookie: medforge_session=" + ada.Secret}, false, "", "auth/bad-token"},
		{"cookie as token", []string{"Authorization: Bearer mf_" + ada.Secret}, false, "", "auth/bad-token"},
		{"somebody else's scheme", []string{"Authorization: Basic eDp5"}, false, "", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for _, l := range c.headers {
			k, v, _ := strings.Cut(l, ": ")
			r.Header.Add(k, v)
		}
		g, err := h.Authenticate(r, c.secure)
		if g.Actor.UserID != c.user {
			t.Errorf("%s: %+v", c.name, g.Actor)
		}
		code(t, err, c.code)
	}
}

func TestEndSessionHost(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	var passes []auth.Pass
	ada := h.signUp(t, "ada@example.org")
	for _, sid := range []string{"s1", "s2"} {
		ticket, _, err := h.Ticket(t.Context(), ada.Actor, sid, ada.User.ID)
		if err != nil {
			t.Fatal(err)
		}
		secret, _, _ := h.Redeem(t.Context(), ticket, sid, "")
		g, _ := h.SessionHost(secret)
		passes = append(passes, g.Pass)
	}
	if err := h.EndSessionHost(t.Context(), "s1"); err != nil || !ended(passes[0]) || ended(passes[1]) {
		t.Errorf("%v, ended %v %v", err, ended(passes[0]), ended(passes[1]))
	}
}
