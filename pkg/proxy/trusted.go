package proxy

import (
	"net/http"
	"net/netip"
	"strings"
)

// Trusted are the proxies in front whose word about a visitor is believed:
// those of the configuration's list, and nobody else.
type Trusted []netip.Prefix

func (t Trusted) has(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range t {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func peer(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}

// Sent reports whether one of them sent the request.
func (t Trusted) Sent(r *http.Request) bool { return t.has(peer(r)) }

// ClientAddr is the visitor's address: the connection's, or when one of them
// sent it, the last in X-Forwarded-For that is not theirs. What stands to the
// left of it, the visitor wrote. An entry that is no address ends the walk: a
// trusted proxy is then the nearest that is known. Not valid when the
// connection has no address.
func (t Trusted) ClientAddr(r *http.Request) netip.Addr {
	at := peer(r)
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0 && t.has(at); i-- {
		for rest, more := lines[i], true; more && t.has(at); {
			var entry string
			entry, rest, more = cutLast(rest)
			next, ok := forwardedAddr(entry)
			if !ok {
				return at
			}
			at = next
		}
	}
	return at
}

// cutLast takes the last entry of a comma separated list away.
func cutLast(list string) (last, rest string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return list, "", false
	}
	return list[i+1:], list[:i], true
}

// forwardedAddr reads an entry, with a port or without, as proxies write it.
func forwardedAddr(s string) (netip.Addr, bool) {
	s = strings.Trim(s, " \t")
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return a.Unmap().WithZone(""), err == nil
}
