package account

import (
	"net/http"
	"strings"

	"github.com/medforge/medforge/pkg/auth"
)

// SessionHost checks the cookie of a session's host. The caller compares the
// grant's SessionID with the session it is about to show. It asks no database
// and allocates nothing.
func (s *Service) SessionHost(secret string) (auth.Grant, bool) {
	return s.check(secret, SessionHostCredential)
}

// Browser checks the sign-in cookie, in memory.
func (s *Service) Browser(secret string) (auth.Grant, bool) {
	return s.check(secret, BrowserCredential)
}

// Token checks a bearer token, in memory.
func (s *Service) Token(token string) (auth.Grant, bool) {
	secret, ok := strings.CutPrefix(token, auth.TokenPrefix)
	if !ok {
		return auth.Grant{}, false
	}
	return s.check(secret, TokenCredential)
}

func (s *Service) check(secret string, kind CredentialKind) (auth.Grant, bool) {
	hash, ok := hashSecret(secret)
	if !ok {
		return auth.Grant{}, false
	}
	e := s.table.find(hash)
	if e == nil || e.cred.Kind != kind || e.user.Load().Disabled {
		return auth.Grant{}, false
	}
	now := s.now()
	if e.expired(now, s.idle) {
		return auth.Grant{}, false // the sweeper ends it
	}
	e.touch(now)
	return e.grant(), true
}

// Authenticate says who sent a request to MedForge's own hosts: by bearer
// token, else by the sign-in cookie (secure: the name it has behind TLS). With
// neither the grant is nobody's and there is no error. Errors: Unauthenticated
// "auth/bad-token"; "auth/sign-in-expired" when there is a cookie that opens
// nothing, which the caller answers with an expired cookie.
func (s *Service) Authenticate(r *http.Request, secure bool) (auth.Grant, error) {
	if token, ok := BearerToken(r.Header); ok {
		if g, ok := s.Token(token); ok {
			return g, nil
		}
		return auth.Grant{}, errBadToken
	}
	var found auth.Grant
	cookies := r.CookiesNamed(auth.SessionCookie(secure))
	for _, c := range cookies {
		g, ok := s.Browser(c.Value)
		if !ok {
			continue
		}
		// Without TLS a session's page can plant a cookie for its parent
		// domain. Two that both open something are not a choice we make.
		if found.Actor.Known() && found.Actor.CredentialID != g.Actor.CredentialID {
			return auth.Grant{}, errExpired
		}
		found = g
	}
	if len(cookies) > 0 && !found.Actor.Known() {
		return auth.Grant{}, errExpired
	}
	return found, nil
}

// BearerToken returns what stands behind "Bearer" in the Authorization header
// if it claims to be a token of ours.
func BearerToken(h http.Header) (string, bool) {
	const scheme = "Bearer "
	v := h.Get("Authorization")
	if len(v) < len(scheme) || !strings.EqualFold(v[:len(scheme)], scheme) {
		return "", false
	}
	token := strings.TrimLeft(v[len(scheme):], " ")
	return token, strings.HasPrefix(token, auth.TokenPrefix)
}
