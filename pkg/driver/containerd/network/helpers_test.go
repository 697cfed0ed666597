package network_test

import (
	"net"
	"net/netip"
	"testing"

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
