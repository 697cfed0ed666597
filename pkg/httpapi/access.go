package httpapi

import (
	"context"

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
	id    string
	path  string
	base  string // Options.BaseURL, for problem types
	actor auth.Actor
}

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

func actorOf(ctx context.Context) auth.Actor { return requestOf(ctx).actor }
