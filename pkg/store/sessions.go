package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// Sessions is session.Store.
type Sessions struct{ db *DB }

// Sessions returns the sessions and what they hold.
func (db *DB) Sessions() *Sessions { return &Sessions{db} }

var _ session.Store = (*Sessions)(nil)

const sessionColumns = `id, user_id, slug, tier, status, pack_id, pack_digest, gpu_index, gpu_uuid, container_id,
	workspace, from_snapshot, created_at, started_at, stopped_at, stop_reason, error_message, snapshot_name`

func scanSession(r scanner) (session.Session, error) {
	var s session.Session
	var created, started, stopped int64
	err := r.Scan(&s.ID, &s.UserID, &s.Slug, &s.Tier, &s.Status, &s.PackID, &s.PackDigest, &s.GPUIndex, &s.GPUUUID, &s.ContainerID,
		&s.Workspace, &s.FromSnapshot, &created, &started, &stopped, &s.StopReason, &s.ErrorMessage, &s.SnapshotName)
	s.CreatedAt, s.StartedAt, s.StoppedAt = fromMicros(created), fromMicros(started), fromMicros(stopped)
	return s, err
}

func insertSession(ctx context.Context, q queryer, s session.Session) error {
	_, err := q.ExecContext(ctx, `INSERT INTO sessions (`+sessionColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		s.ID, s.UserID, s.Slug, s.Tier, s.Status, s.PackID, s.PackDigest, s.GPUIndex, s.GPUUUID, s.ContainerID,
		s.Workspace, s.FromSnapshot, micros(s.CreatedAt), micros(s.StartedAt), micros(s.StoppedAt),
		s.StopReason, clip(s.ErrorMessage), s.SnapshotName)
	return err
}

func sessionByID(ctx context.Context, q queryer, id string) (session.Session, error) {
	return scanSession(q.QueryRowContext(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE id = ?`, id))
}

func noSession(idOrSlug string) error {
	return fault.New(fault.NotFound, "sessions/not-found", "there is no session %q; `medforge session list` shows yours", idOrSlug)
}

// Get finds a session by id or slug.
func (s *Sessions) Get(ctx context.Context, idOrSlug string) (session.Session, error) {
	var out session.Session
	err := s.db.read(ctx, "read the session", func(q queryer) (err error) {
		out, err = scanSession(q.QueryRowContext(ctx,
			`SELECT `+sessionColumns+` FROM sessions WHERE id = ? OR slug = ?`, idOrSlug, idOrSlug))
		if s.db.is(err, notThere) {
			return noSession(idOrSlug)
		}
		return err
	})
	return out, err
}

// List returns the chosen sessions, newest first. An After that names no
// session is Invalid "pagination/invalid-cursor".
func (s *Sessions) List(ctx context.Context, f session.Filter) ([]session.Session, error) {
	var out []session.Session
	err := s.db.read(ctx, "list the sessions", func(q queryer) error {
		where, args := []string{"1 = 1"}, []any{}
		if f.UserID != "" {
			where, args = append(where, "user_id = ?"), append(args, f.UserID)
		}
		if len(f.Statuses) > 0 {
			where = append(where, "status IN ("+marks(len(f.Statuses))+")")
			for _, st := range f.Statuses {
				args = append(args, st)
			}
		}
		if f.After != "" {
			last, err := sessionByID(ctx, q, f.After)
			if s.db.is(err, notThere) {
				return badCursor()
			} else if err != nil {
				return err
			}
			at := micros(last.CreatedAt)
			where = append(where, "created_at <= ? AND (created_at < ? OR id < ?)")
			args = append(args, at, at, last.ID)
		}
		query := `SELECT ` + sessionColumns + ` FROM sessions WHERE ` + strings.Join(where, " AND ") + ` ORDER BY created_at DESC, id DESC`
		if f.Limit > 0 {
			query += fmt.Sprintf(" LIMIT %d", f.Limit)
		}
		rows, err := q.QueryContext(ctx, query, args...)
		out, err = collect(rows, err, scanSession)
		return err
	})
	return out, err
}

// Apply makes a change: one UPDATE whose condition is the state that it starts
// from, so that of two that start from the same state only one happens.
func (s *Sessions) Apply(ctx context.Context, id string, c session.Change) (session.Session, error) {
	if len(c.From) == 0 {
		return session.Session{}, fault.New(fault.Internal, "store/no-from", "a change of session %s names no state to start from", id)
	}
	var out session.Session
	err := s.db.write(ctx, "record the session's state", func(tx *sql.Tx) error {
		var started, stopped int64
		if c.To == session.Running {
			started = micros(c.At)
		}
		if c.To.Terminal() {
			stopped = micros(c.At)
		}
		args := []any{c.To, started, started, stopped, stopped, c.Reason, c.Reason, clip(c.ErrorMessage), clip(c.ErrorMessage),
			c.SnapshotName, c.SnapshotName, c.ContainerID, c.ContainerID, c.Workspace, c.Workspace, id}
		for _, from := range c.From {
			args = append(args, from)
		}
		n, err := changed(tx.ExecContext(ctx, `UPDATE sessions SET status = ?,
			started_at    = CASE WHEN ? = 0 OR started_at <> 0 THEN started_at ELSE ? END,
			stopped_at    = CASE WHEN ? = 0 THEN stopped_at ELSE ? END,
			stop_reason   = CASE WHEN ? = '' THEN stop_reason ELSE ? END,
			error_message = CASE WHEN ? = '' THEN error_message ELSE ? END,
			snapshot_name = CASE WHEN ? = '' THEN snapshot_name ELSE ? END,
			container_id  = CASE WHEN ? = '' THEN container_id ELSE ? END,
			workspace     = CASE WHEN ? = '' THEN workspace ELSE ? END
			WHERE id = ? AND status IN (`+marks(len(c.From))+`)`, args...))
		if err != nil {
			return err
		}
		if n > 0 && c.Release {
			if err := release(ctx, tx, id); err != nil {
				return err
			}
		}
		out, err = sessionByID(ctx, tx, id)
		switch {
		case s.db.is(err, notThere):
			return noSession(id)
		case err != nil:
			return err
		case n == 0:
			return fault.New(fault.Conflict, "sessions/state-changed", "session %s is %s", out.Slug, out.Status)
		}
		return nil
	})
	return out, err
}

// marks returns n placeholders.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }

func badCursor() error {
	return fault.New(fault.Invalid, "pagination/invalid-cursor", "the cursor is not one that this list gave out; start again without it")
}

// textLimit is how much of a message is kept, in bytes: a TEXT column holds
// 65535, and nobody reads more than this.
const textLimit = 16 << 10

// clip cuts a message at a character's end.
func clip(s string) string {
	if len(s) > textLimit {
		s = s[:textLimit]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
