package network

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
)

// maxNameservers is MAXNS of the C library's resolver; it ignores more.
const maxNameservers = 3

// resolver is what a resolv.conf says that a session can use.
type resolver struct {
	servers []netip.Addr
	rest    []string // its search and options lines
}

// ResolvConf returns the resolv.conf for sessions: the host's, from the first
// of the files that names a server a session can reach. A server on loopback
// cannot be reached, one with an IPv6 address neither. It is made at a
// session's start; a later change on the host reaches new sessions only. Where
// no server is found it names none, and a warning is logged.
func (m *Manager) ResolvConf() ([]byte, error) {
	r, err := m.resolver()
	if err != nil {
		return nil, err
	}
	if len(r.servers) == 0 && !m.c.LoopbackOnly {
		m.c.Logger.Warn("no name server that a session can reach is known; name one in the configuration", "files", m.c.ResolvConf)
	}
	var out bytes.Buffer
	for _, s := range r.servers {
		fmt.Fprintf(&out, "nameserver %s\n", s)
	}
	for _, line := range r.rest {
		fmt.Fprintln(&out, line)
	}
	return out.Bytes(), nil
}

func (m *Manager) resolver() (resolver, error) {
	if len(m.c.Nameservers) > 0 {
		return resolver{servers: m.c.Nameservers}, nil
	}
	var last resolver
	for _, file := range m.c.ResolvConf {
		body, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return resolver{}, err
		}
		last = parseResolvConf(body)
		if len(last.servers) > 0 {
			return last, nil
		}
	}
	return last, nil
}

func parseResolvConf(body []byte) resolver {
	var r resolver
	for s := bufio.NewScanner(bytes.NewReader(body)); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			a, err := netip.ParseAddr(fields[1])
			if err == nil && a.Unmap().Is4() && !a.Unmap().IsLoopback() && !a.IsUnspecified() && len(r.servers) < maxNameservers {
				r.servers = append(r.servers, a.Unmap())
			}
		case "search", "domain", "options":
			r.rest = append(r.rest, strings.Join(fields, " "))
		}
	}
	return r
}

// hostResolvers are the servers that are addresses of the host itself, in
// order.
func (m *Manager) hostResolvers() ([]netip.Addr, error) {
	r, err := m.resolver()
	if err != nil || len(r.servers) == 0 {
		return nil, err
	}
	own, err := whole(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_V4) })
	if err != nil {
		return nil, fmt.Errorf("listing the host's addresses: %w", err)
	}
	var on []netip.Addr
	for _, a := range own {
		if ip, ok := netip.AddrFromSlice(a.IP.To4()); ok && slices.Contains(r.servers, ip) {
			on = append(on, ip)
		}
	}
	slices.SortFunc(on, netip.Addr.Compare)
	return slices.Compact(on), nil
}
