package config

import (
	"encoding/base64"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// path is an absolute path, cleaned.
// max is its longest in bytes, 0 for no bound.
type path struct {
	optional bool
	max      int
}

func (k path) parse(raw any) (any, string) {
	s, ok := asString(raw)
	if ok && s == "" && k.optional {
		return s, ""
	}
	if !ok || !filepath.IsAbs(s) || strings.ContainsRune(s, 0) {
		return nil, "an absolute path, such as \"/var/lib/medforge\""
	}
	if s = filepath.Clean(s); k.max > 0 && len(s) > k.max {
		return nil, fmt.Sprintf("a path of at most %d bytes, since Unix sockets cannot have longer ones", k.max)
	}
	return s, ""
}

// address is where a listener listens: host and port.
type address struct{ optional bool }

func (k address) parse(raw any) (any, string) {
	s, ok := asString(raw)
	if ok && s == "" && k.optional {
		return s, ""
	}
	const expected = "an IP address and a port, such as \"127.0.0.1:8080\", or \":8080\" for every address"
	if !ok {
		return nil, expected
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || !validPort(port, 0) {
		return nil, expected
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && host != "localhost" {
		return nil, expected
	}
	return s, ""
}

func validPort(s string, least int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= least && n <= math.MaxUint16
}

// external is "http" or "https", with a port or without.
type external struct{}

func (external) parse(raw any) (any, string) {
	s, ok := asString(raw)
	if ok && s == "" {
		return s, ""
	}
	scheme, port, hasPort := strings.Cut(s, ":")
	if !ok || scheme != "http" && scheme != "https" || hasPort && !validPort(port, 1) {
		return nil, "\"https\" or \"http\", with a port where it is not the usual one, such as \"https:8443\"; the host is always medforge.<domain>"
	}
	return s, ""
}

// prefix is a network; a single address is a network of one.
type prefix struct{}

func (prefix) parse(raw any) (any, string) {
	s, _ := asString(raw)
	if p, err := netip.ParsePrefix(s); err == nil && p == p.Masked() {
		return p, ""
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), ""
	}
	return nil, "an address or a network, such as \"10.0.0.7\" or \"10.0.0.0/24\""
}

// prefix4 is an IPv4 network or address; sessions have nothing else.
type prefix4 struct{}

func (prefix4) parse(raw any) (any, string) {
	p, wrong := prefix{}.parse(raw)
	if wrong != "" || !p.(netip.Prefix).Addr().Is4() {
		return nil, "an IPv4 address or network, such as \"10.0.0.7\" or \"10.0.0.0/24\" (sessions have no IPv6)"
	}
	return p, ""
}

type ip struct{}

func (ip) parse(raw any) (any, string) {
	s, _ := asString(raw)
	a, err := netip.ParseAddr(s)
	if err != nil || a.IsLoopback() || a.IsUnspecified() {
		return nil, "the IP address of a name server that is not on loopback, which sessions cannot reach"
	}
	return a, ""
}

// subnet is an IPv4 network with room for a bridge and sessions.
type subnet struct{}

func (subnet) parse(raw any) (any, string) {
	s, _ := asString(raw)
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() || p != p.Masked() || p.Bits() < 8 || p.Bits() > 28 {
		return nil, "an IPv4 network of /8 to /28 with no host bits, such as \"10.89.0.0/16\""
	}
	return p, ""
}

// dsn is a data source name of go-sql-driver/mysql. Its own error is not
// repeated: it could quote a part of the password.
type dsn struct{}

func (dsn) secret() {}

func (dsn) parse(raw any) (any, string) {
	s, ok := asString(raw)
	if ok && s == "" {
		return Secret(s), ""
	}
	const expected = "go-sql-driver's form, user:password@tcp(host:3306)/database or user@unix(/path/of/socket)/database"
	if !ok {
		return nil, expected
	}
	if c, err := mysql.ParseDSN(s); err != nil || c.DBName == "" {
		return nil, expected
	}
	return Secret(s), ""
}

func hasPassword(s Secret) bool {
	c, err := mysql.ParseDSN(s.Reveal())
	return err == nil && c.Passwd != ""
}

// secretText is text that is never shown.
type secretText struct{}

func (secretText) secret() {}

func (secretText) parse(raw any) (any, string) {
	s, ok := asString(raw)
	if !ok || strings.ContainsAny(s, "\r\n\x00") {
		return nil, "text in quotes, in one line"
	}
	return Secret(s), ""
}

// tsigSecret is a key as BIND's tsig-keygen writes it.
type tsigSecret struct{}

func (tsigSecret) secret() {}

func (tsigSecret) parse(raw any) (any, string) {
	s, ok := asString(raw)
	if _, err := base64.StdEncoding.DecodeString(s); err != nil || !ok {
		return nil, "a key in base64, as tsig-keygen writes it"
	}
	return Secret(s), ""
}

// nameserver is an address with a port; without one it is DNS's own.
type nameserver struct{ optional bool }

func (k nameserver) parse(raw any) (any, string) {
	s, ok := asString(raw)
	if ok && s == "" && k.optional {
		return s, ""
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(a, 53).String(), ""
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || !ok || !validPort(port, 1) || host == "" || strings.ContainsAny(host, " /") {
		return nil, "the address of a name server, such as \"192.0.2.1\" or \"ns1.example.org:53\""
	}
	return s, ""
}

// keyName is the name of a TSIG key, which is a DNS name; or empty.
func keyName() kind {
	return form{
		regexp.MustCompile(`^([A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?)?$`), 253,
		"the name of a TSIG key, such as \"medforge-acme\"",
	}
}

// httpsURL is where something answers by https.
type httpsURL struct{}

func (httpsURL) parse(raw any) (any, string) {
	s, ok := asString(raw)
	u, err := url.Parse(s)
	if err != nil || !ok || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, "a URL that begins with https://"
	}
	return s, ""
}

type inviteCode struct{}

func (inviteCode) secret() {}

func (inviteCode) parse(raw any) (any, string) {
	s, ok := asString(raw)
	if !ok || len(s) < 12 || len(s) > 128 {
		return nil, "text of 12 to 128 characters"
	}
	return Secret(s), ""
}

// form is text of a fixed form.
type form struct {
	re       *regexp.Regexp
	max      int
	expected string
}

func (k form) parse(raw any) (any, string) {
	s, ok := asString(raw)
	if !ok || len(s) > k.max || !k.re.MatchString(s) {
		return nil, k.expected
	}
	return s, ""
}

// domain is a DNS name. RFC 1035 allows 253 characters; a session's host puts
// "s-xxxxxxxx.medforge." before it.
func domain() kind {
	return form{
		regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`),
		253 - len("s-xxxxxxxx.medforge."),
		"a DNS name in lower case, such as \"example.org\", without scheme, port or final dot",
	}
}

// label is a name such as containerd takes for namespaces.
func label() kind {
	return form{
		regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`), 76,
		"a name of letters, digits, dots, underscores and hyphens, at most 76",
	}
}

// ifname is a network interface; IFNAMSIZ leaves 15 characters.
func ifname() kind {
	return form{
		regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]*$`), 15,
		"the name of a network interface, at most 15 letters, digits, dots, underscores and hyphens",
	}
}

// dataset is a ZFS dataset, or empty. ZFS bounds names at 255 bytes, and a
// snapshot of a workspace adds "/<uuid>/<uuid>@stop-<ms>".
func dataset() kind {
	return form{
		regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_.:-]*(/[A-Za-z0-9_:-][A-Za-z0-9_.:-]*)*)?$`), 150,
		"the name of a ZFS dataset, such as \"tank/medforge/workspaces\", without a slash in front",
	}
}
