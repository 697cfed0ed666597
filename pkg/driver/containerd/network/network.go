// Package network gives each session a network namespace of its own, with
// traffic outwards only.
//
// A session's namespace has one interface, eth0, a port of one bridge on the
// host. CNI's bridge and host-local plugins make it; their configuration is
// made in memory and their records stand below Config.RunDir, nothing is read
// from or written to /etc/cni. RunDir must lie on a file system that a reboot
// clears (/run), and medforged must run in the host's mount namespace, or the
// container runtime would not see the namespaces.
//
// What a session cannot do, and what forbids it:
//   - reach another session: every port of the bridge is isolated, and the
//     host routes nothing from the bridge back to it;
//   - reach the host, on any of its addresses, nor what the host publishes for
//     others by NAT, nor link-local addresses (cloud metadata at
//     169.254.169.254): rules in an nftables table of our own, inet
//     "medforge-<bridge>", that names the bridge and touches nothing else;
//   - use IPv6: it is off in the namespace, which a process without
//     CAP_NET_ADMIN cannot change, and dropped by the same table;
//   - be reached from outside: only answers are let in.
//
// One hole is made on purpose: where the resolv.conf that sessions get names an
// address of the host itself, port 53 of that address is open to them.
//
// Outgoing traffic is masqueraded by the same table, so nothing is left in
// iptables. The bridge plugin switches net.ipv4.ip_forward on and nothing
// switches it off: answers come in by the host's uplink, and the kernel asks
// that interface's own switch whether to pass them on. A host whose iptables
// FORWARD policy is DROP, as Docker sets it, gets two accept rules for the
// bridge there, see forward.go.
//
// The bridge, the table and those rules appear with the first session and go
// with the last.
package network

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/vishvananda/netlink"

	"github.com/medforge/medforge/pkg/session/faultpoint"
)

// Defaults of Config.
const (
	DefaultRunDir = "/run/medforge-net"
	DefaultBridge = "medforge0"
	DefaultSubnet = "10.213.77.0/24"
)

// maxBridgeName is IFNAMSIZ without its final NUL.
const maxBridgeName = 15

// linkLocal holds the metadata services of clouds.
var linkLocal = netip.MustParsePrefix("169.254.0.0/16")

// Config says what the sessions' network is made of. Zero fields take the
// defaults.
type Config struct {
	// RunDir keeps namespaces and records. A reboot must clear it.
	RunDir string
	// PluginDirs are searched for the CNI plugins bridge and host-local.
	// Empty: /usr/lib/cni, then /opt/cni/bin.
	PluginDirs []string
	// Bridge is the bridge's name, at most 15 characters. Two daemons on a
	// host need two.
	Bridge string
	// Subnet holds the sessions' addresses; its first is the bridge's.
	Subnet netip.Prefix
	// Deny are further destinations that sessions must not reach, such as the
	// networks of other containers on the host. 169.254.0.0/16 always is.
	Deny []netip.Prefix
	// Nameservers go into the sessions' resolv.conf instead of the host's.
	Nameservers []netip.Addr
	// LoopbackOnly gives sessions no network but their own loopback: no
	// bridge, no plugins, no rules.
	LoopbackOnly bool
	// ResolvConf are the files to learn the host's resolvers from, the first
	// one that names one a session can reach wins. Empty: /etc/resolv.conf,
	// then systemd-resolved's list of upstream servers.
	ResolvConf []string
	Logger     *slog.Logger
}

// Manager makes and removes sessions' networks. Its methods may be called from
// several goroutines; one Manager in one process serves a bridge.
type Manager struct {
	c Config
	// mu is held while anything shared is changed: the bridge, the table, the
	// records of addresses. Attaching takes some tens of milliseconds.
	mu chan struct{}
}

// Attachment is a session's network as it was made.
type Attachment struct {
	// NetNS is the namespace's path, for the container runtime.
	NetNS string `json:"netns"`
	// Address is the session's; invalid with LoopbackOnly.
	Address netip.Addr `json:"address"`
	// HostLink is the interface on the host, the bridge's port.
	HostLink string `json:"host_link"`
}

// New returns a Manager. It touches nothing yet.
func New(c Config) (*Manager, error) {
	if c.RunDir == "" {
		c.RunDir = DefaultRunDir
	}
	if c.Bridge == "" {
		c.Bridge = DefaultBridge
	}
	if !c.Subnet.IsValid() {
		c.Subnet = netip.MustParsePrefix(DefaultSubnet)
	}
	c.Subnet = c.Subnet.Masked()
	if len(c.ResolvConf) == 0 {
		c.ResolvConf = []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case len(c.Bridge) > maxBridgeName:
		return nil, fmt.Errorf("the bridge's name %q is longer than %d characters", c.Bridge, maxBridgeName)
	case !filepath.IsAbs(c.RunDir):
		return nil, fmt.Errorf("the network's run directory %q is not an absolute path", c.RunDir)
	case !c.Subnet.Addr().Is4() || c.Subnet.Bits() > 29:
		return nil, fmt.Errorf("the sessions' subnet %s is not an IPv4 network of at least 8 addresses", c.Subnet)
	}
	for _, p := range c.Deny {
		if !p.Addr().Is4() {
			return nil, fmt.Errorf("denied destination %s is not IPv4; sessions have no IPv6 at all", p)
		}
	}
	c.Deny = append(slices.Clone(c.Deny), linkLocal)
	return &Manager{c: c, mu: make(chan struct{}, 1)}, nil
}

