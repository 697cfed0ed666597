// Package dir keeps workspaces as plain folders, for hosts without ZFS. A
// snapshot is a copy that shares blocks where the file system can (btrfs, XFS)
// and is a real copy elsewhere. It cannot enforce a quota: Usage says what is
// used, and nothing stops a session from filling the file system but the
// reserve that snapshots and clones leave alone.
//
//	<root>/<user id>/<session id>/meta.json
//	                              workspace/                  1000:1000
//	                              snapshots/<name>/meta.json
//	                                               tree/
//
// Everything is made under a name that starts with a dot, written to disk and
// renamed: what has its name is complete. root and all folders down to
// workspace and tree belong to root and are closed to others, so nobody
// changes a snapshot, and no user of the host reads another's files.
package dir

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/beneath"
	"github.com/medforge/medforge/pkg/driver/internal/workspace"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// Config is what the driver needs.
type Config struct {
	Root string // absolute path; made where it is missing
	// MinFreeBytes stay free on the file system: Check fails below it, and
	// snapshots and clones stop at it.
	MinFreeBytes int64
	Now          func() time.Time // nil: time.Now
	Logger       *slog.Logger     // nil: none
}

// Workspaces implements session.Workspaces.
type Workspaces struct {
	cfg   Config
	locks workspace.Locks
}

var _ session.Workspaces = (*Workspaces)(nil)

// The names in the layout.
const (
	metaName      = "meta.json"
	treeName      = "tree"
	workspaceName = "workspace"
	snapshotsName = "snapshots"
	linksName     = "links"
	newPrefix     = ".new-" // being made
	oldPrefix     = ".old-" // being removed
)

// New opens the workspaces below cfg.Root. Errors: Invalid (the path, or its
// owner or mode), Internal.
func New(cfg Config) (*Workspaces, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if !filepath.IsAbs(cfg.Root) {
		return nil, fault.New(fault.Invalid, "workspaces/root", "the folder for workspaces is %q: give an absolute path", cfg.Root)
	}
	if err := os.MkdirAll(cfg.Root, 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "workspaces/root", "the folder for workspaces, %s, cannot be made", cfg.Root)
	}
	w := &Workspaces{cfg: cfg}
	root, err := w.root()
	if err != nil {
		return nil, err
	}
	return w, root.Close()
}

// root opens the root and makes sure that it is closed to others.
func (w *Workspaces) root() (*beneath.Dir, error) {
	root, err := beneath.OpenRoot(w.cfg.Root)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "workspaces/root", "the folder for workspaces, %s, cannot be opened", w.cfg.Root)
	}
	st, err := root.Stat(".")
	if err == nil && (st.Mode&0o077 != 0 || int(st.Uid) != os.Geteuid()) {
		err = fault.New(fault.Invalid, "workspaces/root-open",
			"others than root can get at the files below %s: chown root:root %[1]s && chmod 0700 %[1]s", w.cfg.Root)
	}
	if err != nil {
		root.Close()
		return nil, w.fail(err, "the folder for workspaces cannot be read")
	}
	return root, nil
}

// Check implements session.Workspaces.
func (w *Workspaces) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return workspace.Interrupted(err)
	}
	root, err := w.root()
	if err != nil {
		return err
	}
	defer root.Close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(root.Fd(), &st); err != nil {
		return w.fail(err, "the folder for workspaces cannot be read")
	}
	if st.Flags&unix.ST_RDONLY != 0 {
		return fault.New(fault.Unavailable, "workspaces/read-only", "the file system that holds %s is read-only", w.cfg.Root)
	}
	if free := int64(st.Bavail) * st.Bsize; free <= w.cfg.MinFreeBytes {
		return fault.New(fault.OutOfSpace, "workspaces/out-of-space",
			"the file system that holds %s has %d MiB left; %d MiB are kept free", w.cfg.Root, free>>20, w.cfg.MinFreeBytes>>20)
	}
	if st.Files > 0 && st.Ffree == 0 { // btrfs counts none
		return fault.New(fault.OutOfSpace, "workspaces/out-of-space", "the file system that holds %s has no inode left", w.cfg.Root)
	}
	return nil
}

// Space is what is used and all there is, in bytes, of the file system that
// holds the workspaces. What only root may still write counts as used.
func (w *Workspaces) Space(ctx context.Context) (used, total int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, workspace.Interrupted(err)
	}
	root, err := w.root()
	if err != nil {
		return 0, 0, err
	}
	defer root.Close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(root.Fd(), &st); err != nil {
		return 0, 0, w.fail(err, "the folder for workspaces cannot be read")
	}
	total = int64(st.Blocks) * st.Bsize
	return total - int64(st.Bavail)*st.Bsize, total, nil
}

// Name implements session.Workspaces: folders have no dataset.
func (w *Workspaces) Name(session.Ref) string { return "" }

// Path implements session.Workspaces.
func (w *Workspaces) Path(ctx context.Context, ref session.Ref) (string, error) {
	dir, _, err := w.find(ctx, ref)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	return filepath.Join(w.cfg.Root, ref.UserID, ref.SessionID, workspaceName), nil
}

// Usage implements session.Workspaces: the blocks that the files take, each
// file once however many names it has. It reads the whole tree, so callers ask
// now and then, with a deadline. Blocks shared with a snapshot count.
func (w *Workspaces) Usage(ctx context.Context, ref session.Ref) (session.Usage, error) {
	dir, _, err := w.find(ctx, ref)
	if err != nil {
		return session.Usage{}, err
	}
	defer dir.Close()
	tree, err := dir.OpenDir(workspaceName)
	if err != nil {
		return session.Usage{}, w.fail(err, "the workspace of session %s cannot be read", ref.SessionID)
	}
	defer tree.Close()
	var used int64
	err = beneath.Walk(ctx, tree, func(_ int, _ string, st *unix.Statx_t) error {
		bytes := int64(st.Blocks) * 512
		if st.Mode&unix.S_IFMT != unix.S_IFDIR && st.Nlink > 1 {
			bytes /= int64(st.Nlink) // each name its share: no list of what was seen
		}
		used += bytes
		return nil
	})
	if err != nil {
		return session.Usage{}, w.fail(err, "the workspace of session %s cannot be measured", ref.SessionID)
	}
	return session.Usage{UsedBytes: used}, nil
}

// List implements session.Workspaces.
func (w *Workspaces) List(ctx context.Context) ([]session.Ref, error) {
	if err := ctx.Err(); err != nil {
		return nil, workspace.Interrupted(err)
	}
	users, err := os.ReadDir(w.cfg.Root)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "workspaces/root", "the folder for workspaces, %s, cannot be read", w.cfg.Root)
	}
	var refs []session.Ref
	for _, u := range users {
		if !u.IsDir() || !workspace.ValidID(u.Name()) {
			continue
		}
		sessions, err := os.ReadDir(filepath.Join(w.cfg.Root, u.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, w.fail(err, "the workspaces of user %s cannot be listed", u.Name())
		}
		for _, s := range sessions {
			if s.IsDir() && workspace.ValidID(s.Name()) {
				refs = append(refs, session.Ref{UserID: u.Name(), SessionID: s.Name()})
			}
		}
	}
	return refs, nil
}
