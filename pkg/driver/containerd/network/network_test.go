package network_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"

	"github.com/medforge/medforge/pkg/driver/containerd/network"
	"github.com/medforge/medforge/pkg/testkit/nettest"
)

// refusedAfter is how long a connection may take before it counts as
// forbidden: dropped packets have no other sign. An allowed one has longer.
const (
	refusedAfter = 400 * time.Millisecond
	allowedAfter = 10 * time.Second
)

// newManager returns a Manager of its own bridge, and fails the test if
// anything of it is left at its end.
func newManager(t *testing.T, change func(*network.Config)) (*network.Manager, network.Config) {
	t.Helper()
	c := network.Config{
		RunDir: t.TempDir(),
		Bridge: nettest.Name("mft"),
		Subnet: nettest.Subnet(t),
	}
	if change != nil {
		change(&c)
	}
	m, err := network.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		slugs, err := m.List(ctx)
		if err != nil {
			t.Error(err)
		}
		for _, slug := range slugs {
			if err := m.Detach(ctx, slug); err != nil {
				t.Error(err)
			}
		}
		assertNothing(t, c)
	})
	return m, c
}

func assertNothing(t *testing.T, c network.Config) {
	t.Helper()
	if l, err := netlink.LinkByName(c.Bridge); err == nil {
		t.Errorf("the bridge %s is left", l.Attrs().Name)
	}
	for _, table := range tables(t) {
		if table == "medforge-"+c.Bridge {
			t.Errorf("the table %s is left", table)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), c.RunDir) {
		t.Error("a mount is left")
	}
	var files []string
	_ = filepath.WalkDir(c.RunDir, func(path string, _ os.DirEntry, _ error) error {
		if path != c.RunDir {
			files = append(files, path)
		}
		return nil
	})
	if len(files) > 0 {
		t.Errorf("files are left: %v", files)
	}
}

func tables(t *testing.T) []string {
	t.Helper()
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	all, err := conn.ListTables()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, table := range all {
		names = append(names, table.Name)
	}
	return names
}

func attach(t *testing.T, m *network.Manager, slug string) network.Attachment {
	t.Helper()
	a, err := m.Attach(context.Background(), slug)
	if err != nil {
		t.Fatalf("Attach: %v", err)
	}
	return a
}

// dial connects from inside a session's namespace and returns what it is told.
func dial(t *testing.T, a network.Attachment, proto string, to netip.AddrPort, within time.Duration) (said string, err error) {
	t.Helper()
	nettest.In(t, a.NetNS, func() error {
		var c net.Conn
		if c, err = net.DialTimeout(proto, to.String(), within); err != nil {
			return nil
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(within))
		_, _ = io.WriteString(c, "hello")
		buf := make([]byte, 64)
		var n int
		n, err = c.Read(buf)
		said = string(buf[:n])
		return nil
	})
	return said, err
}

func wantReach(t *testing.T, a network.Attachment, to netip.AddrPort, text string) {
	t.Helper()
	for _, proto := range []string{"tcp4", "udp4"} {
		if said, err := dial(t, a, proto, to, allowedAfter); err != nil || said != text {
			t.Errorf("%s to %s: %q, %v; want %q", proto, to, said, err, text)
		}
	}
}

func wantNoReach(t *testing.T, a network.Attachment, to netip.AddrPort) {
	t.Helper()
	var wg sync.WaitGroup
	for _, proto := range []string{"tcp4", "udp4"} {
		wg.Go(func() {
			if said, err := dial(t, a, proto, to, refusedAfter); err == nil {
				t.Errorf("%s to %s was answered: %q", proto, to, said)
			}
		})
	}
	wg.Wait()
}

