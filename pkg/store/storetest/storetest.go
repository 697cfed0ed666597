// Package storetest gives tests a migrated database of their own: SQLite in a
// temporary folder, which is fast enough for unit tests, or MariaDB.
package storetest

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/testkit/mariadbtest"
)

// New returns a migrated SQLite database, closed when the test ends.
func New(t testing.TB) *store.DB {
	t.Helper()
	return Open(t, SQLiteConfig(t))
}

// MariaDB returns a migrated database on the test process's private mariadbd.
func MariaDB(t testing.TB) *store.DB {
	t.Helper()
	return Open(t, MariaDBConfig(t))
}

// SQLiteConfig names a database file that is not there yet.
func SQLiteConfig(t testing.TB) store.Config {
	t.Helper()
	return store.Config{Driver: store.SQLite, Path: filepath.Join(t.TempDir(), "medforge.db")}
}

// MariaDBConfig names an empty database.
func MariaDBConfig(t testing.TB) store.Config {
	t.Helper()
	return store.Config{Driver: store.MySQL, DSN: mariadbtest.New(t)}
}

// Open opens and migrates a database and closes it when the test ends.
func Open(t testing.TB, cfg store.Config) *store.DB {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	db, err := store.Open(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	if err := db.Migrate(ctx); err != nil {
		t.Fatalf("migrate the store: %v", err)
	}
	return db
}

// Both runs a test on both engines, in parallel, each time with a database
// that is not migrated yet.
func Both(t *testing.T, f func(t *testing.T, cfg store.Config)) {
	t.Helper()
	for _, e := range []struct {
		name   string
		config func(testing.TB) store.Config
	}{{"sqlite", SQLiteConfig}, {"mariadb", MariaDBConfig}} {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			f(t, e.config(t))
		})
	}
}
