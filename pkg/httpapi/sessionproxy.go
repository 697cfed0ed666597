package httpapi

import (
	"context"
	"net/http"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

// SessionProxy is what a proxy in front of MedForge asks about a visitor.
type SessionProxy struct {
	// Check says whether a visitor who asked for that host with those headers
	// may go on to its session. Errors: Misdirected (not a session's host),
	// Unauthenticated, Denied, NotFound.
	Check func(host string, h http.Header) error
	// Upstream is where the visitor's request goes then, "127.0.0.1:8080": to
	// MedForge's own listener, which takes MedForge's cookies and tokens out of
	// it and dials the session's socket without following what the session put
	// there. The socket's path is never told.
	Upstream string
}

// sessionProxy answers a proxy in front (forward-auth). The visitor's host
// stands in X-Forwarded-Host: with the visitor's own Host the request would be
// one to the session's host, where this is never served.
func (s *Server) sessionProxy(ctx context.Context, _ auth.Actor, _ *none) (http.HandlerFunc, error) {
	host := requestOf(ctx).host
	if host == "" {
		return nil, fault.New(fault.Denied, api.CodeProxyNotTrusted,
			"This is for proxies in front of MedForge that http.trusted_proxies names; they send the visitor's host as X-Forwarded-Host.")
	}
	return func(w http.ResponseWriter, r *http.Request) {
		err := s.SessionProxy.Check(host, r.Header)
		if fault.Is(err, fault.Misdirected) {
			err = fault.New(fault.NotFound, "sessions/not-running", "The host name %q is not that of a session here.", host)
		}
		if err != nil {
			s.writeProblem(w, r, err)
			return
		}
		w.Header().Set("X-Upstream", s.SessionProxy.Upstream)
	}, nil
}
