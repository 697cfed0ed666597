package network_test

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/testkit/nettest"
)

func ipNet(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(32, 32)}
}

// hostRoute adds a route to one address in the calling thread's namespace.
func hostRoute(to, via netip.Addr) error {
	return netlink.RouteAdd(&netlink.Route{Dst: ipNet(to), Gw: via.AsSlice()})
}

// addRoute makes the host send an address's packets outside, until the test
// ends.
func addRoute(t *testing.T, to netip.Addr, o *nettest.Outside) string {
	t.Helper()
	if err := hostRoute(to, o.Addr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.RouteDel(&netlink.Route{Dst: ipNet(to), Gw: o.Addr.AsSlice()}) })
	return o.HostAddr.String()
}

// addLoopback gives lo one more address in the calling thread's namespace.
func addLoopback(a netip.Addr) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.AddrAdd(lo, &netlink.Addr{IPNet: ipNet(a)})
}

func serveIn(t *testing.T, o *nettest.Outside, addr netip.AddrPort, text string) (got netip.AddrPort) {
	t.Helper()
	o.Do(t, func() error { got = nettest.Serve(t, addr, text); return nil })
	return got
}

// serveAt is nettest.Serve inside the namespace at path.
func serveAt(t *testing.T, path string, addr netip.AddrPort, text string) (got netip.AddrPort) {
	t.Helper()
	nettest.In(t, path, func() error { got = nettest.Serve(t, addr, text); return nil })
	return got
}

// publish rewrites connections to front, at the server's port, to the server,
// as Docker publishes a port.
func publish(t *testing.T, front netip.Addr, server netip.AddrPort) {
	t.Helper()
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	table := conn.AddTable(&nftables.Table{Name: nettest.Name("test-publish-"), Family: nftables.TableFamilyIPv4})
	chain := conn.AddChain(&nftables.Chain{
		Name: "prerouting", Table: table, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityNATDest,
	})
	conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: front.AsSlice()},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(server.Port())},
		&expr.Immediate{Register: 1, Data: server.Addr().AsSlice()},
		&expr.Immediate{Register: 2, Data: binaryutil.BigEndian.PutUint16(server.Port())},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1, RegProtoMin: 2},
	}})
	if err := conn.Flush(); err != nil {
		t.Fatalf("publishing a port: %v", err)
	}
	t.Cleanup(func() {
		conn.DelTable(table)
		if err := conn.Flush(); err != nil {
			t.Error(err)
		}
	})
}

// packetsAt listens for UDP in the namespace at path, packetsIn in an Outside.
func packetsAt(t *testing.T, path string, addr netip.Addr) (c net.PacketConn) {
	t.Helper()
	nettest.In(t, path, func() (err error) {
		c, err = net.ListenPacket("udp4", netip.AddrPortFrom(addr, 0).String())
		return err
	})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func packetsIn(t *testing.T, o *nettest.Outside) (c net.PacketConn) {
	t.Helper()
	o.Do(t, func() (err error) {
		c, err = net.ListenPacket("udp4", netip.AddrPortFrom(o.Addr, 0).String())
		return err
	})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// send sends one packet from inside a session.
func send(t *testing.T, path string, from netip.Addr, to net.Addr, text string) {
	t.Helper()
	nettest.In(t, path, func() error {
		var local *net.UDPAddr
		if from.IsValid() {
			local = net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
		}
		c, err := net.DialUDP("udp4", local, to.(*net.UDPAddr))
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte(text))
		return err
	})
}

// hear returns what arrives until last has, and nothing more does.
func hear(t *testing.T, c net.PacketConn, last string) []string {
	t.Helper()
	var all []string
	buf := make([]byte, 64)
	for {
		within := refusedAfter
		if !slices.Contains(all, last) {
			within = allowedAfter
		}
		if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
			t.Fatal(err)
		}
		n, _, err := c.ReadFrom(buf)
		if err != nil {
			return all
		}
		all = append(all, string(buf[:n]))
	}
}
