package daemon

import (
	"context"
	"errors"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"github.com/medforge/medforge/pkg/config"
	"github.com/medforge/medforge/pkg/fault"
)

// socketMode lets root and the group in, nobody else.
const socketMode = 0o660

// listenSocket returns the daemon's unix socket: the one that systemd hands
// over, so that a restart refuses nobody, or one of its own.
func listenSocket(ctx context.Context, c config.Config, in inherited) (net.Listener, error) {
	if l := in.socket(c.Socket); l != nil {
		return l, nil
	}
	if err := os.MkdirAll(filepath.Dir(c.Socket), 0o755); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "daemon/socket", "The folder of the socket %s cannot be made: %v", c.Socket, err)
	}
	if err := clearSocket(ctx, c.Socket); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", c.Socket)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "daemon/socket", "The socket %s cannot be listened on: %v", c.Socket, err)
	}
	gid, err := groupID(c.SocketGroup)
	if err == nil {
		err = os.Chown(c.Socket, 0, gid)
	}
	if err == nil {
		err = os.Chmod(c.Socket, socketMode)
	}
	if err != nil {
		_ = l.Close()
		return nil, fault.Wrap(err, fault.Unavailable, "daemon/socket", "The socket %s cannot be given to its group: %v", c.Socket, err)
	}
	return l, nil
}

// clearSocket removes what a killed daemon left; a socket that answers is
// another daemon's and stays.
func clearSocket(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return fault.New(fault.Conflict, "daemon/socket", "%s is there and is no socket. Move it away, or set another socket in the configuration.", path)
	}
	d := net.Dialer{Timeout: time.Second}
	if c, err := d.DialContext(ctx, "unix", path); err == nil {
		_ = c.Close()
		return fault.New(fault.Conflict, "daemon/already-running", "Another daemon answers on %s. Stop it first (systemctl stop medforged).", path)
	}
	return os.Remove(path)
}

// groupID is the group of the socket; root's where none is configured.
func groupID(name string) (int, error) {
	if name == "" {
		return 0, nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, fault.Wrap(err, fault.Invalid, "daemon/socket-group",
			"There is no group %q. Make it (groupadd --system %s), or set socket_group in the configuration.", name, name)
	}
	return strconv.Atoi(g.Gid)
}
