package account

import (
	"net/http"
	"time"

	"github.com/medforge/medforge/pkg/auth"
)

// Cookie is what a browser gets for a sign-in: host-only, not readable by
// scripts, not sent along by other sites' forms; behind TLS (secure) under the
// name that no other host can set.
func (in SignIn) Cookie(secure bool, now time.Time) *http.Cookie {
	return signInCookie(secure, in.Secret, max(int(in.ExpiresAt.Sub(now)/time.Second), 1))
}

// NoCookie makes the browser forget it: at signing out, and when Authenticate
// says "auth/sign-in-expired".
func NoCookie(secure bool) *http.Cookie { return signInCookie(secure, "", -1) }

func signInCookie(secure bool, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: auth.SessionCookie(secure), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode,
	}
}
