package httpapi

import (
	"net/http"

	"github.com/medforge/medforge/pkg/api"
)

// takesJSON are the problems of whatever takes a JSON body.
func takesJSON(more ...int) []int { return append([]int{400, 413, 415}, more...) }

// accountRoutes are what everybody does with an account of one's own.
func (s *Server) accountRoutes() []Route {
	const token, browser = api.Prefix + "/me/tokens/{id}", api.Prefix + "/me/sessions/{id}"
	return []Route{
		answer(Route{Method: http.MethodGet, Path: api.Path("auth"), Access: Everyone, InSession: true, Tag: tagAccounts,
			Summary: "Whether somebody is signed in, and who may sign up"}, s.auth),
		answer(Route{Method: http.MethodPost, Path: api.Path("auth", "signup"), Access: Everyone, Tag: tagAccounts, Status: 201,
			Summary: "Make an account and sign in", Problems: takesJSON(403, 409, 429)}, s.signup),
		answer(Route{Method: http.MethodPost, Path: api.Path("auth", "login"), Access: Everyone, Tag: tagAccounts,
			Summary: "Sign in", Problems: takesJSON(401, 403, 429)}, s.login),
		answer(Route{Method: http.MethodPost, Path: api.Path("auth", "logout"), Access: Everyone, Tag: tagAccounts,
			Summary: "End the cookie or token that this request comes with"}, s.logout),

		answer(Route{Method: http.MethodGet, Path: api.Path("me"), Access: SignedIn, InSession: true, Tag: tagAccounts,
			Summary: "Who is asking"}, s.me),
		answer(Route{Method: http.MethodPost, Path: api.Path("me", "password"), Access: SignedIn, Tag: tagAccounts,
			Summary: "Change the password; signs out everywhere else", Problems: takesJSON(403, 409, 429)}, s.changePassword),

		list(Route{Method: http.MethodGet, Path: api.Path("me", "tokens"), Access: SignedIn, Tag: tagAccounts,
			Summary: "The caller's tokens, without their secrets"}, "tokens", s.tokens),
		answer(Route{Method: http.MethodPost, Path: api.Path("me", "tokens"), Access: SignedIn, Tag: tagAccounts, Status: 201,
			Summary: "Make a bearer token; it is shown once", Problems: takesJSON(409)}, s.createToken),
		answer(Route{Method: http.MethodDelete, Path: token, Access: SignedIn, Tag: tagAccounts,
			Summary: "Revoke a token", Problems: []int{404}}, s.revokeToken),

		list(Route{Method: http.MethodGet, Path: api.Path("me", "sessions"), Access: SignedIn, Tag: tagAccounts,
			Summary: "The browsers that the caller is signed in with"}, "browsers", s.browsers),
		answer(Route{Method: http.MethodDelete, Path: browser, Access: SignedIn, Tag: tagAccounts,
			Summary: "Sign a browser out", Problems: []int{404}}, s.endBrowser),
		answer(Route{Method: http.MethodDelete, Path: api.Path("me", "sessions"), Access: SignedIn, Tag: tagAccounts,
			Summary: "Sign every other browser out"}, s.endOtherBrowsers),
	}
}

// sessionProxyRoutes are there when sessions are served behind this.
func (s *Server) sessionProxyRoutes() []Route {
	return []Route{
		bare(Route{Method: http.MethodGet, Path: api.Path("auth", "session-proxy"), Access: Everyone, Tag: tagSessions,
			Summary:  "For a proxy in front: whether the visitor may go on to the session, and where it is (X-Upstream)",
			AnyQuery: true, // some proxies send the visitor's along
			Problems: []int{401, 403, 404}}, content{media: "text/plain"}, s.sessionProxy),
	}
}

// userRoutes are what admins do with everybody's accounts.
func (s *Server) userRoutes() []Route {
	const one = api.Prefix + "/admin/users/{ref}"
	return []Route{
		list(Route{Method: http.MethodGet, Path: api.Path("admin", "users"), Access: Admin, Tag: tagAccounts,
			Summary: "The accounts, oldest first"}, "users", s.users),
		answer(Route{Method: http.MethodPost, Path: api.Path("admin", "users"), Access: Admin, Tag: tagAccounts, Status: 201,
			Summary: "Make an account, with a password when it has an email address", Problems: takesJSON(409)}, s.createUser),
		answer(Route{Method: http.MethodGet, Path: one, Access: Admin, Tag: tagAccounts,
			Summary: "One account, by id, email address or Unix name", Problems: []int{404}}, s.user),
		answer(Route{Method: http.MethodPatch, Path: one, Access: Admin, Tag: tagAccounts,
			Summary: "Change an account: its role, limit, names, or whether it is disabled", Problems: takesJSON(404, 409)}, s.setUser),
	}
}
