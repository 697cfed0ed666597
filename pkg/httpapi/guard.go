package httpapi

import (
	"net"
	"net/http"
	"slices"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

// socketHost reports whether it is one of the names that a request on a unix socket may carry as its
// host: the client's own, and what people write for curl --unix-socket.
func socketHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return host == "medforge" || host == "localhost"
}

// guardSocket refuses what a browser was led to send: a program that forwards
// web requests to a unix socket carries their Origin, Referer or Host along.
func guardSocket(r *http.Request) error {
	for _, name := range []string{"Origin", "Referer"} {
		if r.Header.Get(name) != "" {
			return fault.New(fault.Denied, api.CodeForeignOrigin,
				"Requests on this socket carry no %s: web pages may not use it.", name)
		}
	}
	if !socketHost(r.Host) {
		return fault.New(fault.Misdirected, api.CodeUnknownHost,
			"The host name on this socket is medforge or localhost.")
	}
	return nil
}

// guardOrigins refuses requests that change state from any page but MedForge's
// own. A session's host is foreign, although it is the same site.
func guardOrigins(ours []string) func(*http.Request) error {
	// Sec-Fetch-Site, and Origin against Host where a browser sends no
	// Sec-Fetch-Site.
	cross := http.NewCrossOriginProtection()
	return func(r *http.Request) error {
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodOptions:
			return nil
		}
		origin, sent := r.Header["Origin"]
		foreign := sent && (len(origin) != 1 || !slices.Contains(ours, origin[0]))
		if foreign || cross.Check(r) != nil {
			return fault.New(fault.Denied, api.CodeForeignOrigin,
				"This request comes from a page that is not MedForge's own.")
		}
		return nil
	}
}
