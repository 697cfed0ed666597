package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "modernc.org/sqlite"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/store/storetest"
)

// raw opens the database beneath a store, as another program would.
func raw(t *testing.T, cfg store.Config) *sql.DB {
	t.Helper()
	driver, dsn := cfg.Driver, cfg.DSN
	if driver == store.SQLite {
		dsn = cfg.Path
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func mustExec(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	if _, err := db.Exec(query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// statements returns every statement of every migration, in order.
func statements(t *testing.T) (out []string) {
	t.Helper()
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	comment := regexp.MustCompile(`(?m)^--.*$`)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for s := range strings.SplitSeq(comment.ReplaceAllString(string(b), ""), ";") {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
	}
	return out
}

// schema is what the engine says of all tables and indexes.
func schema(t *testing.T, cfg store.Config, db *sql.DB) string {
	t.Helper()
	q := `SELECT name, COALESCE(sql, '') FROM sqlite_master WHERE name NOT LIKE 'goose%' AND name NOT LIKE 'sqlite%' ORDER BY name`
	if cfg.Driver == store.MySQL {
		q = `SELECT CONCAT(table_name, '.', index_name), GROUP_CONCAT(column_name ORDER BY seq_in_index) FROM information_schema.statistics
			WHERE table_schema = DATABASE() AND table_name NOT LIKE 'goose%' GROUP BY 1
			UNION ALL SELECT CONCAT(table_name, '.', column_name), CONCAT(column_type, COALESCE(collation_name, '')) FROM information_schema.columns
			WHERE table_schema = DATABASE() AND table_name NOT LIKE 'goose%' ORDER BY 1`
	}
	rows, err := db.Query(q)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		var name, def string
		if err := rows.Scan(&name, &def); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, name, def)
	}
	if err := rows.Err(); err != nil || b.Len() == 0 {
		t.Fatalf("no schema: %v", err)
	}
	return b.String()
}

func openStore(t *testing.T, cfg store.Config) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Every statement can have happened before the program was killed, without its
// version being recorded: migrating then ends in the same schema.
func TestMigrateAfterAnInterruptionAnywhere(t *testing.T) {
	t.Parallel()
	all := statements(t)
	for i := 0; i <= len(all); i += 3 { // each costs MariaDB a whole migration
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			storetest.Both(t, func(t *testing.T, cfg store.Config) {
				want := storetest.Open(t, cfg)
				_ = want
				before := schema(t, cfg, raw(t, cfg))
				half := storetest.SQLiteConfig(t)
				if cfg.Driver == store.MySQL {
					half = storetest.MariaDBConfig(t)
				}
				for _, s := range all[:i] {
					mustExec(t, raw(t, half), s)
				}
				storetest.Open(t, half)
				if after := schema(t, half, raw(t, half)); after != before {
					t.Fatalf("after an interruption:\n%s\nwant:\n%s", after, before)
				}
			})
		})
	}
}

func TestMigrateMendsAHalfMadeVersionTable(t *testing.T) {
	t.Parallel()
	storetest.Both(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		mustExec(t, raw(t, cfg), "DELETE FROM goose_db_version")
		if err := db.Migrate(context.Background()); err != nil {
			t.Fatal(err)
		}
		if v, err := db.Version(context.Background()); err != nil || v != store.Target() {
			t.Fatalf("version %d, %v", v, err)
		}
	})
}

func TestTwoMigratorsWaitForEachOther(t *testing.T) {
	t.Parallel()
	storetest.Both(t, func(t *testing.T, cfg store.Config) {
		var wg sync.WaitGroup
		for range 4 {
			db := openStore(t, cfg)
			wg.Go(func() {
				if err := db.Migrate(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		var n, distinct int
		err := raw(t, cfg).QueryRow("SELECT COUNT(*), COUNT(DISTINCT version_id) FROM goose_db_version").Scan(&n, &distinct)
		if err != nil || n != distinct {
			t.Fatalf("%d versions were recorded %d times, %v", distinct, n, err)
		}
	})
}

func TestMigrateCancelled(t *testing.T) {
	t.Parallel()
	storetest.Both(t, func(t *testing.T, cfg store.Config) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		db := openStore(t, cfg)
		if err := db.Migrate(ctx); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("got %v", err)
		}
		if err := db.CheckMigrated(context.Background()); fault.CodeOf(err) != "store/not-migrated" {
			t.Fatalf("got %v", err)
		}
		if err := db.Migrate(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := db.CheckMigrated(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRefusesANewerDatabase(t *testing.T) {
	t.Parallel()
	storetest.Both(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		mustExec(t, raw(t, cfg), fmt.Sprintf("INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, 1)", store.Target()+1))
		_, err := store.Open(context.Background(), cfg, slog.New(slog.DiscardHandler))
		if fault.CodeOf(err) != "store/database-newer" || !strings.Contains(err.Error(), "newer MedForge") {
			t.Fatalf("got %v", err)
		}
		if err := db.Migrate(context.Background()); fault.CodeOf(err) != "store/database-newer" {
			t.Fatalf("migrate: %v", err)
		}
	})
}

func TestSQLiteFilesAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	cfg := storetest.SQLiteConfig(t)
	db := storetest.Open(t, cfg)
	if err := db.Sessions().SetSetting(context.Background(), "a", "b"); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(filepath.Dir(cfg.Path), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
