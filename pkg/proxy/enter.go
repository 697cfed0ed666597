package proxy

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

// serveOwn serves MedForge's own paths on a session's host.
func (p *Proxy) serveOwn(w http.ResponseWriter, r *http.Request, slug string) {
	switch {
	case r.Method != http.MethodGet:
		p.refuse(w, r, fault.New(fault.NotFound, "request/unknown-path", "nothing is here"))
	case r.URL.Path == enterPath:
		p.enter(w, r, slug)
	case r.URL.Path == arrivedPath:
		p.arrived(w, r, slug)
	default:
		p.refuse(w, r, fault.New(fault.NotFound, "request/unknown-path", "nothing is here"))
	}
}

// enter turns the one-time ticket into this host's cookie. The answer leads to
// arrived, which sees whether the browser kept it: a browser that does not must
// not be sent round in circles.
func (p *Proxy) enter(w http.ResponseWriter, r *http.Request, slug string) {
	if embedded(r) { // and the ticket is not used up
		p.refuse(w, r, errOrigin)
		return
	}
	q := r.URL.Query()
	view, there := p.o.Sessions.BySlug(slug)
	ticket := q.Get("ticket")
	// A session that is not there still uses the ticket up: it was shown.
	secret, expires, err := p.o.Keys.Redeem(r.Context(), ticket, view.ID, r.UserAgent())
	if err != nil || !there {
		p.notEntered(w, r, slug, q.Get("to"), err)
		return
	}
	life := int(expires.Sub(p.o.Now()) / time.Second)
	http.SetCookie(w, p.cookie(secret, max(life, 1)))
	p.redirect(w, r, arrivedPath+"?"+query("to", localTarget(q.Get("to"))))
}

// notEntered: somebody who is in already may just have reloaded the link.
func (p *Proxy) notEntered(w http.ResponseWriter, r *http.Request, slug, to string, err error) {
	v := p.gate(r.Header, slug)
	if v.err == nil {
		p.redirect(w, r, localTarget(to))
		return
	}
	var e *fault.Error
	if err != nil && !errors.As(err, &e) {
		e = fault.Wrap(err, fault.Internal, "internal/unexpected", "something went wrong")
	}
	if e == nil {
		e = errNoSession
	}
	if e.Kind == fault.Internal || e.Kind == fault.Unavailable {
		p.o.Logger.Error("a ticket could not be redeemed", "slug", slug, "error", err)
	}
	if !navigation(r) {
		p.refuse(w, r, e)
		return
	}
	switch e.Kind {
	case fault.Unauthenticated:
		p.page(w, r, status(e), pageUsedLink, slug)
	case fault.NotFound:
		p.page(w, r, status(e), pageNotRunning, slug)
	default:
		p.refuse(w, r, e)
	}
}

func (p *Proxy) arrived(w http.ResponseWriter, r *http.Request, slug string) {
	v := p.gate(r.Header, slug)
	if v.err != nil && v.err.Kind == fault.Unauthenticated {
		p.page(w, r, http.StatusUnauthorized, pageNoCookie, slug)
		return
	}
	p.redirect(w, r, localTarget(r.URL.Query().Get("to")))
}

// cookie is this host's: host-only (no Domain), not readable by scripts, and
// behind TLS with the prefix that keeps other hosts from setting it.
func (p *Proxy) cookie(secret string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: auth.IDECookie(p.o.Hosts.Secure), Value: secret, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: p.o.Hosts.Secure, SameSite: http.SameSiteLaxMode,
	}
}

// Open is mounted at Options.OpenPath on the main host: it takes a visitor who
// is signed in there on to a session's host ("return"), with a one-time ticket
// for exactly that host; one who is not goes to the sign-in page first.
func (p *Proxy) Open(w http.ResponseWriter, r *http.Request, a auth.Actor) {
	if embedded(r) {
		p.refuse(w, r, errOrigin)
		return
	}
	target := r.URL.Query().Get("return")
	slug, path, ok := p.o.Hosts.ReturnTarget(target)
	if !ok {
		p.refuse(w, r, fault.New(fault.Invalid, "request/bad-return",
			"the address to return to is not that of a session here"))
		return
	}
	if !a.Known() {
		p.redirect(w, r, p.o.Hosts.MainOrigin()+p.o.SignInPath+"?"+query("return", target))
		return
	}
	view, there := p.o.Sessions.BySlug(slug)
	switch {
	case !there:
		p.page(w, r, http.StatusNotFound, pageNotRunning, slug)
		return
	case !a.Owns(view.UserID):
		p.page(w, r, http.StatusForbidden, pageNotYours, slug)
		return
	}
	ticket, _, err := p.o.Keys.Ticket(r.Context(), a, view.ID, view.UserID)
	if err != nil {
		p.refuse(w, r, fault.As(err))
		return
	}
	p.redirect(w, r, p.o.Hosts.TicketURL(slug, ticket, path))
}

// embedded reports a browser that asks for something to put into a page, an
// image or a frame: a page of somebody else's must not sign its visitor in.
func embedded(r *http.Request) bool {
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	return mode != "" && mode != "navigate" || dest != "" && dest != "document"
}

func query(key, value string) string { return url.Values{key: {value}}.Encode() }

func (p *Proxy) redirect(w http.ResponseWriter, _ *http.Request, to string) {
	ownHeaders(w.Header())
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}