func TestReach(t *testing.T) {
	t.Parallel()
	denied := nettest.New(t)
	m, c := newManager(t, func(c *network.Config) { c.Deny = []netip.Prefix{netip.PrefixFrom(denied.Addr, 32)} })
	a, b := attach(t, m, "aaaaaaaa"), attach(t, m, "bbbbbbbb")
	if a.Address == b.Address || !c.Subnet.Contains(a.Address) || !c.Subnet.Contains(b.Address) {
		t.Fatalf("addresses %s and %s, want two of %s", a.Address, b.Address, c.Subnet)
	}

	outside := nettest.New(t)
	server := outside.Serve(t, "outside")
	wantReach(t, a, server, "outside")
	wantReach(t, b, server, "outside")

	t.Run("denied destination", func(t *testing.T) { wantNoReach(t, a, denied.Serve(t, "denied")) })
	t.Run("gateway", func(t *testing.T) {
		wantNoReach(t, a, nettest.Serve(t, netip.AddrPortFrom(c.Subnet.Addr().Next(), 0), "host"))
	})
	t.Run("other host address", func(t *testing.T) {
		wantNoReach(t, a, nettest.Serve(t, netip.AddrPortFrom(outside.HostAddr, 0), "host"))
	})
	t.Run("any host address", func(t *testing.T) {
		everywhere := nettest.Serve(t, netip.MustParseAddrPort("0.0.0.0:0"), "host")
		own, err := net.InterfaceAddrs()
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for _, ip := range own {
			p, err := netip.ParsePrefix(ip.String())
			if err != nil || !p.Addr().Is4() || p.Addr().IsLoopback() {
				continue
			}
			wg.Go(func() { wantNoReach(t, a, netip.AddrPortFrom(p.Addr(), everywhere.Port())) })
		}
		wg.Wait()
		// Loopback inside is the session's own.
		wantNoReach(t, a, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), everywhere.Port()))
	})
	t.Run("link-local", func(t *testing.T) {
		metadata := netip.MustParseAddr("169.254.169.254")
		// The host routes it to the outside, where a server waits: without
		// the rule this would be answered.
		link := addRoute(t, metadata, outside)
		outside.Do(t, func() error { return addLoopback(metadata) })
		waiting := serveIn(t, outside, netip.AddrPortFrom(metadata, 0), "metadata")
		if c, err := net.DialTimeout("tcp4", waiting.String(), allowedAfter); err != nil {
			t.Fatalf("the host itself does not reach it over %s: %v", link, err)
		} else {
			_ = c.Close()
		}
		wantNoReach(t, a, waiting)
	})
	t.Run("other session", func(t *testing.T) {
		inB := serveAt(t, b.NetNS, netip.AddrPortFrom(b.Address, 0), "session b")
		wantNoReach(t, a, inB)
		// Two things forbid this; where br_netfilter is on, either alone would.
		port, err := netlink.LinkByName(a.HostLink)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := netlink.LinkGetProtinfo(port); err != nil || !info.Isolated {
			t.Errorf("the port is not isolated: %+v, %v", info, err)
		}
		heard := packetsAt(t, b.NetNS, b.Address)
		// By the gateway, around the isolated port: a route of its own needs a
		// capability that sessions lack; the rule holds all the same.
		// One way is enough for harm, so a single packet is listened for.
		nettest.In(t, a.NetNS, func() error { return hostRoute(b.Address, c.Subnet.Addr().Next()) })
		wantNoReach(t, a, inB)
		send(t, a.NetNS, netip.Addr{}, heard.LocalAddr(), "from a")
		send(t, b.NetNS, netip.Addr{}, heard.LocalAddr(), "from b")
		if got := hear(t, heard, "from b"); !slices.Equal(got, []string{"from b"}) {
			t.Errorf("session b hears %v, want only itself", got)
		}
		wantReach(t, b, inB, "session b")
	})
	t.Run("from outside", func(t *testing.T) {
		inA := serveAt(t, a.NetNS, netip.AddrPortFrom(a.Address, 0), "session a")
		outside.Do(t, func() error {
			if c, err := net.DialTimeout("tcp4", inA.String(), refusedAfter); err == nil {
				_ = c.Close()
				return fmt.Errorf("a session was reached from outside")
			}
			return nil
		})
	})
	t.Run("foreign source address", func(t *testing.T) {
		// An address of its own choice needs a capability that sessions lack;
		// the host passes nothing on from one all the same.
		foreign := netip.MustParseAddr("192.0.2.77")
		nettest.In(t, b.NetNS, func() error { return addLoopback(foreign) })
		heard := packetsIn(t, outside)
		send(t, b.NetNS, foreign, heard.LocalAddr(), "foreign")
		send(t, b.NetNS, b.Address, heard.LocalAddr(), "own")
		if got := hear(t, heard, "own"); !slices.Equal(got, []string{"own"}) {
			t.Errorf("outside one hears %v, want only what has the session's address", got)
		}
	})
	t.Run("no IPv6", func(t *testing.T) {
		nettest.In(t, a.NetNS, func() error {
			links, err := netlink.LinkList()
			if err != nil {
				return err
			}
			for _, l := range links {
				addrs, err := netlink.AddrList(l, netlink.FAMILY_V6)
				if err != nil || len(addrs) > 0 {
					return fmt.Errorf("%s has %v, %v", l.Attrs().Name, addrs, err)
				}
			}
			return nil
		})
	})
}

