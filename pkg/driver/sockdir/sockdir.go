// Package sockdir keeps the folders in which a session and the daemon meet:
// the session makes ide.sock there, the daemon api.sock. Each folder is a small
// tmpfs of its own, so that a session that fills it harms nobody else, and it
// belongs to root with the sticky bit, so that the session can make its socket
// and cannot take ours away. Whatever stands in a folder is a stranger's.
//
// The mounts must be seen by the runtime: the daemon runs in the host's mount
// namespace, or in one that shares its mounts with it.
package sockdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/beneath"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/session/faultpoint"
)

// The names in a folder.
const (
	IDESocket = "ide.sock"
	APISocket = "api.sock"
)

// sessionUID is the user that a session's processes run as.
const sessionUID = 1000

// mountOptions bound what a session can put into its folder: 1 MiB, 64 files.
const mountOptions = "size=1m,nr_inodes=64,mode=1777,uid=0,gid=0"

const mountFlags = unix.MS_NODEV | unix.MS_NOSUID | unix.MS_NOEXEC

// Sockets implements session.Sockets below one directory that only root may
// enter.
type Sockets struct {
	runDir string
	mu     sync.Mutex // makes and removes one folder at a time
}

var _ session.Sockets = (*Sockets)(nil)

// New makes runDir, 0700, where it is missing, and keeps the folders below it.
// Errors: Invalid (not an absolute path, or others may write there), Internal.
func New(runDir string) (*Sockets, error) {
	if !filepath.IsAbs(runDir) {
		return nil, fault.New(fault.Invalid, "sockets/run-dir", "the folder for session sockets is %q: give an absolute path", runDir)
	}
	if err := os.MkdirAll(runDir, 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "sockets/run-dir", "the folder for session sockets, %s, cannot be made", runDir)
	}
	st, err := os.Stat(runDir)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "sockets/run-dir", "the folder for session sockets, %s, cannot be read", runDir)
	}
	if st.Mode().Perm()&0o022 != 0 {
		return nil, fault.New(fault.Invalid, "sockets/run-dir", "others than root may write to %s: chmod 0700 %[1]s", runDir)
	}
	return &Sockets{runDir: runDir}, nil
}

// Create implements session.Sockets. A crash may have left the folder without
// its mount; then only that is made.
func (s *Sockets) Create(ctx context.Context, slug string) (string, error) {
	if err := check(ctx, slug); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	path := s.path(slug)
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", internal(err, "the socket folder of session %s cannot be made", slug)
	}
	faultpoint.Hit("sockets.folder")
	mounted, err := isMount(path)
	if err != nil {
		return "", internal(err, "the socket folder of session %s cannot be read", slug)
	}
	if mounted {
		return path, nil
	}
	if err := unix.Mount("medforge-"+slug, path, "tmpfs", mountFlags, mountOptions); err != nil {
		return "", internal(errors.Join(err, os.Remove(path)), "the socket folder of session %s cannot be mounted", slug)
	}
	return path, nil
}

// Remove implements session.Sockets. A container that still has the folder
// keeps its own view of it until it ends.
func (s *Sockets) Remove(ctx context.Context, slug string) error {
	if err := check(ctx, slug); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	path := s.path(slug)
	for {
		mounted, err := isMount(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return internal(err, "the socket folder of session %s cannot be read", slug)
		}
		if !mounted {
			break
		}
		// Mounted twice over is unmounted twice. Somebody who has a socket
		// open must not keep the folder: the mount goes when they let go.
		err = unix.Unmount(path, unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EBUSY) {
			err = unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		}
		if err != nil {
			return internal(err, "the socket folder of session %s cannot be unmounted", slug)
		}
	}
	faultpoint.Hit("sockets.unmounted")
	root, err := beneath.OpenRoot(s.runDir)
	if err != nil {
		return internal(err, "the folder for session sockets, %s, cannot be opened", s.runDir)
	}
	defer root.Close()
	if err := root.RemoveAll(ctx, slug); err != nil {
		return internal(err, "the socket folder of session %s cannot be removed", slug)
	}
	return nil
}

// List implements session.Sockets.
func (s *Sockets) List(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, interrupted(err)
	}
	entries, err := os.ReadDir(s.runDir)
	if err != nil {
		return nil, internal(err, "the folder for session sockets, %s, cannot be read", s.runDir)
	}
	var slugs []string
	for _, e := range entries {
		if e.IsDir() && session.ValidSlug(e.Name()) {
			slugs = append(slugs, e.Name())
		}
	}
	return slugs, nil
}

func (s *Sockets) path(slug string) string { return filepath.Join(s.runDir, slug) }

// folder opens a session's mounted folder.
func (s *Sockets) folder(slug string) (*beneath.Dir, error) {
	dir, err := beneath.OpenRoot(s.path(slug))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(err, fault.Unavailable, "sockets/no-folder", "session %s has no socket folder", slug)
	}
	if err != nil {
		return nil, internal(err, "the socket folder of session %s cannot be opened", slug)
	}
	return dir, nil
}

// isMount reports whether a file system is mounted exactly at path.
func isMount(path string) (bool, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_TYPE, &st); err != nil {
		return false, &os.PathError{Op: "statx", Path: path, Err: err}
	}
	if st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT == 0 {
		return false, fmt.Errorf("this kernel does not say what is a mount: Linux 5.8 or newer is needed")
	}
	return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
}

func check(ctx context.Context, slug string) error {
	if !session.ValidSlug(slug) {
		return fault.New(fault.Invalid, "sockets/invalid-slug", "%q is not the slug of a session", slug)
	}
	if err := ctx.Err(); err != nil {
		return interrupted(err)
	}
	return nil
}

func internal(err error, format string, args ...any) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return interrupted(err)
	}
	return fault.Wrap(err, fault.Internal, "sockets/failed", format, args...)
}

func interrupted(err error) error {
	return fault.Wrap(err, fault.Unavailable, "sockets/interrupted", "work on a socket folder did not end in its time")
}
