package proxy

import (
	"net/http"
	"strings"

	"github.com/medforge/medforge/pkg/auth"
)

// cleanRequest takes out what an IDE must not get: MedForge's cookies and
// tokens, and what only a proxy may say about the visitor.
func cleanRequest(h http.Header) {
	cleanCookies(h)
	if values, ok := h["Authorization"]; ok {
		kept := values[:0:0]
		for _, v := range values {
			if _, own := ownToken(v); !own {
				kept = append(kept, v)
			}
		}
		replace(h, "Authorization", kept)
	}
	for name := range h {
		if !mayPass(name) {
			delete(h, name)
		}
	}
}

// mayPass keeps back what only a proxy may say about a visitor.
func mayPass(name string) bool {
	switch name[0] {
	case 'X':
		return !strings.HasPrefix(name, "X-Forwarded") && !strings.HasPrefix(name, "X_forwarded") &&
			!strings.HasPrefix(name, "X-Medforge") &&
			name != "X-Real-Ip" && name != "X-Upstream" && name != "X-Original-Url" && name != "X-Rewrite-Url"
	case 'P':
		return !strings.HasPrefix(name, "Proxy-")
	case 'F':
		return name != "Forwarded"
	case 'E':
		return name != "Early-Data"
	}
	return true
}

func replace(h http.Header, name string, values []string) {
	if len(values) == 0 {
		delete(h, name)
	} else {
		h[name] = values
	}
}

// cleanCookies leaves the IDE its own cookies only.
func cleanCookies(h http.Header) {
	lines, ok := h["Cookie"]
	if !ok {
		return
	}
	kept := lines[:0:0]
	for _, line := range lines {
		if line = cleanCookieLine(line); line != "" {
			kept = append(kept, line)
		}
	}
	replace(h, "Cookie", kept)
}

// cleanCookieLine cuts at every semicolon, quoted or not: a server that reads
// quotes otherwise sees less than was sent, never more.
func cleanCookieLine(line string) string {
	var b strings.Builder
	for line != "" {
		var part string
		part, line, _ = strings.Cut(line, ";")
		part = strings.Trim(part, " \t")
		name, _, _ := strings.Cut(part, "=")
		if part == "" || auth.OwnCookie(strings.Trim(name, " \t\"")) {
			continue
		}
		// A cookie without a name is sent as its value alone, "=a=b" by some:
		// it must not come out as one of ours.
		if auth.OwnCookie(strings.TrimLeft(part, "= \t\"")) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(part)
	}
	return b.String()
}

// cleanResponse takes out what an IDE must not do to its visitor: set a cookie
// for the parent domain or under one of our names, end our sign-in
// (Clear-Site-Data empties the whole site's cookies), send the browser to
// another port (Alt-Svc). Nobody may frame an IDE but itself.
func cleanResponse(h http.Header) {
	if lines, ok := h["Set-Cookie"]; ok {
		kept := lines[:0:0]
		for _, line := range lines {
			if mayset(line) {
				kept = append(kept, line)
			}
		}
		replace(h, "Set-Cookie", kept)
	}
	delete(h, "Clear-Site-Data")
	delete(h, "Alt-Svc")
	h["Content-Security-Policy"] = append(h["Content-Security-Policy"], "frame-ancestors 'self'")
}

// mayset reads a Set-Cookie line as browsers do (RFC 6265bis, section 5.6).
func mayset(line string) bool {
	for i := range len(line) {
		// net/http writes a line end as a space, behind which an attribute
		// could hide; browsers refuse such a cookie altogether.
		if c := line[i]; (c < ' ' && c != '\t') || c == 0x7f {
			return false
		}
	}
	pair, attrs, _ := strings.Cut(line, ";")
	name, _, found := strings.Cut(pair, "=")
	name = strings.Trim(name, " \t")
	if !found || name == "" || auth.OwnCookie(strings.Trim(name, "\"")) {
		return false // without a name its value is sent bare, and could be "medforge_ide=..."
	}
	for attrs != "" {
		var attr string
		attr, attrs, _ = strings.Cut(attrs, ";")
		key, _, _ := strings.Cut(attr, "=")
		if strings.EqualFold(strings.Trim(key, " \t"), "domain") {
			return false
		}
	}
	return true
}

// dropHopByHop takes out what concerns one connection only (RFC 9110, section
// 7.6.1), for WebSockets; ReverseProxy does it for the rest.
func dropHopByHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			delete(h, http.CanonicalHeaderKey(strings.Trim(name, " \t")))
		}
	}
	for name := range h {
		if hopByHop(name) {
			delete(h, name)
		}
	}
}

func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}
