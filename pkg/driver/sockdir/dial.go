package sockdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/beneath"
	"github.com/medforge/medforge/pkg/fault"
)

// DialIDE implements session.Sockets. The socket is looked at and dialled
// through one descriptor, so what was checked is what is reached; and whoever
// answers must run as the session's user, so that a socket that a session got
// from elsewhere is no way to a service of the host.
func (s *Sockets) DialIDE(ctx context.Context, slug string) (net.Conn, error) {
	if err := check(ctx, slug); err != nil {
		return nil, err
	}
	dir, err := s.folder(slug)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	f, err := dir.Open(IDESocket, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(err, fault.Unavailable, "sockets/ide-not-there", "the IDE of session %s does not listen yet", slug)
	}
	if err != nil {
		return nil, internal(err, "the IDE's socket of session %s cannot be opened", slug)
	}
	defer f.Close()
	var st unix.Statx_t
	if err := beneath.StatFd(int(f.Fd()), &st); err != nil {
		return nil, internal(err, "the IDE's socket of session %s cannot be read", slug)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return nil, denied(slug, "%s is %s", IDESocket, kindName(st.Mode))
	}
	if st.Uid != sessionUID {
		return nil, denied(slug, "%s belongs to user %d", IDESocket, st.Uid)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "sockets/ide-refuses", "the IDE of session %s does not answer", slug)
	}
	peer, err := peerUID(conn)
	if err == nil && peer != sessionUID {
		err = denied(slug, "whoever listens on %s is user %d", IDESocket, peer)
	} else if err != nil {
		err = internal(err, "the IDE of session %s does not say who it is", slug)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func denied(slug, format string, args ...any) error {
	return fault.New(fault.Denied, "sockets/not-the-ide", "session %s has replaced its IDE's socket: %s", slug, fmt.Sprintf(format, args...))
}

func kindName(mode uint16) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFLNK:
		return "a link"
	case unix.S_IFDIR:
		return "a directory"
	case unix.S_IFREG:
		return "a file"
	case unix.S_IFIFO:
		return "a FIFO"
	}
	return "no socket"
}

// peerUID is the user who called listen(2) on the other end.
func peerUID(conn net.Conn) (uint32, error) {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, fmt.Errorf("%T is no unix socket", conn)
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if credErr != nil {
		return 0, credErr
	}
	return cred.Uid, nil
}
