package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
)

// Audit keeps the events of one run of the daemon, and reads those of all.
type Audit struct {
	db  *DB
	run string // names this run: event numbers start at 1 in each
}

// Audit returns a new run's audit. One event bus has one.
func (db *DB) Audit() (*Audit, error) {
	run, err := uuid.NewV7()
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "store/no-randomness", "no random number for the audit's run")
	}
	return &Audit{db: db, run: run.String()}, nil
}

const (
	auditColumns = `run, seq, at, type, user_id, session_id, slug, actor_id, public, data`
	auditChunk   = 64 // rows in one INSERT
)

// AppendEvents writes events, all or none; volatile ones are left out. Events
// that are there already, because an earlier call's answer was lost, are not
// doubled.
func (a *Audit) AppendEvents(ctx context.Context, events []event.Event) error {
	rows := make([][]any, 0, len(events))
	for _, e := range events {
		if e.Volatile {
			continue
		}
		data, err := json.Marshal(e.Data)
		if err != nil {
			return fault.Wrap(err, fault.Invalid, "store/bad-event", "event %d (%s) cannot be written as JSON", e.Seq, e.Type)
		}
		rows = append(rows, []any{a.run, int64(e.Seq), micros(e.Time), e.Type, e.UserID, e.SessionID, e.Slug, e.ActorID, bit(e.Public), string(data)})
	}
	const doing = "write the audit"
	err := a.db.write(ctx, doing, func(tx *sql.Tx) error {
		for part := rows; len(part) > 0; {
			n := min(len(part), auditChunk)
			if err := insertEvents(ctx, tx, part[:n]); err != nil {
				return err
			}
			part = part[n:]
		}
		return nil
	})
	if !fault.Is(err, fault.Exists) {
		return err
	}
	return a.db.write(ctx, doing, func(tx *sql.Tx) error {
		for i := range rows {
			if err := insertEvents(ctx, tx, rows[i:i+1]); err != nil && !a.db.is(err, duplicate) {
				return err
			}
		}
		return nil
	})
}

func insertEvents(ctx context.Context, q queryer, rows [][]any) error {
	var args []any
	for _, r := range rows {
		args = append(args, r...)
	}
	one := "(" + marks(strings.Count(auditColumns, ",")+1) + ")"
	_, err := q.ExecContext(ctx, `INSERT INTO audit_events (`+auditColumns+`) VALUES `+
		strings.TrimSuffix(strings.Repeat(one+",", len(rows)), ","), args...)
	return err
}

// AuditFilter chooses events, newest first. Zero fields choose all.
type AuditFilter struct {
	UserID    string
	SessionID string
	Type      event.Type
	Since     time.Time // at or after
	Until     time.Time // before
	Limit     int       // 0 is 100
	After     AuditKey  // the last row of the page before
}

// AuditKey is a row's place in the order: by time, then run, then number.
type AuditKey struct {
	At  time.Time
	Run string
	Seq uint64
}

// AuditRow is an event that was kept.
type AuditRow struct {
	event.Event
	Run string
}

// Key is where the next page goes on.
func (r AuditRow) Key() AuditKey { return AuditKey{At: r.Time, Run: r.Run, Seq: r.Seq} }

// Events returns the chosen events, newest first.
func (a *Audit) Events(ctx context.Context, f AuditFilter) ([]AuditRow, error) {
	where, args := []string{"1 = 1"}, []any{}
	and := func(cond string, v ...any) { where, args = append(where, cond), append(args, v...) }
	if f.UserID != "" {
		and("user_id = ?", f.UserID)
	}
	if f.SessionID != "" {
		and("session_id = ?", f.SessionID)
	}
	if f.Type != "" {
		and("type = ?", f.Type)
	}
	if !f.Since.IsZero() {
		and("at >= ?", micros(f.Since))
	}
	if !f.Until.IsZero() {
		and("at < ?", micros(f.Until))
	}
	if f.After != (AuditKey{}) {
		at := micros(f.After.At)
		and("at <= ? AND (at < ? OR run < ? OR (run = ? AND seq < ?))", at, at, f.After.Run, f.After.Run, int64(f.After.Seq))
	}
	if f.Limit <= 0 {
		f.Limit = 100
	}
	var out []AuditRow
	err := a.db.read(ctx, "read the audit", func(q queryer) error {
		rows, err := q.QueryContext(ctx, fmt.Sprintf(`SELECT %s FROM audit_events WHERE %s ORDER BY at DESC, run DESC, seq DESC LIMIT %d`,
			auditColumns, strings.Join(where, " AND "), f.Limit), args...)
		out, err = collect(rows, err, scanEvent)
		return err
	})
	return out, err
}

func scanEvent(r scanner) (AuditRow, error) {
	var e AuditRow
	var at int64
	var data string
	err := r.Scan(&e.Run, &e.Seq, &at, &e.Type, &e.UserID, &e.SessionID, &e.Slug, &e.ActorID, &e.Public, &data)
	if err != nil {
		return e, err
	}
	e.Time = fromMicros(at)
	if err := json.Unmarshal([]byte(data), &e.Data); err != nil {
		return e, fault.Wrap(err, fault.Internal, "store/bad-event", "event %d of run %s is damaged", e.Seq, e.Run)
	}
	return e, nil
}
