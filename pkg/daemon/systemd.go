package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/coreos/go-systemd/v22/activation"
	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/fault"
)

// The names of the TCP listeners in systemd's store of file descriptors
// (sd_notify(3), FDSTORE=1). Socket units would do as well, but then their
// addresses would stand in two files; so the configuration has them alone.
const (
	storedPublic   = "public"
	storedRedirect = "redirect"
)

// inherited are the listeners that systemd hands over, by name: the socket
// unit's, and those that the daemon before this one left in the store.
type inherited map[string][]net.Listener

// takeInherited takes them over; it can be called once in a process.
func takeInherited() (inherited, error) {
	ls, err := activation.ListenersWithNames()
	if err != nil {
		return nil, fmt.Errorf("sockets from systemd: %w", err)
	}
	return ls, nil
}

// socket is systemd's listener on a path.
func (in inherited) socket(path string) net.Listener {
	for _, ls := range in {
		for _, l := range ls {
			if u, ok := l.(*net.UnixListener); ok && u.Addr().String() == path {
				u.SetUnlinkOnClose(false) // the file is systemd's
				return u
			}
		}
	}
	return nil
}

// stored is the listener of a name on an address. One on another address, from
// before the configuration changed, is given up; so are all when the address is
// empty.
func (in inherited) stored(ctx context.Context, name, address string) net.Listener {
	var found net.Listener
	for _, l := range in[name] {
		t, ok := l.(*net.TCPListener)
		if ok && found == nil && address != "" && sameAddress(ctx, t.Addr().(*net.TCPAddr), address) {
			found = t
			continue
		}
		if ok {
			giveUp(t, name)
		}
	}
	return found
}

// sameAddress reports whether net.Listen on the configured address would give
// the same as has.
func sameAddress(ctx context.Context, has *net.TCPAddr, address string) bool {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil || port != has.Port {
		return false
	}
	if host == "" {
		return has.IP.Equal(net.IPv6unspecified)
	}
	want, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	return err == nil && len(want) > 0 && has.IP.Equal(want[0].IP)
}

// giveUp ends a stored listener also where systemd has it: the port is free at
// once, and systemd drops what has hung up.
func giveUp(l *net.TCPListener, name string) {
	if raw, err := l.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	}
	_ = l.Close()
	_, _ = sd.SdNotify(false, "FDSTOREREMOVE=1\nFDNAME="+name)
}

// keep leaves a copy of the listener with systemd until the unit is stopped, so
// that callers wait while the daemon restarts. Without systemd nothing happens.
func keep(l *net.TCPListener, name string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	to, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(to)
	raw, err := l.SyscallConn() // not File, whose descriptor shares this one's blocking mode
	if err != nil {
		return err
	}
	var sent error
	err = raw.Control(func(fd uintptr) {
		sent = unix.Sendmsg(to, []byte("FDSTORE=1\nFDNAME="+name), unix.UnixRights(int(fd)), &unix.SockaddrUnix{Name: path}, 0)
	})
	return errors.Join(err, sent)
}

// listenTCP opens a listener, or takes over the stored one. key is the setting
// that has its address.
func (in inherited) listenTCP(ctx context.Context, name, address, key string) (net.Listener, error) {
	if l := in.stored(ctx, name, address); l != nil {
		return l, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "daemon/listen",
			"The listener %s cannot be opened. See who has it (ss -ltnp), or set another %s.", address, key)
	}
	if err := keep(l.(*net.TCPListener), name); err != nil {
		return nil, errors.Join(fault.Wrap(err, fault.Unavailable, "daemon/listen",
			"systemd does not take the listener %s into its keeping.", address), l.Close())
	}
	return l, nil
}
