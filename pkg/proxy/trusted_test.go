package proxy_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/medforge/medforge/pkg/proxy"
)

func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	trusted := proxy.Trusted{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("127.0.0.1/32")}
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		want       string
		sent       bool
	}{
		{"a visitor", "203.0.113.7:999", nil, "203.0.113.7", false},
		{"a visitor who lies", "203.0.113.7:999", []string{"198.51.100.1"}, "203.0.113.7", false},
		{"through a proxy", "10.0.0.5:1", []string{"198.51.100.1"}, "198.51.100.1", true},
		{"through two of ours", "10.0.0.5:1", []string{"198.51.100.1, 10.0.0.9"}, "198.51.100.1", true},
		{"on two lines", "10.0.0.5:1", []string{"198.51.100.1", "10.0.0.9"}, "198.51.100.1", true},
		{"what the visitor wrote does not count", "10.0.0.5:1", []string{"192.0.2.1, 198.51.100.1"}, "198.51.100.1", true},
		{"nor on a line before", "10.0.0.5:1", []string{"192.0.2.1, 10.0.0.3", "198.51.100.1"}, "198.51.100.1", true},
		{"the visitor claims to be a proxy", "10.0.0.5:1", []string{"10.0.0.77, 198.51.100.1"}, "198.51.100.1", true},
		{"only proxies", "10.0.0.5:1", []string{"10.0.0.1, 10.0.0.2"}, "10.0.0.1", true},
		{"junk", "10.0.0.5:1", []string{"198.51.100.1, unknown"}, "10.0.0.5", true},
		{"empty", "10.0.0.5:1", []string{""}, "10.0.0.5", true},
		{"none", "10.0.0.5:1", nil, "10.0.0.5", true},
		{"with a port", "10.0.0.5:1", []string{"198.51.100.1:8443"}, "198.51.100.1", true},
		{"IPv6", "[::1]:1", []string{"[2001:db8::1]:44"}, "2001:db8::1", true},
		{"IPv6 bare", "[::1]:1", []string{"2001:db8::1"}, "2001:db8::1", true},
		{"IPv4 in IPv6", "[::ffff:127.0.0.1]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1", true},
		{"a unix socket", "@", []string{"198.51.100.1"}, "invalid IP", false},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		if c.forwarded != nil {
			r.Header["X-Forwarded-For"] = c.forwarded
		}
		if got := trusted.ClientAddr(r).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if got := trusted.Sent(r); got != c.sent {
			t.Errorf("%s: sent by one of ours: %v", c.name, got)
		}
		if got := (proxy.Trusted)(nil).ClientAddr(r); c.peer != "@" && got != peerOf(c.peer) {
			t.Errorf("%s: with no list: %s", c.name, got)
		}
	}
}

func peerOf(s string) netip.Addr { return netip.MustParseAddrPort(s).Addr().Unmap() }

func FuzzForwardedFor(f *testing.F) {
	trusted := proxy.Trusted{netip.MustParsePrefix("10.0.0.0/24")}
	f.Add("198.51.100.1, 10.0.0.9")
	f.Add("[2001:db8::1%eth0]:1,")
	f.Fuzz(func(t *testing.T, v string) {
		r := &http.Request{RemoteAddr: "203.0.113.7:1", Header: http.Header{"X-Forwarded-For": {v}}}
		if got := trusted.ClientAddr(r).String(); got != "203.0.113.7" {
			t.Fatalf("a stranger became %s", got)
		}
		r.RemoteAddr = "10.0.0.5:1"
		if a := trusted.ClientAddr(r); !a.IsValid() || a.Zone() != "" {
			t.Fatalf("%q gave %v", v, a)
		}
	})
}
