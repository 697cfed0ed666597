package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/coreos/go-systemd/v22/activation"
	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/config"
	"github.com/medforge/medforge/pkg/fault"
)

// storedPublic is the name of the public listener in systemd's store of file
// descriptors (sd_notify(3), FDSTORE=1). A socket unit would do as well, but
// then its address would stand in two files; so the configuration has it alone.
const storedPublic = "public"

// inherited are the listeners that systemd hands over, by name: the socket
// unit's, and the public one that the daemon before this one left in the store.
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

// public is the stored listener on an address. One on another address, from
// before the configuration changed, is given up.
func (in inherited) public(ctx context.Context, address string) net.Listener {
	var found net.Listener
	for _, l := range in[storedPublic] {
		t, ok := l.(*net.TCPListener)
		if ok && found == nil && sameAddress(ctx, t.Addr().(*net.TCPAddr), address) {
			found = t
			continue
		}
		if ok {
			giveUp(t)
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
func giveUp(l *net.TCPListener) {
	if raw, err := l.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	}
	_ = l.Close()
	_, _ = sd.SdNotify(false, "FDSTOREREMOVE=1\nFDNAME="+storedPublic)
}

// keep leaves a copy of the listener with systemd until the unit is stopped, so
// that callers wait while the daemon restarts. Without systemd nothing happens.
func keep(l *net.TCPListener) error {
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
		sent = unix.Sendmsg(to, []byte("FDSTORE=1\nFDNAME="+storedPublic), unix.UnixRights(int(fd)), &unix.SockaddrUnix{Name: path}, 0)
	})
	return errors.Join(err, sent)
}

// listenPublic opens the public listener, or takes over the stored one.
func listenPublic(ctx context.Context, c config.Config, in inherited) (net.Listener, error) {
	l := in.public(ctx, c.HTTP.Listen)
	if l == nil {
		var err error
		if l, err = new(net.ListenConfig).Listen(ctx, "tcp", c.HTTP.Listen); err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "daemon/listen",
				"The public listener %s cannot be opened. See who has it (ss -ltnp), or set another http.listen.", c.HTTP.Listen)
		}
		if err := keep(l.(*net.TCPListener)); err != nil {
			return nil, errors.Join(fault.Wrap(err, fault.Unavailable, "daemon/listen",
				"systemd does not take the public listener into its keeping."), l.Close())
		}
	}
	if !c.TLS() {
		return l, nil
	}
	pair, err := tls.LoadX509KeyPair(c.HTTP.TLSCert, c.HTTP.TLSKey)
	if err != nil {
		return nil, errors.Join(fault.Wrap(err, fault.Invalid, "daemon/certificate",
			"The certificate %s with the key %s cannot be used.", c.HTTP.TLSCert, c.HTTP.TLSKey), l.Close())
	}
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}), nil
}
