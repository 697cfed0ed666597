package account_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/auth"
)

func TestBrowsersAreListedAndEnded(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	ada := h.signUp(t, "ada@example.org")
	other := h.signIn(t, "ada@example.org", account.Origin{Address: away.Address, Agent: "evil\x1b[2J\u202eagent"})
	list, err := h.Credentials(t.Context(), ada.Actor, account.BrowserCredential)
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v %v", list, err)
	}
	for _, c := range list {
		if strings.ContainsAny(c.Label, "\x1b\u202e") {
			t.Errorf("label %q", c.Label)
		}
	}
	if err := h.EndCredential(t.Context(), ada.Actor, account.BrowserCredential, other.Actor.CredentialID); err != nil {
		t.Fatal(err)
	}
	if _, ok := h.Browser(other.Secret); ok {
		t.Error("still in")
	}
}

// A browser that is signed in on a session's host only, by a link from the
// socket or by a token, is one of the list too, and ends with the others.
func TestSignOutEverywhereElse(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	here := h.signUp(t, "ada@example.org")
	there := h.signIn(t, "ada@example.org", away)
	token, tc, err := h.CreateToken(t.Context(), here.Actor, "ci", 0)
	if err != nil {
		t.Fatal(err)
	}
	byToken, _ := h.Token(token)
	socket := auth.Actor{UserID: here.User.ID, Role: auth.RoleUser, Via: auth.ViaSocket}
	enter := func(a auth.Actor) auth.Grant {
		t.Helper()
		ticket, _, err := h.Ticket(t.Context(), a, "s1", here.User.ID)
		if err != nil {
			t.Fatal(err)
		}
		secret, _, err := h.Redeem(t.Context(), ticket, "s1", "Firefox")
		if err != nil {
			t.Fatal(err)
		}
		g, ok := h.SessionHost(secret)
		if !ok {
			t.Fatal("the new cookie opens nothing")
		}
		return g
	}
	ours, theirs, linked, tokens := enter(here.Actor), enter(there.Actor), enter(socket), enter(byToken.Actor)
	list, err := h.Credentials(t.Context(), here.Actor, account.BrowserCredential)
	if err != nil || len(list) != 4 { // two on MedForge itself, two on the session's host alone
		t.Fatalf("%+v %v", list, err)
	}
	code(t, h.EndCredential(t.Context(), here.Actor, account.BrowserCredential, tc.ID), "auth/credential-not-found")
	code(t, h.EndCredential(t.Context(), here.Actor, account.BrowserCredential, ours.Actor.CredentialID), "auth/credential-not-found")
	open, _, err := h.Ticket(t.Context(), socket, "s1", here.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	n, err := h.EndOtherBrowsers(t.Context(), here.Actor)
	if err != nil || n != 3 {
		t.Errorf("%d %v", n, err)
	}
	for name, g := range map[string]auth.Grant{"the other's": theirs, "by a link": linked, "by the token's link": tokens} {
		if !ended(g.Pass) {
			t.Errorf("%s is still in", name)
		}
	}
	if _, ok := h.Token(token); !ok || ended(ours.Pass) || ended(byToken.Pass) {
		t.Error("the token or this browser ended too")
	}
	if _, _, err := h.Redeem(t.Context(), open, "s1", ""); err == nil {
		t.Error("an open link still lets in")
	}
	left, _ := h.store.ListCredentials(t.Context(), here.User.ID)
	if len(left) != 3 { // this browser, its cookie of the session's host, the token
		t.Errorf("%d credentials are left in the store", len(left))
	}
	_, err = h.EndOtherBrowsers(t.Context(), auth.Actor{UserID: here.User.ID, Via: auth.ViaSession})
	code(t, err, "auth/not-from-a-session")
}

// On the socket there is no address: one user's mistakes are not counted
// against everybody else of the host.
func TestTheSocketIsNoAddress(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.signUp(t, "ada@example.org")
	for i := range 30 {
		_, err := h.SignIn(t.Context(), fmt.Sprintf("user%d@example.org", i), "wrong", account.Origin{})
		code(t, err, "auth/bad-credentials")
	}
	var err error
	for range 6 {
		_, err = h.SignIn(t.Context(), "ada@example.org", "wrong", account.Origin{})
	}
	code(t, err, "auth/too-many-attempts")
	if _, err := h.SignIn(t.Context(), "ada@example.org", pass, away); err != nil {
		t.Errorf("ada from elsewhere: %v", err)
	}
}
