package proxy

import (
	"net/http"
	"strings"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

// verdict is the gate's answer about one request.
type verdict struct {
	view  View
	grant auth.Grant
	// stale: a cookie of ours came along that opens nothing here.
	stale bool
	// byToken: a bearer token let the caller in; no browser sends one by itself.
	byToken bool
	err     *fault.Error // nil: come in
}

// gate says whether the request may reach the session's IDE: 401 for whoever
// shows nothing that counts here, before anything is told about the slug; 404
// when there is nothing to reach; 403 for whoever is somebody else. It asks
// only memory and allocates nothing.
func (p *Proxy) gate(h http.Header, slug string) (v verdict) {
	view, there := p.o.Sessions.BySlug(slug)
	v.view = view
	if token, ok := bearer(h); ok {
		v.grant, v.byToken = p.o.Keys.Token(token)
		if !v.byToken {
			v.err = errNotSignedIn
			return v
		}
	} else if !p.byCookie(h, &v, there) {
		v.err = errNotSignedIn
		return v
	}
	switch {
	case !there:
		v.err = errNoSession
	case !v.grant.Actor.Owns(view.UserID):
		v.err = errNotYours
	case !view.Running:
		v.err = errNoSession
	}
	return v
}

// byCookie looks for a cookie that is good for this very session. A cookie of
// another session's host tells who the visitor is only where there is nothing
// to open; otherwise it counts for nothing.
func (p *Proxy) byCookie(h http.Header, v *verdict, there bool) bool {
	name := auth.IDECookie(p.o.Hosts.Secure)
	for _, line := range h["Cookie"] {
		for line != "" {
			var part string
			part, line, _ = strings.Cut(line, ";")
			key, value, found := strings.Cut(strings.Trim(part, " \t"), "=")
			if !found || key != name {
				continue
			}
			g, ok := p.o.Keys.SessionHost(value)
			if ok && (!there || g.SessionID == v.view.ID) {
				v.grant, v.stale = g, false
				return true
			}
			v.stale = true
		}
	}
	return false
}

// bearer returns a token of ours from the Authorization header. An IDE's own
// Authorization is none of our business.
func bearer(h http.Header) (string, bool) {
	for _, v := range h["Authorization"] {
		if token, ok := ownToken(v); ok {
			return token, true
		}
	}
	return "", false
}

// ownToken finds a token of ours behind whatever scheme.
func ownToken(v string) (string, bool) {
	v = strings.Trim(v, " \t")
	if i := strings.LastIndexAny(v, " \t"); i >= 0 {
		v = v[i+1:]
	}
	return v, strings.HasPrefix(v, auth.TokenPrefix)
}

// Check is the gate for a proxy in front that asks before it forwards
// (forward-auth): host is the host that the visitor asked for, h the headers
// the visitor sent. It returns the session, or an error of kind Misdirected
// (the host is not a session's), Unauthenticated, Denied or NotFound.
func (p *Proxy) Check(host string, h http.Header) (View, error) {
	kind, slug := p.o.Hosts.Parse(host)
	if kind != Session {
		return View{}, errHost
	}
	if v := p.gate(h, slug); v.err != nil {
		return View{}, v.err
	} else {
		return v.view, nil
	}
}

// sameOrigin refuses what another site's page makes a browser send along with
// the visitor's cookie. Sessions' hosts are one site to a browser, so SameSite
// does not keep them apart: a page of one session may only link to another.
func (p *Proxy) sameOrigin(r *http.Request, v *verdict, slug string) bool {
	if v.byToken {
		return true
	}
	if isWebSocket(r.Header) {
		origin := r.Header["Origin"]
		return len(origin) == 1 && p.ownOrigin(origin[0], r.Host, slug)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions {
		if origin := r.Header.Get("Origin"); origin != "" && !p.ownOrigin(origin, r.Host, slug) {
			return false
		}
		return p.cop.Check(r) == nil
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-site", "cross-site":
		return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	}
	return true
}

// ownOrigin compares with the host that was asked for and with the configured
// one: a proxy in front may have taken the port out of the Host header.
func (p *Proxy) ownOrigin(origin, host, slug string) bool {
	rest, ok := strings.CutPrefix(origin, p.o.Hosts.scheme())
	if !ok {
		return false
	}
	rest, ok = strings.CutPrefix(rest, "://")
	return ok && (strings.EqualFold(rest, host) || origin == p.o.Hosts.SessionOrigin(slug))
}

// isWebSocket reports an RFC 6455 handshake.
func isWebSocket(h http.Header) bool {
	return hasToken(h["Upgrade"], "websocket") && hasToken(h["Connection"], "upgrade")
}

// hasToken looks for a word in comma separated lists.
func hasToken(lines []string, word string) bool {
	for _, line := range lines {
		for line != "" {
			var part string
			part, line, _ = strings.Cut(line, ",")
			if strings.EqualFold(strings.Trim(part, " \t"), word) {
				return true
			}
		}
	}
	return false
}
