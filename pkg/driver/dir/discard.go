package dir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/beneath"
	"github.com/medforge/medforge/pkg/driver/internal/workspace"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/session/faultpoint"
)

// Discard implements session.Workspaces.
func (w *Workspaces) Discard(ctx context.Context, ref session.Ref) error {
	if err := workspace.CheckRef(ref); err != nil {
		return err
	}
	unlock, err := w.locks.Lock(ctx, ref)
	if err != nil {
		return err
	}
	defer unlock()
	if err := w.discard(ctx, ref); err != nil {
		return w.fail(err, "the workspace of session %s cannot be taken back", ref.SessionID)
	}
	return nil
}

func (w *Workspaces) discard(ctx context.Context, ref session.Ref) error {
	user, err := w.openUser(ref.UserID)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer user.Close()
	if err := w.leftovers(ctx, user, ref.SessionID); err != nil {
		return err
	}
	untouched, err := w.untouched(ctx, ref)
	if err != nil || !untouched {
		return err
	}
	old := oldPrefix + ref.SessionID
	if err := user.Rename(ref.SessionID, old, unix.RENAME_NOREPLACE); err != nil {
		return err
	}
	faultpoint.Hit("workspace.discarded")
	return user.RemoveAll(ctx, old) // the user's folder stays: another session may be about to use it
}

// untouched reports whether the workspace is as Create or Clone left it.
func (w *Workspaces) untouched(ctx context.Context, ref session.Ref) (bool, error) {
	dir, m, err := w.open(ref)
	if missing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer dir.Close()
	if list, err := dir.OpenDir(snapshotsName); err == nil {
		defer list.Close()
		if none, err := workspace.Empty(ctx, list); err != nil || !none {
			return false, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	top, err := dir.OpenDir(workspaceName)
	if err != nil {
		return false, err
	}
	defer top.Close()
	if m.Origin == nil {
		return workspace.Empty(ctx, top)
	}
	touched, err := workspace.Touched(ctx, top, m.ReadyAt)
	return err == nil && !touched, err
}

// CleanUp removes what interrupted calls left. The daemon calls it when it
// starts; it can run beside everything else.
func (w *Workspaces) CleanUp(ctx context.Context) error {
	users, err := os.ReadDir(w.cfg.Root)
	if err != nil {
		return w.fail(err, "the folder for workspaces cannot be read")
	}
	var all error
	for _, u := range users {
		if workspace.ValidID(u.Name()) {
			all = errors.Join(all, w.cleanUser(ctx, u.Name()))
		}
	}
	if all != nil {
		return w.fail(all, "what interrupted copies left cannot be removed")
	}
	return nil
}

func (w *Workspaces) cleanUser(ctx context.Context, id string) error {
	user, err := w.openUser(id)
	if err != nil {
		return err
	}
	defer user.Close()
	entries, err := os.ReadDir(filepath.Join(w.cfg.Root, id))
	if err != nil {
		return err
	}
	var all error
	for _, e := range entries {
		name := strings.TrimPrefix(strings.TrimPrefix(e.Name(), newPrefix), oldPrefix)
		if !workspace.ValidID(name) {
			continue
		}
		unlock, err := w.locks.Lock(ctx, session.Ref{UserID: id, SessionID: name})
		if err != nil {
			return err
		}
		all = errors.Join(all, w.leftovers(ctx, user, name))
		unlock()
	}
	return all
}

// leftovers removes what interrupted calls for one session left. The caller
// holds its lock.
func (w *Workspaces) leftovers(ctx context.Context, user *beneath.Dir, id string) error {
	for _, prefix := range []string{newPrefix, oldPrefix} {
		if err := user.RemoveAll(ctx, prefix+id); err != nil {
			return err
		}
	}
	list, err := user.OpenDir(id + "/" + snapshotsName)
	if beneath.Gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer list.Close()
	entries, err := os.ReadDir(filepath.Join(w.cfg.Root, filepath.Base(user.String()), id, snapshotsName))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name, temp := strings.CutPrefix(e.Name(), newPrefix); temp && session.ValidSnapshot(name) {
			if err := list.RemoveAll(ctx, e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Workspaces) openUser(id string) (*beneath.Dir, error) {
	root, err := w.root()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.OpenDir(id)
}
