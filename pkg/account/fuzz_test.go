package account_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/porttest/fakeaccounts"
)

// withAda is a service in which ada is signed in.
func withAda(f *testing.F) (*account.Service, account.SignIn) {
	f.Helper()
	s, err := account.New(f.Context(), account.Options{Store: &fakeaccounts.Store{}, SignUp: account.SignUpOpen, Password: cheap})
	if err != nil {
		f.Fatal(err)
	}
	in, err := s.SignUp(f.Context(), account.NewAccount{Email: "ada@example.org", Password: "correct horse"}, account.Origin{})
	if err != nil {
		f.Fatal(err)
	}
	return s, in
}

// FuzzAuthenticate sends whatever Cookie and Authorization: somebody is let in
// only by a secret that stands there whole, and as nobody but its owner.
func FuzzAuthenticate(f *testing.F) {
	s, in := withAda(f)
	token, _, err := s.CreateToken(f.Context(), in.Actor, "t", 0)
	if err != nil {
		f.Fatal(err)
	}
	// SECRET and TOKEN stand for the real ones, which differ from run to run.
	real := strings.NewReplacer("SECRET", in.Secret, "TOKEN", token)
	f.Add("medforge_session=SECRET", "")
	f.Add("a=b; medforge_session=\"SECRET\"; c", "Bearer TOKEN")
	f.Add("__Host-medforge_session=SECRET", "Basic TOKEN")
	f.Add("medforge_session=SECRET;medforge_session=x", "bearer  TOKEN")
	f.Add("MEDFORGE_SESSION=SECRET", "Bearer mf_")
	f.Fuzz(func(t *testing.T, cookie, authorization string) {
		cookie, authorization = real.Replace(cookie), real.Replace(authorization)
		for _, secure := range []bool{false, true} {
			r := &http.Request{Header: http.Header{"Cookie": {cookie}, "Authorization": {authorization}}}
			g, err := s.Authenticate(r, secure)
			switch {
			case err != nil:
				if fault.KindOf(err) != fault.Unauthenticated || g.Actor.Known() {
					t.Fatalf("%q %q: %+v %v", cookie, authorization, g.Actor, err)
				}
			case g.Actor.UserID != "" && g.Actor.UserID != in.User.ID:
				t.Fatalf("%q %q: %+v", cookie, authorization, g.Actor)
			case g.Actor.Via == auth.ViaToken && !strings.Contains(authorization, token),
				g.Actor.Via == auth.ViaCookie && !strings.Contains(cookie, auth.SessionCookie(secure)+"="):
				t.Fatalf("%q %q lets in %+v", cookie, authorization, g.Actor)
			}
		}
	})
}

// FuzzTicket shows whatever as a ticket: only the very text opens, once, and at
// its own session.
func FuzzTicket(f *testing.F) {
	s, in := withAda(f)
	f.Add("TICKET", "s1")
	f.Add("TICKET", "s2")
	f.Add("TICKET\n", "s1")
	f.Add("TICKET=", "s1")
	f.Add(strings.Repeat("A", 43), "s1")
	f.Fuzz(func(t *testing.T, text, session string) {
		ticket, _, err := s.Ticket(t.Context(), in.Actor, "s1", in.User.ID)
		if err != nil {
			t.Fatal(err)
		}
		text = strings.ReplaceAll(text, "TICKET", ticket)
		secret, expires, err := s.Redeem(t.Context(), text, session, "")
		if good := text == ticket && session == "s1"; (err == nil) != good {
			t.Fatalf("%q at %q: %v", text, session, err)
		} else if !good {
			if secret != "" || fault.CodeOf(err) != "auth/bad-ticket" {
				t.Fatalf("%q at %q: %q %v", text, session, secret, err)
			}
			return
		}
		if !expires.After(time.Now()) {
			t.Fatalf("ends at %v", expires)
		}
		if _, _, err := s.Redeem(t.Context(), text, session, ""); err == nil {
			t.Fatal("a ticket opens twice")
		}
		if err := s.EndSessionHost(t.Context(), "s1"); err != nil { // keeps the table small
			t.Fatal(err)
		}
	})
}
