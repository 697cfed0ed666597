package zfs

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/medforge/medforge/pkg/driver/internal/workspace"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// Snapshot implements session.Workspaces.
func (w *Workspaces) Snapshot(ctx context.Context, ref session.Ref, name string) (session.Snapshot, error) {
	if err := workspace.CheckSnapshot(name); err != nil {
		return session.Snapshot{}, err
	}
	d, err := w.find(ctx, ref)
	if err != nil {
		return session.Snapshot{}, err
	}
	s, err := w.readSnapshot(ctx, ref, name)
	if err == nil || !fault.Is(err, fault.NotFound) {
		return s, err
	}
	err = w.retry(ctx, d.name, func() error {
		_, err := w.cmd.zfs(ctx, "snapshot", "-o", propSession+"="+ref.SessionID, d.name+"@"+name)
		return err
	})
	if err != nil && why(err) != exists {
		return session.Snapshot{}, w.fail(err, "the snapshot %s of session %s cannot be taken; the workspace is as it was", name, ref.SessionID)
	}
	return w.readSnapshot(ctx, ref, name)
}

// getSnapshot errors: NotFound.
func (w *Workspaces) getSnapshot(ctx context.Context, ref session.Ref, name string) (dataset, error) {
	d, err := w.get(ctx, w.Name(ref)+"@"+name, "creation", "used", "referenced")
	if why(err) == noDataset {
		if _, _, err := w.standing(ctx, ref); err != nil { // the pool may be away
			return d, err
		}
		return d, workspace.SnapshotNotFound(ref, name)
	}
	if err != nil {
		return d, w.fail(err, "the snapshot %s of session %s cannot be read", name, ref.SessionID)
	}
	return d, nil
}

// readSnapshot errors: NotFound.
func (w *Workspaces) readSnapshot(ctx context.Context, ref session.Ref, name string) (session.Snapshot, error) {
	d, err := w.getSnapshot(ctx, ref, name)
	if err != nil {
		return session.Snapshot{}, err
	}
	created, err := d.number("creation")
	if err != nil {
		return session.Snapshot{}, err
	}
	used, err := d.number("used")
	if err != nil {
		return session.Snapshot{}, err
	}
	return session.Snapshot{Ref: ref, Name: name, CreatedAt: time.Unix(created, 0).UTC(), UsedBytes: used}, nil
}

// snapshotSize is the size of a snapshot's files. Errors: NotFound.
func (w *Workspaces) snapshotSize(ctx context.Context, ref session.Ref, name string) (int64, error) {
	d, err := w.getSnapshot(ctx, ref, name)
	if err != nil {
		return 0, err
	}
	return d.number("referenced")
}

// Snapshots implements session.Workspaces. Snapshots that others took, such as
// a backup's, are not listed.
func (w *Workspaces) Snapshots(ctx context.Context, ref session.Ref) ([]session.Snapshot, error) {
	_, err := w.find(ctx, ref)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := w.listSnapshots(ctx, ref)
	if err != nil {
		return nil, err
	}
	var out []session.Snapshot
	for _, row := range rows {
		_, name, _ := strings.Cut(row[0], "@")
		if !session.ValidSnapshot(name) {
			continue
		}
		created, err := strconv.ParseInt(row[1], 10, 64)
		if err != nil {
			return nil, w.fail(err, "zfs says that %s was made at %q", row[0], row[1])
		}
		used, err := strconv.ParseInt(row[2], 10, 64)
		if err != nil {
			used = -1
		}
		out = append(out, session.Snapshot{Ref: ref, Name: name, CreatedAt: time.Unix(created, 0).UTC(), UsedBytes: used})
	}
	return out, nil
}

// listSnapshots returns name, creation and used of every snapshot, oldest
// first: by transaction group, since several can be of one second.
func (w *Workspaces) listSnapshots(ctx context.Context, ref session.Ref) ([][]string, error) {
	rows, err := w.cmd.zfs(ctx, "list", "-Hp", "-t", "snapshot", "-d", "1", "-o", "name,creation,used", "-s", "createtxg", w.Name(ref))
	if err != nil {
		return nil, w.fail(err, "the snapshots of session %s cannot be listed", ref.SessionID)
	}
	for _, row := range rows {
		if len(row) != 3 {
			return nil, fault.New(fault.Internal, "workspaces/failed", "zfs lists a snapshot of session %s as %q", ref.SessionID, row)
		}
	}
	return rows, nil
}
