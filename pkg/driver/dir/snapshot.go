package dir

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/medforge/medforge/pkg/beneath"
	"github.com/medforge/medforge/pkg/driver/internal/workspace"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// Snapshot implements session.Workspaces. Of a workspace that is written to
// meanwhile it holds each file as it was when it was copied.
func (w *Workspaces) Snapshot(ctx context.Context, ref session.Ref, name string) (session.Snapshot, error) {
	if err := workspace.CheckSnapshot(name); err != nil {
		return session.Snapshot{}, err
	}
	if err := workspace.CheckRef(ref); err != nil {
		return session.Snapshot{}, err
	}
	unlock, err := w.locks.Lock(ctx, ref)
	if err != nil {
		return session.Snapshot{}, err
	}
	defer unlock()
	dir, _, err := w.find(ctx, ref)
	if err != nil {
		return session.Snapshot{}, err
	}
	defer dir.Close()
	failed := func(err error) (session.Snapshot, error) {
		return session.Snapshot{}, w.fail(err, "the snapshot %s of session %s cannot be taken; the workspace is as it was", name, ref.SessionID)
	}
	list, err := dir.OpenDir(snapshotsName)
	if errors.Is(err, fs.ErrNotExist) {
		if err = dir.Mkdir(snapshotsName, 0o700); err == nil {
			list, err = dir.OpenDir(snapshotsName)
		}
	}
	if err != nil {
		return failed(err)
	}
	defer list.Close()
	if s, err := readSnapshot(list, ref, name); err == nil || !errors.Is(err, fs.ErrNotExist) {
		if errors.Is(err, errForeign) {
			err = fault.Wrap(err, fault.Exists, "workspaces/exists", "%s/%s is there and is no snapshot of this session: look at it and move it away", list, name)
		}
		if err != nil {
			return failed(err)
		}
		return s, nil
	}
	source, err := dir.OpenDir(workspaceName)
	if err != nil {
		return failed(err)
	}
	defer source.Close()
	m := meta{Version: metaVersion, UserID: ref.UserID, SessionID: ref.SessionID, CreatedAt: w.cfg.Now().UTC(), Snapshot: name}
	err = w.publish(ctx, list, name, func(temp *beneath.Dir) error {
		stats, err := w.copyTree(ctx, source, temp, treeName)
		if err != nil {
			return err
		}
		if m.UsedBytes = stats.Bytes; stats.Cloned > 0 {
			m.UsedBytes = -1
		}
		w.cfg.Logger.Info("workspace copied", "session", ref.SessionID, "snapshot", name,
			"entries", stats.Entries, "cloned", stats.Cloned, "copied", stats.Copied, "bytes", stats.Bytes,
			"sockets_left_out", stats.Sockets, "devices_left_out", stats.Devices, "mounts_left_out", stats.Mounts,
			"vanished", stats.Vanished, "rights_stripped", stats.Stripped, "links_split", stats.SplitLink)
		return writeMeta(temp, m)
	})
	if err != nil {
		return failed(err)
	}
	return m.snapshot(ref), nil
}

// Snapshots implements session.Workspaces.
func (w *Workspaces) Snapshots(ctx context.Context, ref session.Ref) ([]session.Snapshot, error) {
	dir, _, err := w.find(ctx, ref)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	list, err := dir.OpenDir(snapshotsName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, w.fail(err, "the snapshots of session %s cannot be listed", ref.SessionID)
	}
	defer list.Close()
	entries, err := os.ReadDir(filepath.Join(w.cfg.Root, ref.UserID, ref.SessionID, snapshotsName))
	if err != nil {
		return nil, w.fail(err, "the snapshots of session %s cannot be listed", ref.SessionID)
	}
	var out []session.Snapshot
	for _, e := range entries {
		if !session.ValidSnapshot(e.Name()) {
			continue
		}
		s, err := readSnapshot(list, ref, e.Name())
		if errors.Is(err, errForeign) { // one that is broken must not hide the rest
			w.cfg.Logger.Warn("not a snapshot of ours", "session", ref.SessionID, "name", e.Name(), "error", err)
			continue
		}
		if err != nil {
			return nil, w.fail(err, "the snapshot %s of session %s cannot be read", e.Name(), ref.SessionID)
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b session.Snapshot) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), workspace.SnapshotTime(a.Name).Compare(workspace.SnapshotTime(b.Name)))
	})
	return out, nil
}

// snapshotTree opens a snapshot's files. Errors: NotFound.
func (w *Workspaces) snapshotTree(ref session.Ref, name string) (*beneath.Dir, error) {
	dir, _, err := w.open(ref)
	if err == nil {
		defer dir.Close()
		var s *beneath.Dir
		if s, err = dir.OpenDir(snapshotsName + "/" + name); err == nil {
			defer s.Close()
			if _, err = readMeta(s, ref, name); err == nil {
				return openTree(s)
			}
		}
	}
	if missing(err) {
		e := workspace.SnapshotNotFound(ref, name)
		e.Cause = err
		return nil, e
	}
	return nil, w.fail(err, "the snapshot %s of session %s cannot be opened", name, ref.SessionID)
}

func openTree(s *beneath.Dir) (*beneath.Dir, error) { return s.OpenDir(treeName) }

// readSnapshot reads a complete snapshot's description. Errors:
// fs.ErrNotExist, errForeign, or what went wrong.
func readSnapshot(list *beneath.Dir, ref session.Ref, name string) (session.Snapshot, error) {
	dir, err := list.OpenDir(name)
	if err != nil {
		return session.Snapshot{}, err
	}
	defer dir.Close()
	m, err := readMeta(dir, ref, name)
	if err != nil {
		return session.Snapshot{}, err
	}
	return m.snapshot(ref), nil
}

func (m meta) snapshot(ref session.Ref) session.Snapshot {
	return session.Snapshot{Ref: ref, Name: m.Snapshot, CreatedAt: m.CreatedAt, UsedBytes: m.UsedBytes}
}
