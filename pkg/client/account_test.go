package client_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/client"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/httpapi"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
)

func TestLoginLeavesATokenAndNoBrowser(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} { // by either name of the cookie
		h := httpapitest.Start(t, httpapitest.Options{Edit: func(o *httpapi.Options) { o.Secure = secure }})
		srv := httptest.NewServer(h.API.Public())
		t.Cleanup(srv.Close)
		ctx := within(t)
		c := dial(t, client.Options{Server: srv.URL})
		until := time.Now().Add(time.Hour)
		who, made, err := c.Login(ctx, api.Login{Email: "alice@example.org", Password: httpapitest.Password}, api.TokenCreate{Label: "here", ExpiresAt: &until})
		if err != nil || who.Email != "alice@example.org" || made.Token.Label != "here" {
			t.Fatalf("%+v %+v %v", who, made.Token, err)
		}
		mine := dial(t, client.Options{Server: srv.URL, Token: made.Secret})
		if me, err := mine.Me(ctx); err != nil || me.Via != "token" {
			t.Errorf("%+v %v", me, err)
		}
		if list, err := h.Accounts.Credentials(ctx, httpapitest.ActorOf(httpapitest.Alice), "browser"); err != nil || len(list) != 0 {
			t.Errorf("browsers are left: %v %v", list, err)
		}
		if err := mine.Logout(ctx); err != nil {
			t.Error(err)
		}
		if _, err := mine.Me(ctx); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("signed out: %v", err)
		}
		_, _, err = c.Login(ctx, api.Login{Email: "alice@example.org", Password: "wrong"}, api.TokenCreate{Label: "here"})
		if fault.CodeOf(err) != "auth/bad-credentials" {
			t.Errorf("%v", err)
		}
	}
}

func TestPasswordsAreNotSentInTheClear(t *testing.T) {
	t.Parallel()
	c := dial(t, client.Options{Server: "http://medforge.example.org"})
	_, _, err := c.Login(within(t), api.Login{Email: "a@example.org", Password: "secret"}, api.TokenCreate{Label: "x"})
	if fault.CodeOf(err) != "client/password-in-the-clear" {
		t.Errorf("%v", err)
	}
}

// Names below localhost need no resolver that knows them, and no proxy of the
// environment.
func TestNamesBelowLocalhost(t *testing.T) {
	t.Parallel()
	h := httpapitest.Start(t, httpapitest.Options{})
	srv := httptest.NewServer(h.API.Public())
	t.Cleanup(srv.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(srv.URL, "http://"), ":")
	c := dial(t, client.Options{Server: "http://medforge.localhost:" + port, Token: h.Token(t, httpapitest.Bob)})
	if me, err := c.Me(within(t)); err != nil || me.UserID != httpapitest.Bob.ID {
		t.Errorf("%+v %v", me, err)
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	h := httpapitest.Start(t, httpapitest.Options{})
	c, ctx := dial(t, client.Options{Socket: h.Socket}), within(t)
	made, err := c.CreateUser(ctx, api.UserCreate{Email: "dora@example.org"})
	if err != nil || made.Password == "" {
		t.Fatalf("%+v %v", made, err)
	}
	limit := 4
	if got, err := c.SetUser(ctx, "dora@example.org", api.UserChange{SessionLimit: &limit}); err != nil || got.User.SessionLimit != 4 {
		t.Errorf("%+v %v", got, err)
	}
	if list, err := c.Users(ctx); err != nil || len(list) != 4 || list[3].Email != "dora@example.org" {
		t.Errorf("%+v %v", list, err)
	}
	token, err := c.CreateToken(ctx, api.TokenCreate{Label: "ci"})
	if err != nil || token.Secret == "" {
		t.Fatal(err)
	}
	if err := c.RevokeToken(ctx, token.Token.ID); err != nil {
		t.Error(err)
	}
	if err := c.RevokeToken(ctx, token.Token.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
	if list, err := c.Tokens(ctx); err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
	h.Become(httpapitest.Alice)
	if err := c.ChangePassword(ctx, api.PasswordChange{Current: "wrong", New: "battery staple"}); fault.CodeOf(err) != "auth/wrong-password" {
		t.Errorf("%v", err)
	}
	if _, err := c.Users(ctx); fault.KindOf(err) != fault.Denied {
		t.Errorf("%v", err)
	}
}