func TestPublishedPort(t *testing.T) {
	t.Parallel()
	m, _ := newManager(t, nil)
	a := attach(t, m, "aaaaaaaa")
	// Another "container" of the host, published on a host address by NAT.
	other, front := nettest.New(t), nettest.New(t)
	server := other.Serve(t, "published")
	publish(t, front.HostAddr, server)
	published := netip.AddrPortFrom(front.HostAddr, server.Port())
	front.Do(t, func() error {
		c, err := net.DialTimeout("tcp4", published.String(), allowedAfter)
		if err != nil {
			return fmt.Errorf("the port is not published: %w", err)
		}
		return c.Close()
	})
	wantNoReach(t, a, published)
}

func TestHostResolver(t *testing.T) {
	t.Parallel()
	outside := nettest.New(t) // for an address of the host's that is ours
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	body := fmt.Sprintf("# the host's\nnameserver 127.0.0.53\nnameserver ::1\nnameserver %s\nsearch example.org\noptions edns0\n", outside.HostAddr)
	if err := os.WriteFile(conf, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
	m, _ := newManager(t, func(c *network.Config) { c.ResolvConf = []string{conf} })
	a := attach(t, m, "aaaaaaaa")
	got, err := m.ResolvConf()
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("nameserver %s\nsearch example.org\noptions edns0\n", outside.HostAddr)
	if string(got) != want {
		t.Errorf("resolv.conf = %q, want %q", got, want)
	}
	wantReach(t, a, nettest.Serve(t, netip.AddrPortFrom(outside.HostAddr, 53), "dns"), "dns")
	wantNoReach(t, a, nettest.Serve(t, netip.AddrPortFrom(outside.HostAddr, 0), "not dns"))

	// Another resolver later: the next session moves the hole.
	if err := os.WriteFile(conf, []byte("nameserver 192.0.2.53\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	attach(t, m, "bbbbbbbb")
	wantNoReach(t, a, netip.AddrPortFrom(outside.HostAddr, 53))
}

func TestAttachAgainAndDetach(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	m, c := newManager(t, nil)
	if err := m.Detach(ctx, "aaaaaaaa"); err != nil {
		t.Fatalf("Detach of nothing: %v", err)
	}
	assertNothing(t, c)
	a := attach(t, m, "aaaaaaaa")
	if again := attach(t, m, "aaaaaaaa"); again != a {
		t.Errorf("a second Attach made %+v, the first %+v", again, a)
	}
	// A restarted daemon finds it too.
	restarted, err := network.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if again := attach(t, restarted, "aaaaaaaa"); again != a {
		t.Errorf("after a restart Attach made %+v, before %+v", again, a)
	}
	attach(t, restarted, "bbbbbbbb")
	slugs, err := restarted.List(ctx)
	if err != nil || !slices.Equal(slugs, []string{"aaaaaaaa", "bbbbbbbb"}) {
		t.Errorf("List = %v, %v", slugs, err)
	}
	for _, slug := range []string{"aaaaaaaa", "bbbbbbbb", "aaaaaaaa"} {
		if err := restarted.Detach(ctx, slug); err != nil {
			t.Fatal(err)
		}
	}
	assertNothing(t, c)
}

func TestFullSubnet(t *testing.T) {
	t.Parallel()
	m, c := newManager(t, func(c *network.Config) { c.Subnet = netip.PrefixFrom(c.Subnet.Addr(), 29) })
	names := []string{"aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd", "eeeeeeee"}
	for _, slug := range names {
		attach(t, m, slug)
	}
	if _, err := m.Attach(context.Background(), "ffffffff"); err == nil {
		t.Fatal("a sixth session got an address of a /29")
	}
	if slugs, err := m.List(context.Background()); err != nil || !slices.Equal(slugs, names) {
		t.Errorf("List after a refused Attach = %v, %v; want %v", slugs, err, names)
	}
	if err := m.Detach(context.Background(), "cccccccc"); err != nil {
		t.Fatal(err)
	}
	if a := attach(t, m, "ffffffff"); !c.Subnet.Contains(a.Address) {
		t.Errorf("the freed address was not given again: %+v", a)
	}
}