func (m *Manager) lock(ctx context.Context) error {
	select {
	case m.mu <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *Manager) unlock() { <-m.mu }

// Attach makes the session's network, or finds it made, whole, before. What an
// interrupted Attach left is taken away first.
func (m *Manager) Attach(ctx context.Context, slug string) (Attachment, error) {
	if err := m.lock(ctx); err != nil {
		return Attachment{}, err
	}
	defer m.unlock()
	if a, ok := m.attached(slug); ok {
		return a, m.ensureShared(ctx)
	}
	if err := m.detach(ctx, slug); err != nil {
		return Attachment{}, fmt.Errorf("clearing what an earlier try left: %w", err)
	}
	a, err := m.attach(ctx, slug)
	if err != nil {
		// The context may be what failed; taking back must not depend on it.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
		defer cancel()
		if undo := errors.Join(m.detach(clean, slug), m.releaseShared(clean)); undo != nil {
			m.c.Logger.Warn("a network that could not be made left something behind; the next reconciliation takes it away", "slug", slug, "error", undo)
		}
		return Attachment{}, err
	}
	return a, nil
}

func (m *Manager) attach(ctx context.Context, slug string) (Attachment, error) {
	a := Attachment{NetNS: m.NetNS(slug)}
	if err := createNetNS(a.NetNS); err != nil {
		return Attachment{}, fmt.Errorf("making a network namespace: %w", err)
	}
	faultpoint.Hit("network.namespace")
	if !m.c.LoopbackOnly {
		var err error
		if a.HostLink, a.Address, err = m.cniAdd(ctx, slug, a.NetNS); err != nil {
			return Attachment{}, err
		}
		faultpoint.Hit("network.plugged")
		if err := m.isolate(a.HostLink, slug); err != nil {
			return Attachment{}, err
		}
		if err := m.ensureShared(ctx); err != nil {
			return Attachment{}, err
		}
	}
	faultpoint.Hit("network.isolated")
	return a, m.record(slug, a)
}

// isolate forbids the port to talk to other ports, and notes whose it is.
func (m *Manager) isolate(name, slug string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("finding the bridge's port %s: %w", name, err)
	}
	if err := netlink.LinkSetIsolated(link, true); err != nil {
		return fmt.Errorf("isolating the bridge's port %s: %w", name, err)
	}
	if err := netlink.LinkSetAlias(link, linkAlias(slug)); err != nil {
		return fmt.Errorf("naming the bridge's port %s: %w", name, err)
	}
	return nil
}

// Detach takes away whatever there is of a session's network. Nothing there is
// no error.
func (m *Manager) Detach(ctx context.Context, slug string) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.unlock()
	if err := m.detach(ctx, slug); err != nil {
		return err
	}
	faultpoint.Hit("network.detached")
	return m.releaseShared(ctx)
}

func (m *Manager) detach(ctx context.Context, slug string) error {
	// The record goes first: from here on the network is not whole.
	if err := os.Remove(m.recordPath(slug)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	faultpoint.Hit("network.unrecorded")
	netns := m.NetNS(slug)
	leased, err := m.leased(slug)
	if err != nil {
		return err
	}
	if !m.c.LoopbackOnly && (leased || exists(netns)) {
		err := m.cniDel(ctx, slug, netns)
		// Without plugins an address cannot be given back; all else can.
		if missing := (*PluginError)(nil); err != nil && (leased || !errors.As(err, &missing)) {
			return err
		}
		faultpoint.Hit("network.unplugged")
	}
	if err := m.deleteLinks(slug); err != nil {
		return err
	}
	return removeNetNS(netns)
}

// List returns the slugs that have anything of a network: a namespace, an
// address or an interface.
func (m *Manager) List(ctx context.Context) ([]string, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.unlock()
	return m.list()
}

func (m *Manager) list() ([]string, error) {
	found := map[string]bool{}
	for _, look := range []func(map[string]bool) error{m.addNetNS, m.addLeases, m.addLinks} {
		if err := look(found); err != nil {
			return nil, err
		}
	}
	var slugs []string
	for slug := range found {
		slugs = append(slugs, slug)
	}
	slices.Sort(slugs)
	return slugs, nil
}

// Repair puts the rules back if sessions are attached and something, such as
// "nft flush ruleset" of a firewall that was reloaded, took them away.
func (m *Manager) Repair(ctx context.Context) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.unlock()
	slugs, err := m.list()
	if err != nil || len(slugs) == 0 || m.c.LoopbackOnly {
		return err
	}
	return m.ensureShared(ctx)
}

// ensureShared makes what all sessions share, where it is missing.
func (m *Manager) ensureShared(ctx context.Context) error {
	if m.c.LoopbackOnly {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := m.ensureRules(); err != nil {
		return fmt.Errorf("making the nftables table %s: %w", m.tableName(), err)
	}
	if err := m.openForward(); err != nil {
		return fmt.Errorf("letting the bridge through the FORWARD chain: %w", err)
	}
	return nil
}

// releaseShared takes away what all sessions share when none is left.
func (m *Manager) releaseShared(context.Context) error {
	slugs, err := m.list()
	if err != nil || len(slugs) > 0 {
		return err
	}
	steps := []func() error{m.deleteBridge, m.closeForward, m.deleteRules}
	if m.c.LoopbackOnly {
		steps = nil
	}
	for _, step := range append(steps, m.forgetRecords) {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
