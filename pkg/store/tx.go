package store

import (
	"context"
	"database/sql"
	"time"
)

const (
	firstWait = 2 * time.Millisecond
	longWait  = 250 * time.Millisecond
	// patience bounds the retries of a caller whose context has no deadline.
	patience = 30 * time.Second
)

// queryer is what *sql.DB, *sql.Conn and *sql.Tx have in common.
type queryer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// write runs fn in one transaction, again from its start when the database
// chose it as the loser of a deadlock or was too busy, until ctx's deadline.
// fn must therefore set its results anew each time. Errors that fn makes
// itself pass as they are; the driver's become faults.
func (db *DB) write(ctx context.Context, doing string, fn func(tx *sql.Tx) error) error {
	return db.retry(ctx, doing, func() error {
		tx, err := db.w.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := fn(tx); err != nil {
			_ = tx.Rollback() // the first error is the one that counts
			return err
		}
		return tx.Commit()
	})
}

// read runs fn on a reader.
func (db *DB) read(ctx context.Context, doing string, fn func(q queryer) error) error {
	return db.retry(ctx, doing, func() error { return fn(db.r) })
}

func (db *DB) retry(ctx context.Context, doing string, op func() error) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(patience)
	}
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		err := op()
		if err == nil {
			return nil
		}
		if db.errorKind(err) != tryAgain {
			return db.fault(err, doing)
		}
		// Between half the wait and one and a half of it, so that those who
		// collided do not meet again.
		d := time.Duration((0.5 + db.jitter()) * float64(wait))
		if time.Now().Add(d).After(deadline) {
			return db.fault(err, doing)
		}
		t := time.NewTimer(d)
		select {
		case <-ctx.Done():
			t.Stop()
			return db.fault(ctx.Err(), doing)
		case <-t.C:
		}
	}
}

// changed returns how many rows a statement found. (MariaDB's connections are
// opened with clientFoundRows, so a row that already was as asked counts, as
// on SQLite.)
func changed(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// collect reads rows to the end.
func collect[T any](rows *sql.Rows, err error, scan func(scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// scanner is a row.
type scanner interface{ Scan(dest ...any) error }
