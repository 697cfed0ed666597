package store

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/medforge/medforge/pkg/fault"
)

type sqliteEngine struct{}

// openSQLite opens one connection that writes and a few that read. SQLite has
// one writer at a time anyway; with one connection for it callers queue in
// this process, where they wait by their own deadlines, instead of polling the
// file's lock.
func (db *DB) openSQLite() error {
	path, err := filepath.Abs(db.cfg.Path)
	if db.cfg.Path == "" || err != nil {
		return fault.New(fault.Invalid, "store/no-path", "the database needs a path: set data_dir or [database] path")
	}
	db.engine, db.cfg.Path = sqliteEngine{}, path
	// The file holds password hashes: for its owner alone. SQLite gives its
	// -wal and -shm files the same mode.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "store/cannot-open",
			"the database file %s cannot be opened; check that its folder is there and is the daemon's", path)
	}
	if err := f.Close(); err != nil {
		return db.fault(err, "open the database file")
	}
	if db.w, err = openSQLitePool(path, false); err != nil {
		return db.fault(err, "open the database file")
	}
	db.w.SetMaxOpenConns(1)
	if db.r, err = openSQLitePool(path, true); err != nil {
		return db.fault(err, "open the database file")
	}
	readers := db.cfg.MaxConns
	if readers == 0 {
		readers = 4
	}
	db.r.SetMaxOpenConns(readers)
	db.r.SetMaxIdleConns(readers)
	return nil
}

// openSQLitePool sets what every connection needs.
//
// synchronous=FULL: with WAL, NORMAL syncs only at checkpoints, so the last
// commits could be lost with the power. A write that was answered is kept, so
// each commit pays for its fsync.
func openSQLitePool(path string, readOnly bool) (*sql.DB, error) {
	q := url.Values{
		"_busy_timeout": {"2000"}, // another process, such as a migration; beyond that our own retries go on
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_foreign_keys": {"on"},
		"_txlock":       {"immediate"}, // a writer that starts as a reader could not wait for the lock
		"_dqs":          {"0"},
		"_defensive":    {"1"},
		"_error_rc":     {"1"},
	}
	if readOnly {
		q.Set("_query_only", "on")
		q.Set("_txlock", "deferred")
	}
	c, err := sqlite.NewConnector((&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}

// kind reads SQLite's result codes: https://www.sqlite.org/rescode.html
func (sqliteEngine) kind(err error) errorKind {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return unforeseen
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return duplicate
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return noParent
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return tryAgain
	case sqlite3.SQLITE_FULL:
		return full
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return unavailable
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return damaged
	case sqlite3.SQLITE_INTERRUPT:
		return tooLate
	case sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH:
		return unfit
	}
	return unforeseen
}

func (sqliteEngine) tableExists() string {
	return "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
}

func (sqliteEngine) longPool(cfg Config) (*sql.DB, migrationLock, error) {
	pool, err := openSQLitePool(cfg.Path, false)
	if err != nil {
		return nil, nil, err
	}
	return pool, newFileLock(cfg.Path + ".migrate"), nil
}

// snapshot: a deferred transaction sees the database as it is at its first
// read, so one is made at once.
func (sqliteEngine) snapshot(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "BEGIN DEFERRED"); err != nil {
		return err
	}
	var n int
	return conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_master").Scan(&n)
}
