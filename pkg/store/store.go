// Package store keeps MedForge's rows, in SQLite or in MariaDB, behind the
// ports that the domains declare. There is one schema and one set of queries:
// whatever must be exclusive is a primary key that is inserted, never a lock
// in one engine's dialect.
package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/medforge/medforge/pkg/fault"
)

// The drivers.
const (
	SQLite = "sqlite"
	MySQL  = "mysql" // a MariaDB server, by go-sql-driver/mysql
)

// Config says which database to use.
type Config struct {
	Driver string // SQLite or MySQL
	// Path is SQLite's database file. It is made when it is not there, for its
	// owner alone.
	Path string
	// DSN is MariaDB's, in go-sql-driver's form. What it leaves out of
	// timeouts is added.
	DSN string
	// MaxConns bounds the connections to MariaDB, or SQLite's readers; 0 is
	// 16, or 4.
	MaxConns int
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	w, r   *sql.DB // one writer and several readers on SQLite; the same pool on MariaDB
	engine engine
	cfg    Config
	logger *slog.Logger
	// claims lets one claim of this process at a time to the database, so that
	// callers queue here, where each waits with its own deadline, and not on
	// one another's row locks. What decides is still the primary key.
	claims chan struct{}
	// blockMax is how many entries of a leaderboard one block may count.
	blockMax int
	// jitter returns a number in [0,1) that spreads retries.
	jitter func() float64
}

// engine is what the two databases do differently.
type engine interface {
	// kind says what an error of the driver means.
	kind(err error) errorKind
	// tableExists is a query with the table's name for its argument.
	tableExists() string
	// longPool opens a pool for migrations and dumps, without a limit on how
	// long one statement may take, and returns the lock that keeps two
	// migrators apart.
	longPool(cfg Config) (*sql.DB, migrationLock, error)
	// snapshot begins a transaction that sees one moment, however long it is
	// read from.
	snapshot(ctx context.Context, conn *sql.Conn) error
}

// Open connects, and checks that the database is one that this program can
// use. It changes nothing in it: Migrate does. Errors: Invalid (the
// configuration, or a server that is not MariaDB 10.6 or newer), Conflict (the
// database belongs to a newer MedForge), Unavailable.
func Open(ctx context.Context, cfg Config, logger *slog.Logger) (*DB, error) {
	db := &DB{cfg: cfg, logger: logger, claims: make(chan struct{}, 1), jitter: rand.Float64, blockMax: blockMax}
	var err error
	switch cfg.Driver {
	case SQLite:
		err = db.openSQLite()
	case MySQL:
		err = db.openMySQL(ctx)
	default:
		err = fault.New(fault.Invalid, "store/unknown-driver",
			"database driver %q is not known; use %q or %q", cfg.Driver, SQLite, MySQL)
	}
	if err == nil {
		err = db.refuseNewer(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Close ends all connections. Calls that still run fail.
func (db *DB) Close() error {
	var errs []error
	if db.r != nil && db.r != db.w {
		errs = append(errs, db.r.Close())
	}
	if db.w != nil {
		errs = append(errs, db.w.Close())
	}
	return errors.Join(errs...)
}

// Ping says whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	return db.read(ctx, "ask the database whether it answers", func(q queryer) error {
		var one int
		return q.QueryRowContext(ctx, "SELECT 1").Scan(&one)
	})
}

// micros is how a time stands in a column: the same on both engines, exact,
// and in order. The zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// bit is how a truth stands in a column.
func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
