package store

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"
	"log/slog"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"

	"github.com/medforge/medforge/pkg/fault"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is goose's.
const versionTable = "goose_db_version"

// Migrate brings the database to this program's version. It may be interrupted
// at any point and run again: every statement says IF NOT EXISTS, and on
// SQLite each file is one transaction. Two migrators wait for each other.
// Errors: Conflict (the database is newer), Unavailable.
func (db *DB) Migrate(ctx context.Context) error { return db.migrateTo(ctx, Target()) }

func (db *DB) migrateTo(ctx context.Context, version int64) error {
	pool, lock, err := db.engine.longPool(db.cfg)
	if err != nil {
		return db.fault(err, "open the database for its migration")
	}
	defer pool.Close()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return db.fault(err, "open the database for its migration")
	}
	defer conn.Close()
	if err := lock.lock(ctx, conn); err != nil {
		return db.fault(err, "wait for another migration of this database")
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := lock.unlock(ctx, conn); err != nil {
			// It ends with the connection; the migration has done its work.
			db.logger.Warn("the migration lock was not given back", "error", err)
		}
	}()
	if err := db.mendVersionTable(ctx, conn); err != nil {
		return db.fault(err, "migrate the database")
	}
	p, err := newProvider(db.cfg.Driver, pool, db.logger)
	if err != nil {
		return db.fault(err, "read the migrations")
	}
	done, err := p.UpTo(ctx, version)
	if err != nil {
		return db.fault(err, "migrate the database")
	}
	if len(done) > 0 {
		db.logger.Info("database migrated", "steps", len(done), "version", version)
	}
	return db.refuseNewer(ctx)
}

// mendVersionTable takes away what an interrupted first migration can leave:
// MariaDB commits the making of goose's table by itself, so it can stand there
// without its first row, which goose takes for damage.
func (db *DB) mendVersionTable(ctx context.Context, conn *sql.Conn) error {
	var there, rows int
	err := conn.QueryRowContext(ctx, db.engine.tableExists(), versionTable).Scan(&there)
	if err != nil || there == 0 {
		return err
	}
	err = conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+versionTable).Scan(&rows)
	if err == nil && rows == 0 {
		_, err = conn.ExecContext(ctx, "DROP TABLE "+versionTable)
	}
	return err
}

// Version is the database's present version, 0 for an empty one.
func (db *DB) Version(ctx context.Context) (int64, error) {
	var version int64
	err := db.read(ctx, "read the database's version", func(q queryer) error {
		var there int
		if err := q.QueryRowContext(ctx, db.engine.tableExists(), versionTable).Scan(&there); err != nil || there == 0 {
			return err
		}
		return q.QueryRowContext(ctx, "SELECT COALESCE(MAX(version_id), 0) FROM "+versionTable).Scan(&version)
	})
	return version, err
}

// Target is the version that this program brings a database to.
func Target() int64 {
	files, err := migrations.ReadDir("migrations") // sorted by name
	if err != nil || len(files) == 0 {
		return 0
	}
	v, err := goose.NumericComponent(files[len(files)-1].Name())
	if err != nil {
		return 0 // Migrate would refuse the name too
	}
	return v
}

// CheckMigrated says whether the database is at this program's version.
// Errors: Conflict, with what to do.
func (db *DB) CheckMigrated(ctx context.Context) error {
	v, err := db.Version(ctx)
	if err != nil {
		return err
	}
	if v < Target() {
		return fault.New(fault.Conflict, "store/not-migrated",
			"the database is at version %d and this program needs %d: run `medforged migrate`", v, Target())
	}
	return db.refuseNewer(ctx)
}

func (db *DB) refuseNewer(ctx context.Context) error {
	v, err := db.Version(ctx)
	if err != nil {
		return err
	}
	if v > Target() {
		return fault.New(fault.Conflict, "store/database-newer",
			"the database is at version %d, made by a newer MedForge; this program knows versions up to %d. "+
				"Install that newer MedForge again, or restore a backup from before its upgrade", v, Target())
	}
	return nil
}

func newProvider(driver string, pool *sql.DB, logger *slog.Logger) (*goose.Provider, error) {
	dialect := goose.DialectSQLite3
	if driver == MySQL {
		dialect = goose.DialectMySQL
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(dialect, pool, files, goose.WithSlog(logger), goose.WithDisableGlobalRegistry(true))
}

// migrationLock keeps two migrators of one database apart, whichever processes
// they run in, and is free again when its holder dies. Goose makes its own table
// before it takes a lock that it is given, so Migrate holds this one around it.
type migrationLock interface {
	lock(ctx context.Context, conn *sql.Conn) error
	unlock(ctx context.Context, conn *sql.Conn) error
}

// namedLock is MariaDB's GET_LOCK, which belongs to a connection.
type namedLock struct{ name string }

func (n *namedLock) lock(ctx context.Context, conn *sql.Conn) error {
	for {
		var got sql.NullInt64
		// The server waits a second at a time, so that ctx is looked at.
		if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK(?, 1)", n.name).Scan(&got); err != nil {
			return err
		}
		if got.Int64 == 1 {
			return nil
		}
	}
}

func (n *namedLock) unlock(ctx context.Context, conn *sql.Conn) error {
	var freed sql.NullInt64
	return conn.QueryRowContext(ctx, "SELECT RELEASE_LOCK(?)", n.name).Scan(&freed)
}

// fileLock is a lock on a file beside SQLite's. (On the database file itself
// it must not be: closing any descriptor of that drops SQLite's own locks.)
type fileLock struct{ f *flock.Flock }

func newFileLock(path string) *fileLock {
	return &fileLock{f: flock.New(path, flock.SetPermissions(0o600))}
}

func (l *fileLock) lock(ctx context.Context, _ *sql.Conn) error {
	_, err := l.f.TryLockContext(ctx, 50*time.Millisecond)
	return err
}

func (l *fileLock) unlock(context.Context, *sql.Conn) error { return l.f.Unlock() }
