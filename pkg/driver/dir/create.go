package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/beneath"
	"github.com/medforge/medforge/pkg/driver/dir/treecopy"
	"github.com/medforge/medforge/pkg/driver/internal/workspace"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/session/faultpoint"
)

// Create implements session.Workspaces.
func (w *Workspaces) Create(ctx context.Context, ref session.Ref) error {
	if err := workspace.CheckRef(ref); err != nil {
		return err
	}
	unlock, err := w.locks.Lock(ctx, ref)
	if err != nil {
		return err
	}
	defer unlock()
	if _, there, err := w.standing(ref); there || err != nil {
		return err
	}
	return w.build(ctx, ref, func(dir *beneath.Dir, m *meta) error {
		if err := dir.Mkdir(workspaceName, 0o700); err != nil {
			return err
		}
		top, err := dir.OpenDir(workspaceName)
		if err != nil {
			return err
		}
		defer top.Close()
		if err := unix.Fchown(top.Fd(), workspace.UID, workspace.GID); err != nil {
			return err
		}
		return unix.Fchmod(top.Fd(), workspace.Mode)
	})
}

// Clone implements session.Workspaces.
func (w *Workspaces) Clone(ctx context.Context, from session.Snapshot, ref session.Ref) error {
	for _, err := range []error{workspace.CheckRef(from.Ref), workspace.CheckSnapshot(from.Name), workspace.CheckRef(ref)} {
		if err != nil {
			return err
		}
	}
	unlock, err := w.locks.Lock(ctx, ref)
	if err != nil {
		return err
	}
	defer unlock()
	if m, there, err := w.standing(ref); err != nil {
		return err
	} else if there {
		if m.Origin == nil || *m.Origin != *originOf(from) {
			return w.exists(ref, errors.New("it was not cloned from this snapshot"))
		}
		return nil
	}
	source, err := w.snapshotTree(from.Ref, from.Name)
	if err != nil {
		return err
	}
	defer source.Close()
	return w.build(ctx, ref, func(dir *beneath.Dir, m *meta) error {
		m.Origin = originOf(from)
		if _, err := w.copyTree(ctx, source, dir, workspaceName); err != nil {
			return err
		}
		top, err := dir.OpenDir(workspaceName)
		if err != nil {
			return err
		}
		defer top.Close()
		if err := unix.Fchown(top.Fd(), workspace.UID, workspace.GID); err != nil {
			return err
		}
		st, err := top.Stat(".")
		if err != nil {
			return err
		}
		m.ReadyAt = workspace.Changed(&st)
		return workspace.WaitAfter(ctx, m.ReadyAt)
	})
}

// standing says what has the workspace's name. Errors: Exists.
func (w *Workspaces) standing(ref session.Ref) (meta, bool, error) {
	dir, m, err := w.open(ref)
	switch {
	case err == nil:
		return m, true, dir.Close()
	case errors.Is(err, errForeign):
		return m, false, w.exists(ref, err)
	case missing(err):
		return m, false, nil
	}
	return m, false, w.fail(err, "the workspace of session %s cannot be opened", ref.SessionID)
}

// build makes a session's folder under another name, has it filled, and gives
// it its own. A failure leaves nothing.
func (w *Workspaces) build(ctx context.Context, ref session.Ref, fill func(*beneath.Dir, *meta) error) error {
	root, err := w.root()
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Mkdir(ref.UserID, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return w.fail(err, "the folder of user %s cannot be made", ref.UserID)
	}
	user, err := root.OpenDir(ref.UserID)
	if err != nil {
		return w.fail(err, "the folder of user %s cannot be opened", ref.UserID)
	}
	defer user.Close()
	m := meta{Version: metaVersion, UserID: ref.UserID, SessionID: ref.SessionID, CreatedAt: w.cfg.Now().UTC()}
	err = w.publish(ctx, user, ref.SessionID, func(dir *beneath.Dir) error {
		if err := fill(dir, &m); err != nil {
			return err
		}
		if err := dir.Mkdir(snapshotsName, 0o700); err != nil {
			return err
		}
		return writeMeta(dir, m)
	})
	if errors.Is(err, fs.ErrExist) {
		return w.exists(ref, err)
	}
	if err != nil {
		return w.fail(err, "the workspace of session %s cannot be made", ref.SessionID)
	}
	return nil
}

// publish makes the folder name in parent: filled under another name, written
// to disk, renamed. What an interrupted call left is removed first, and what
// this one leaves when it fails.
func (w *Workspaces) publish(ctx context.Context, parent *beneath.Dir, name string, fill func(*beneath.Dir) error) (err error) {
	temp := newPrefix + name
	if err := parent.RemoveAll(ctx, temp); err != nil {
		return err
	}
	if err := parent.Mkdir(temp, 0o700); err != nil {
		return err
	}
	defer func() {
		if err == nil {
			return
		}
		// Half a copy is worth nothing, and its space is somebody's.
		if rmErr := parent.RemoveAll(context.WithoutCancel(ctx), temp); rmErr != nil {
			w.cfg.Logger.Error("what a failed copy left stays until the next one", "path", parent.String()+"/"+temp, "error", rmErr)
		}
	}()
	dir, err := parent.OpenDir(temp)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := fill(dir); err != nil {
		return err
	}
	faultpoint.Hit("workspace.filled")
	if err := unix.Syncfs(dir.Fd()); err != nil {
		return fmt.Errorf("writing to disk: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := parent.Rename(temp, name, unix.RENAME_NOREPLACE); err != nil {
		return err
	}
	faultpoint.Hit("workspace.renamed")
	return parent.Sync()
}

// copyTree copies source to the new folder name in dir.
func (w *Workspaces) copyTree(ctx context.Context, source, dir *beneath.Dir, name string) (treecopy.Stats, error) {
	for _, n := range []string{name, linksName} {
		if err := dir.Mkdir(n, 0o700); err != nil {
			return treecopy.Stats{}, err
		}
	}
	target, err := dir.OpenDir(name)
	if err != nil {
		return treecopy.Stats{}, err
	}
	defer target.Close()
	links, err := dir.OpenDir(linksName)
	if err != nil {
		return treecopy.Stats{}, err
	}
	defer links.Close()
	stats, err := treecopy.Copy(ctx, source, target, treecopy.Options{Links: links, ReserveBytes: w.cfg.MinFreeBytes})
	if err != nil {
		return stats, err
	}
	return stats, dir.RemoveAll(ctx, linksName)
}
