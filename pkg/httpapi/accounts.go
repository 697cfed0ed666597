package httpapi

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
)

// auth is me for a page that does not know whether anybody is signed in: to
// have nobody there is no failure here.
func (s *Server) auth(ctx context.Context, a auth.Actor, in *none) (api.Auth, error) {
	out := api.Auth{Signup: string(s.Accounts.SignUpMode())}
	if !a.Known() {
		return out, nil
	}
	me, err := s.me(ctx, a, in)
	out.User = &me
	return out, err
}

type signupInput struct {
	Body api.Signup
}

func (s *Server) signup(ctx context.Context, _ auth.Actor, in *signupInput) (api.SignedIn, error) {
	n := account.NewAccount{Email: in.Body.Email, Password: in.Body.Password, Name: in.Body.Name, Invite: in.Body.Invitation}
	signedIn, err := s.Accounts.SignUp(ctx, n, origin(ctx))
	return s.entered(ctx, signedIn, err)
}

type loginInput struct {
	Body api.Login
}

func (s *Server) login(ctx context.Context, _ auth.Actor, in *loginInput) (api.SignedIn, error) {
	signedIn, err := s.Accounts.SignIn(ctx, in.Body.Email, in.Body.Password, origin(ctx))
	return s.entered(ctx, signedIn, err)
}

// entered gives the browser its cookie.
func (s *Server) entered(ctx context.Context, in account.SignIn, err error) (api.SignedIn, error) {
	if err != nil {
		return api.SignedIn{}, err
	}
	requestOf(ctx).setCookie(in.Cookie(s.Secure, s.Now()))
	return api.SignedIn{UserID: in.User.ID, Email: in.User.Email, Role: string(in.User.Role)}, nil
}

// logout ends the cookie or token that the request came with. Who came with
// none is signed out already.
func (s *Server) logout(ctx context.Context, a auth.Actor, _ *none) (api.Message, error) {
	if a.CredentialID != "" {
		if err := s.Accounts.SignOut(ctx, a); err != nil {
			return api.Message{}, err
		}
	}
	if a.Via == auth.ViaCookie {
		requestOf(ctx).setCookie(account.NoCookie(s.Secure))
	}
	return api.Message{Message: api.MessageSignedOut}, nil
}

// origin is where the request comes from, as far as it can be known.
func origin(ctx context.Context) account.Origin {
	r := requestOf(ctx)
	return account.Origin{Address: r.client, Agent: r.agent}
}

// clientAddr is the connection's address, for a listener with no proxy before
// it.
func clientAddr(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr()
}

type passwordInput struct {
	Body api.PasswordChange
}

func (s *Server) changePassword(ctx context.Context, a auth.Actor, in *passwordInput) (api.Message, error) {
	if err := s.Accounts.ChangePassword(ctx, a, in.Body.Current, in.Body.New, origin(ctx)); err != nil {
		return api.Message{}, err
	}
	return api.Message{Message: "Password changed; every other browser and every other token is signed out."}, nil
}

type tokensInput struct{ Paging }

func (s *Server) tokens(ctx context.Context, a auth.Actor, _ *tokensInput, limit int, after string) ([]api.Token, string, error) {
	list, err := s.Accounts.Credentials(ctx, a, account.TokenCredential)
	if err != nil {
		return nil, "", err
	}
	out := make([]api.Token, len(list))
	for i, c := range list {
		out[i] = wireToken(c)
	}
	return whole(out, func(t api.Token) string { return t.ID }, limit, after)
}

// wireToken leaves out a last use that is no more than the making.
func wireToken(c account.Credential) api.Token {
	t := api.Token{ID: c.ID, Label: c.Label, CreatedAt: c.CreatedAt.UTC(), ExpiresAt: orNull(c.ExpiresAt)}
	if c.LastUsed.After(c.CreatedAt) {
		t.LastUsed = orNull(c.LastUsed)
	}
	return t
}

type createTokenInput struct {
	Body api.TokenCreate
}

func (s *Server) createToken(ctx context.Context, a auth.Actor, in *createTokenInput) (api.TokenCreated, error) {
	var life time.Duration
	if in.Body.ExpiresAt != nil {
		if life = in.Body.ExpiresAt.Sub(s.Now()); life <= 0 {
			life = -1 // zero would be for ever
		}
	}
	secret, c, err := s.Accounts.CreateToken(ctx, a, in.Body.Label, life)
	if err != nil {
		return api.TokenCreated{}, err
	}
	return api.TokenCreated{Token: wireToken(c), Secret: secret}, nil
}

type credentialRef struct {
	ID string `path:"id" maxLength:"100" doc:"Its id, as the list shows it."`
}

func (s *Server) revokeToken(ctx context.Context, a auth.Actor, in *credentialRef) (api.Message, error) {
	if err := s.Accounts.EndCredential(ctx, a, account.TokenCredential, in.ID); err != nil {
		return api.Message{}, err
	}
	return api.Message{Message: "Token revoked."}, nil
}

type browsersInput struct{ Paging }

func (s *Server) browsers(ctx context.Context, a auth.Actor, _ *browsersInput, limit int, after string) ([]api.Browser, string, error) {
	list, err := s.Accounts.Credentials(ctx, a, account.BrowserCredential)
	if err != nil {
		return nil, "", err
	}
	out := make([]api.Browser, len(list))
	for i, c := range list {
		out[i] = api.Browser{ID: c.ID, Agent: c.Label, Current: c.ID == a.CredentialID,
			CreatedAt: c.CreatedAt.UTC(), LastUsed: c.LastUsed.UTC(), ExpiresAt: orNull(c.ExpiresAt)}
		if c.SessionID != "" {
			out[i].SessionID = &list[i].SessionID
		}
	}
	return whole(out, func(b api.Browser) string { return b.ID }, limit, after)
}

func (s *Server) endBrowser(ctx context.Context, a auth.Actor, in *credentialRef) (api.Message, error) {
	if err := s.Accounts.EndCredential(ctx, a, account.BrowserCredential, in.ID); err != nil {
		return api.Message{}, err
	}
	if in.ID == a.CredentialID {
		requestOf(ctx).setCookie(account.NoCookie(s.Secure))
	}
	return api.Message{Message: api.MessageSignedOut}, nil
}

func (s *Server) endOtherBrowsers(ctx context.Context, a auth.Actor, _ *none) (api.Message, error) {
	if _, err := s.Accounts.EndOtherBrowsers(ctx, a); err != nil {
		return api.Message{}, err
	}
	return api.Message{Message: "Every other browser is signed out."}, nil
}
