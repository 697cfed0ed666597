// Package nettest makes networks for tests: a namespace that stands for the
// outside world, joined to the host by a veth pair, and names and subnets that
// no other test uses at the same time.
package nettest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Name returns a random interface name that begins with prefix, at most 15
// characters long.
func Name(prefix string) string {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return prefix + hex.EncodeToString(b[:])
}

// Subnet returns a /28 of 198.18.0.0/15, the range that RFC 2544 keeps for
// tests. No other test on the machine gets it before this one ends.
func Subnet(tb testing.TB) netip.Prefix {
	tb.Helper()
	for {
		var b [3]byte
		_, _ = rand.Read(b[:])
		subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18 + b[0]&1, b[1], b[2] &^ 15}), 28)
		if reserve(tb, "subnet-"+subnet.Addr().String()) {
			return subnet
		}
	}
}

// Outside is a network namespace joined to the host by a veth pair.
type Outside struct {
	// HostAddr is the host's address on the pair, Addr the namespace's.
	HostAddr, Addr netip.Addr
	path           string
}

// New makes an Outside and removes it when the test ends.
func New(tb testing.TB) *Outside {
	tb.Helper()
	subnet := Subnet(tb)
	host := subnet.Addr().Next()
	o := &Outside{HostAddr: host, Addr: host.Next(), path: filepath.Join(tb.TempDir(), "outside")}
	if err := os.WriteFile(o.path, nil, 0o444); err != nil {
		tb.Fatal(err)
	}
	onOwnThread(tb, func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		return unix.Mount("/proc/thread-self/ns/net", o.path, "", unix.MS_BIND, "")
	})
	tb.Cleanup(func() {
		if err := unix.Unmount(o.path, unix.MNT_DETACH); err != nil {
			tb.Errorf("unmounting the outside's namespace: %v", err)
		}
	})
	fd, err := os.Open(o.path)
	if err != nil {
		tb.Fatal(err)
	}
	defer fd.Close()
	hostName, peer := Name("mfo"), Name("mfp")
	attrs := netlink.NewLinkAttrs()
	attrs.Name = hostName
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: peer, PeerNamespace: netlink.NsFd(int(fd.Fd()))}
	if err := netlink.LinkAdd(veth); err != nil {
		tb.Fatalf("making a veth pair: %v", err)
	}
	tb.Cleanup(func() {
		if l, err := netlink.LinkByName(hostName); err == nil {
			if err := netlink.LinkDel(l); err != nil {
				tb.Errorf("removing %s: %v", hostName, err)
			}
		}
	})
	if err := address(hostName, netip.PrefixFrom(o.HostAddr, 28)); err != nil {
		tb.Fatal(err)
	}
	o.Do(tb, func() error {
		if err := address("lo", netip.Prefix{}); err != nil {
			return err
		}
		if err := address(peer, netip.PrefixFrom(o.Addr, 28)); err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{Gw: o.HostAddr.AsSlice()}) // everything, by the host
	})
	return o
}

func address(name string, p netip.Prefix) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if p.IsValid() {
		a := &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 32)}}
		if err := netlink.AddrAdd(l, a); err != nil {
			return fmt.Errorf("giving %s the address %s: %w", name, p, err)
		}
	}
	return netlink.LinkSetUp(l)
}

// Do runs a function inside, on a thread of its own. Sockets it makes stay
// there; goroutines it starts do not.
func (o *Outside) Do(tb testing.TB, do func() error) {
	tb.Helper()
	In(tb, o.path, do)
}

// In runs a function inside the network namespace at path.
func In(tb testing.TB, path string, do func() error) {
	tb.Helper()
	onOwnThread(tb, func() error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return do()
	})
}

// InNew runs a function inside a new network namespace of its own, that is gone
// with it: a host for itself.
func InNew(tb testing.TB, do func() error) {
	tb.Helper()
	onOwnThread(tb, func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		if err := address("lo", netip.Prefix{}); err != nil {
			return err
		}
		return do()
	})
}

// onOwnThread runs do on a thread that ends with it.
func onOwnThread(tb testing.TB, do func() error) {
	tb.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- do()
	}()
	if err := <-done; err != nil {
		tb.Fatal(err)
	}
}

// Serve answers every TCP connection to the address with the text, and every
// UDP packet too, and returns the address with the port it got. The address's
// port may be 0.
func Serve(tb testing.TB, addr netip.AddrPort, text string) netip.AddrPort {
	tb.Helper()
	l, u, err := listen(addr)
	if err != nil {
		tb.Fatal(err)
	}
	return serve(tb, l, u, text)
}

// Serve is Serve inside the Outside, on its address.
func (o *Outside) Serve(tb testing.TB, text string) netip.AddrPort {
	tb.Helper()
	var l net.Listener
	var u net.PacketConn
	o.Do(tb, func() (err error) {
		l, u, err = listen(netip.AddrPortFrom(o.Addr, 0))
		return err
	})
	return serve(tb, l, u, text)
}

// listen opens TCP and UDP on one port.
func listen(addr netip.AddrPort) (net.Listener, net.PacketConn, error) {
	var errs []error
	for range 20 { // the port that TCP got may be taken for UDP
		l, err := net.Listen("tcp4", addr.String())
		if err != nil {
			return nil, nil, err
		}
		u, err := net.ListenPacket("udp4", l.Addr().String())
		if err == nil {
			return l, u, nil
		}
		errs = append(errs, err, l.Close())
	}
	return nil, nil, errors.Join(errs...)
}

func serve(tb testing.TB, l net.Listener, u net.PacketConn, text string) netip.AddrPort {
	tb.Cleanup(func() {
		_ = l.Close()
		_ = u.Close()
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte(text))
			_ = c.Close()
		}
	}()
	go func() {
		buf := make([]byte, 512)
		for {
			_, from, err := u.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = u.WriteTo([]byte(text), from)
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}
