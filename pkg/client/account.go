package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

// Login signs in with a password and makes a token of its own: the sign-in
// itself ends again, since a program keeps no cookies. Errors: Unauthenticated
// "auth/bad-credentials"; Denied "auth/account-disabled"; TooMany; Invalid
// "client/password-in-the-clear".
func (c *Client) Login(ctx context.Context, in api.Login, token api.TokenCreate) (api.SignedIn, api.TokenCreated, error) {
	if u, err := url.Parse(c.base); c.o.Server != "" && (err != nil || u.Scheme != "https" && !loopback(u.Hostname())) {
		return api.SignedIn{}, api.TokenCreated{}, fault.New(fault.Invalid, "client/password-in-the-clear",
			"A password is not sent to %s without encryption. Use its https URL.", c.base)
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	who, cookie, err := c.signIn(ctx, in)
	if err != nil {
		return who, api.TokenCreated{}, err
	}
	var made api.Envelope[api.TokenCreated]
	err = c.with(ctx, cookie, http.MethodPost, api.Path("me", "tokens"), token, &made)
	// Without its cookie the browser that was none is of no use to anybody.
	if out := c.with(ctx, cookie, http.MethodPost, api.Path("auth", "logout"), nil, nil); err == nil {
		err = out
	}
	return who, made.Data, err
}

// signIn returns the cookie as it is sent back.
func (c *Client) signIn(ctx context.Context, in api.Login) (api.SignedIn, string, error) {
	r := request{method: http.MethodPost, path: api.Path("auth", "login")}
	if err := r.encode(in); err != nil {
		return api.SignedIn{}, "", err
	}
	resp, err := c.send(ctx, r)
	if err != nil {
		return api.SignedIn{}, "", err
	}
	defer resp.Body.Close()
	var e api.Envelope[api.SignedIn]
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&e); err != nil {
		return e.Data, "", c.unexpected(resp, err)
	}
	cookies := resp.Cookies()
	if len(cookies) == 0 {
		return e.Data, "", c.unexpected(resp, errors.New("no cookie"))
	}
	return e.Data, cookies[0].Name + "=" + cookies[0].Value, nil
}

// with calls with a cookie instead of the client's token.
func (c *Client) with(ctx context.Context, cookie, method, path string, body, out any) error {
	plain := *c
	plain.o.Token = ""
	r := request{method: method, path: path, header: http.Header{"Cookie": {cookie}}}
	if err := r.encode(body); err != nil {
		return err
	}
	return plain.callWithin(ctx, r, out)
}

// Logout ends the token that the client comes with. Errors: Unauthenticated,
// when it had ended already.
func (c *Client) Logout(ctx context.Context) error {
	_, err := post[api.Message](ctx, c, api.Path("auth", "logout"), nil)
	return err
}

// ChangePassword errors: Denied "auth/wrong-password"; Invalid; TooMany.
func (c *Client) ChangePassword(ctx context.Context, in api.PasswordChange) error {
	_, err := post[api.Message](ctx, c, api.Path("me", "password"), in)
	return err
}

// Tokens lists the caller's.
func (c *Client) Tokens(ctx context.Context) ([]api.Token, error) {
	return all(pages[api.Token](ctx, c, api.Path("me", "tokens"), nil))
}

// CreateToken makes a token. Errors: Invalid, LimitReached.
func (c *Client) CreateToken(ctx context.Context, in api.TokenCreate) (api.TokenCreated, error) {
	return post[api.TokenCreated](ctx, c, api.Path("me", "tokens"), in)
}

// RevokeToken errors: NotFound.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: api.Path("me", "tokens", id)}, nil)
}

// Browsers lists those that the caller is signed in with.
func (c *Client) Browsers(ctx context.Context) ([]api.Browser, error) {
	return all(pages[api.Browser](ctx, c, api.Path("me", "sessions"), nil))
}

// EndBrowser signs one of the caller's browsers out. Errors: NotFound.
func (c *Client) EndBrowser(ctx context.Context, id string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: api.Path("me", "sessions", id)}, nil)
}

// EndBrowsers signs all of the caller's browsers out: this client is none.
func (c *Client) EndBrowsers(ctx context.Context) error {
	return c.call(ctx, request{method: http.MethodDelete, path: api.Path("me", "sessions")}, nil)
}

// Users lists the accounts, oldest first. Errors: Denied.
func (c *Client) Users(ctx context.Context) ([]api.User, error) {
	return all(pages[api.User](ctx, c, api.Path("admin", "users"), nil))
}

// CreateUser makes an account, and a password when it needs one and none is
// given. Errors: Denied, Invalid, Exists.
func (c *Client) CreateUser(ctx context.Context, in api.UserCreate) (api.UserChanged, error) {
	return post[api.UserChanged](ctx, c, api.Path("admin", "users"), in)
}

// SetUser changes the account with that id, email address or Unix name. Errors:
// Denied, NotFound, Invalid, Exists, Conflict.
func (c *Client) SetUser(ctx context.Context, ref string, in api.UserChange) (api.UserChanged, error) {
	var e api.Envelope[api.UserChanged]
	r := request{method: http.MethodPatch, path: api.Path("admin", "users", ref)}
	if err := r.encode(in); err != nil {
		return e.Data, err
	}
	err := c.call(ctx, r, &e)
	return e.Data, err
}
