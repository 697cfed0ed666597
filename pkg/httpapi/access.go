package httpapi

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

// Access says who may call a route. The zero value is none of them, and a row
// with it is refused.
type Access int

// Who may call.
const (
	Everyone Access = iota + 1 // signed in or not
	SignedIn                   // any account; what it sees is its own
	Owner                      // the owner of the thing in the path, or an admin; the domain checks it
	Admin                      // admins, and not from inside a session
)

// admit decides at the door, before anything of the request is read.
func (r Route) admit(ctx context.Context) error {
	a := actorOf(ctx)
	if a.Via == auth.ViaSession && !r.InSession {
		return fault.New(fault.Denied, api.CodeNotFromSession,
			"This cannot be done from inside a session. Do it on the host or on MedForge's page.")
	}
	if r.Access == Everyone {
		return nil
	}
	if !a.Known() {
		if stale := requestOf(ctx).stale; stale != nil {
			return stale
		}
		return fault.New(fault.Unauthenticated, api.CodeNotSignedIn,
			"You are not signed in. Sign in on MedForge's page or with medforge login URL.")
	}
	if r.Access == Admin && !a.Admin() {
		return fault.New(fault.Denied, api.CodeAdminOnly, "Only an admin of this MedForge may do this.")
	}
	return nil
}

// request is what is known of a request from the moment it was accepted. It
// travels in the request's context: it is about that request and holds no
// service.
type request struct {
	id     string
	path   string
	base   string     // Options.BaseURL, for problem types
	client netip.Addr // not valid on a unix socket
	agent  string     // the client's user agent
	// host is the one that the visitor of a proxy in front asked for, when
	// such a proxy is believed.
	host    string
	actor   auth.Actor
	pass    auth.Pass   // what let the actor in; nil for a socket's peers
	stale   error       // a cookie that opens nothing came along
	answer  http.Header // of the answer
	arrived func()      // lifts the deadline that the body had
}

// setCookie replaces whatever the answer said about the sign-in cookie.
func (r *request) setCookie(c *http.Cookie) { r.answer.Set("Set-Cookie", c.String()) }

type requestKey struct{}

func withRequest(ctx context.Context, r *request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// requestOf never returns nil, so that a problem can always be written.
func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{}
}

// untilRevoked ends with ctx, or when what let the actor in has ended: a stream
// must not outlive the sign-in.
func untilRevoked(ctx context.Context) context.Context {
	pass := requestOf(ctx).pass
	if pass == nil {
		return ctx
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() { // ends with the request
		defer cancel()
		select {
		case <-pass.Done():
		case <-ctx.Done():
		}
	}()
	return ctx
}

func actorOf(ctx context.Context) auth.Actor { return requestOf(ctx).actor }
