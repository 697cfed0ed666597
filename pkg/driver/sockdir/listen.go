package sockdir

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/beneath"
	"github.com/medforge/medforge/pkg/fault"
)

// ListenAPI implements session.Sockets. The new socket is made under a name
// that nobody knows and put in place whole, whatever a stranger has put there.
// Its file stays when the listener is closed: the next one replaces it, and
// Remove takes it away. Errors: Unavailable (no folder), OutOfSpace (the
// session keeps filling its folder).
func (s *Sockets) ListenAPI(ctx context.Context, slug string) (net.Listener, error) {
	if err := check(ctx, slug); err != nil {
		return nil, err
	}
	dir, err := s.folder(slug)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if mounted, err := isMount(s.path(slug)); err != nil || !mounted {
		return nil, fault.Wrap(err, fault.Unavailable, "sockets/no-folder", "the socket folder of session %s is not mounted", slug)
	}
	temp := ".api-" + rand.Text()
	l, err := bind(ctx, dir, temp)
	for range roomTries {
		if !errors.Is(err, unix.ENOSPC) {
			break
		}
		if err = s.makeRoom(slug, dir); err == nil {
			l, err = bind(ctx, dir, temp)
		}
	}
	if errors.Is(err, unix.ENOSPC) {
		return nil, fault.Wrap(err, fault.OutOfSpace, "sockets/folder-full",
			"session %s fills its socket folder, so medforge inside it does not work: delete files below /run/medforge in the session", slug)
	}
	if err != nil {
		return nil, internal(err, "the api socket of session %s cannot be made", slug)
	}
	if err := publish(ctx, dir, temp); err != nil {
		err = errors.Join(err, l.Close(), dir.RemoveAll(context.WithoutCancel(ctx), temp))
		return nil, internal(err, "the api socket of session %s cannot be put in place", slug)
	}
	return &listener{UnixListener: l, addr: net.UnixAddr{Name: filepath.Join(s.path(slug), APISocket), Net: "unix"}}, nil
}

// roomTries bounds the race with a session that takes what is made for us.
const roomTries = 8

// makeRoom lets a folder hold one file more than it does.
func (s *Sockets) makeRoom(slug string, dir *beneath.Dir) error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(dir.Fd(), &st); err != nil {
		return err
	}
	limit := fmt.Sprintf("nr_inodes=%d", st.Files-st.Ffree+1)
	return unix.Mount("", s.path(slug), "", unix.MS_REMOUNT|mountFlags, limit)
}

// bind listens on a new socket called name that everybody may connect to.
func bind(ctx context.Context, dir *beneath.Dir, name string) (*net.UnixListener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "unix", dir.ProcPath(name))
	if err != nil {
		return nil, err
	}
	u := l.(*net.UnixListener)
	// The path holds a descriptor's number, which means something else later.
	u.SetUnlinkOnClose(false)
	// The folder is sticky and the socket root's: nobody else can move it.
	if err := unix.Fchmodat(dir.Fd(), name, 0o666, 0); err != nil {
		return nil, errors.Join(err, l.Close(), dir.Unlink(name))
	}
	return u, nil
}

// publish gives temp the api socket's name. What has the name now, be it our
// old socket or a stranger's directory full of files, changes places with it,
// which works for every kind of file, and is removed.
func publish(ctx context.Context, dir *beneath.Dir, temp string) error {
	for {
		err := dir.Rename(temp, APISocket, unix.RENAME_NOREPLACE)
		if !errors.Is(err, unix.EEXIST) {
			return err
		}
		err = dir.Rename(temp, APISocket, unix.RENAME_EXCHANGE)
		if err == nil {
			return dir.RemoveAll(ctx, temp)
		}
		if !errors.Is(err, unix.ENOENT) {
			return err
		}
		if err := ctx.Err(); err != nil { // a stranger makes and unmakes the name
			return err
		}
	}
}

// listener names the socket as people know it.
type listener struct {
	*net.UnixListener
	addr net.UnixAddr
}

func (l *listener) Addr() net.Addr { return &l.addr }
