// Package proxy is the public listener's front: it tells MedForge's own hosts
// from the sessions' by the Host header, signs visitors in on a session's host,
// and carries their requests to that session's IDE.
package proxy

import (
	"net"
	"net/url"
	"strings"
)

// Kind is what a host name stands for.
type Kind int

// The kinds. The zero Kind is a host that is not served here.
const (
	Unknown Kind = iota
	Main         // medforge.<domain>
	API          // api.medforge.<domain>
	Session      // s-<slug>.medforge.<domain>
)

// slugLen is a slug's length: lower-case base32 without padding.
const slugLen = 8

// Hosts are the host names that are served, as people reach them.
type Hosts struct {
	Domain string // lower case, without a trailing dot: "example.org"
	Secure bool   // https, here or at a proxy in front
	Port   string // empty: the scheme's own
}

// Parse tells what a Host header stands for: in any case, with or without a
// port (whichever: it may be forwarded), with or without the root's dot. A
// session's slug comes with it. It allocates nothing for a lower-case host.
func (h Hosts) Parse(host string) (Kind, string) {
	host, ok := cutPort(host)
	if !ok {
		return Unknown, ""
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	rest, ok := strings.CutSuffix(host, h.Domain)
	if !ok || h.Domain == "" {
		return Unknown, ""
	}
	switch rest {
	case "medforge.":
		return Main, ""
	case "api.medforge.":
		return API, ""
	}
	slug, ok := strings.CutSuffix(rest, ".medforge.")
	if !ok {
		return Unknown, ""
	}
	if slug, ok = strings.CutPrefix(slug, "s-"); !ok || !isSlug(slug) {
		return Unknown, ""
	}
	return Session, slug
}

// cutPort takes ":8080" away. Brackets, as IPv6 addresses have them, are of no
// host of ours.
func cutPort(host string) (string, bool) {
	name, port, found := strings.Cut(host, ":")
	if !found {
		return host, true
	}
	if len(port) < 1 || len(port) > 5 {
		return "", false
	}
	for i := range len(port) {
		if port[i] < '0' || port[i] > '9' {
			return "", false
		}
	}
	return name, true
}

func isSlug(s string) bool {
	if len(s) != slugLen {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// MainOrigin is where the page and the API are: "https://medforge.example.org".
func (h Hosts) MainOrigin() string { return h.origin("medforge." + h.Domain) }

// SessionOrigin is where a session's IDE is.
func (h Hosts) SessionOrigin(slug string) string {
	return h.origin("s-" + slug + ".medforge." + h.Domain)
}

// ReturnOrigin is the origin of the session's host that ReturnTarget takes.
func (h Hosts) ReturnOrigin(raw string) (origin string, ok bool) {
	slug, _, ok := h.ReturnTarget(raw)
	if !ok {
		return "", false
	}
	return h.SessionOrigin(slug), true
}

func (h Hosts) scheme() string {
	if h.Secure {
		return "https"
	}
	return "http"
}

func (h Hosts) origin(host string) string {
	if h.Port != "" {
		host = net.JoinHostPort(host, h.Port)
	}
	return h.scheme() + "://" + host
}

// TicketURL is the one-time link: it signs in on the session's host and goes on
// to path ("" is "/").
func (h Hosts) TicketURL(slug, ticket, path string) string {
	q := url.Values{"ticket": {ticket}}
	if path != "" && path != "/" {
		q.Set("to", path)
	}
	return h.SessionOrigin(slug) + enterPath + "?" + q.Encode()
}

// ReturnTarget reads where a visitor wanted to go before signing in. Only an
// exact session host of ours is taken: its slug, and the path with its query.
func (h Hosts) ReturnTarget(raw string) (slug, path string, ok bool) {
	for _, c := range raw {
		if c <= ' ' || c == 0x7f || c == '\\' { // browsers read "\" as "/"
			return "", "", false
		}
	}
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Opaque != "" || u.Scheme != h.scheme() {
		return "", "", false
	}
	kind, slug := h.Parse(u.Host)
	if kind != Session || u.Scheme+"://"+u.Host != h.SessionOrigin(slug) {
		return "", "", false
	}
	return slug, cleanTarget(u), true
}

// localTarget is ReturnTarget for a path on the same host. What is not one
// becomes "/".
func localTarget(raw string) string {
	for _, c := range raw {
		if c <= ' ' || c == 0x7f || c == '\\' {
			return "/"
		}
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "/"
	}
	return cleanTarget(u)
}

// cleanTarget is the path and query, never one that a browser reads as another
// host ("//evil.example") or that leads back to the sign-in.
func cleanTarget(u *url.URL) string {
	p := "/" + strings.TrimLeft(u.EscapedPath(), "/")
	if reserved(u.Path) {
		return "/"
	}
	if u.RawQuery != "" {
		p += "?" + u.RawQuery
	}
	return p
}
