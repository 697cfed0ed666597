package httpapi

import (
	"net/http"
	"strings"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

// Pages are what browsers meet on MedForge's own host besides the API.
type Pages struct {
	// Open takes a visitor on to a session's host: proxy.Proxy.Open. nil: there
	// are no pages.
	Open func(w http.ResponseWriter, r *http.Request, a auth.Actor)
	// Return reads where a visitor wanted to go before signing in. Only an
	// exact session's host of ours is one: its origin comes with it.
	Return func(raw string) (origin string, ok bool)
	// Web is the web page, with a sign-in page of its own at api.PathSignIn. nil:
	// a small form stands in for that.
	Web http.Handler
}

// Page is a path of MedForge's own host that is no part of the API. Everybody
// may ask for it.
type Page struct {
	Method, Path string
	handle       http.HandlerFunc
}

// PageTable lists the pages that MedForge serves itself.
func (s *Server) PageTable() []Page {
	if s.Pages.Open == nil {
		return nil
	}
	all := []Page{{http.MethodGet, api.PathOpen, func(w http.ResponseWriter, r *http.Request) {
		s.Pages.Open(w, r, actorOf(r.Context()))
	}}}
	if s.Pages.Web != nil {
		return all
	}
	return append(all,
		Page{http.MethodGet, "/", func(w http.ResponseWriter, r *http.Request) { seeOther(w, api.PathSignIn) }},
		Page{http.MethodGet, api.PathSignIn, s.showSignIn},
		Page{http.MethodPost, api.PathSignIn, s.postSignIn},
		Page{http.MethodPost, pathSignOut, s.postSignOut},
	)
}

const pathSignOut = "/signout"

// page serves a page and reports whether the path is one.
func (s *Server) page(w http.ResponseWriter, r *http.Request) bool {
	if s.problem(w, r) {
		return true
	}
	var allow []string
	for _, p := range s.pages {
		if p.Path != r.URL.Path {
			continue
		}
		if p.Method == r.Method {
			p.handle(w, r)
			return true
		}
		allow = append(allow, p.Method)
	}
	switch {
	case len(allow) > 0:
		w.Header().Set("Allow", strings.Join(allow, ", "))
		s.writeProblem(w, r, fault.New(fault.Invalid, api.CodeMethodNotAllowed,
			"%s is not possible here; %s is.", r.Method, strings.Join(allow, " and ")))
		return true
	case s.Pages.Web != nil && !isAPI(r.URL.Path):
		s.Pages.Web.ServeHTTP(w, r)
		return true
	}
	return false
}

func isAPI(path string) bool {
	return strings.HasPrefix(path, "/api/") || path == "/api" || path == api.PathHealthz
}

func seeOther(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}
