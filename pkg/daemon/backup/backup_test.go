package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/daemon/backup"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/store/storetest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// medforge is a database with rows and a data directory with files, some of
// which belong into no backup.
func medforge(t *testing.T, cfg store.Config) (*store.DB, string) {
	t.Helper()
	db, dir := storetest.Open(t, cfg), t.TempDir()
	for i := range 50 {
		must(t, db.Accounts().CreateUser(t.Context(), account.User{ID: uuid.NewString(), UnixName: fmt.Sprintf("u%d", i), Name: "Ünï\x00", Role: "user", CreatedAt: time.Now()}))
	}
	must(t, db.Sessions().SetSetting(t.Context(), "pack.digest", strings.Repeat("x", 100_000)))
	_, err := db.Competitions().PutCompetition(t.Context(), competition.Competition{Slug: "c", Metric: "m", SplitVersion: "v1"})
	must(t, err)
	for name, text := range map[string]string{
		"competitions/c/abc/manifest.json":    "{}",
		"competitions/c/abc/secret/labels":    "hidden",
		"datasets/d/sum/public/empty":         "",
		"submissions/ab/ab12.csv":             strings.Repeat("1,2\n", 200_000),
		"logs/k3v7q2xa.log":                   "hello",
		"competitions.tmp/half":               "no",
		"uploads/part":                        "no",
		"workspaces/u/s/workspace/file":       "no",
		"medforge.db-wal":                     "no",
		"lock":                                "",
		"something-new/" + longName + "/deep": "yes",
	} {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o711))
		must(t, os.WriteFile(path, []byte(text), 0o640))
		must(t, os.Chtimes(path, time.Unix(1_000_000_000, 0), time.Unix(1_000_000_000, 123_456_789)))
	}
	must(t, os.Symlink("sum", filepath.Join(dir, "datasets/d/current")))
	return db, dir
}

var longName = strings.Repeat("näme", 40)

func take(t *testing.T, db *store.DB, driver, dir string) []byte {
	t.Helper()
	return takeFrom(t, backup.Source{Store: db, Driver: driver, DataDir: dir, MedForge: "v1", Now: time.Unix(1_700_000_000, 0)})
}

func takeFrom(t *testing.T, s backup.Source) []byte {
	t.Helper()
	b, err := backup.Begin(t.Context(), s)
	must(t, err)
	var out bytes.Buffer
	must(t, b.Write(t.Context(), &out))
	must(t, b.Close())
	return out.Bytes()
}

// tree is everything of a data directory that belongs into a backup.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		switch first, _, _ := strings.Cut(rel, "/"); first {
		case ".", "lock", "uploads", "competitions.tmp", "workspaces":
			return err
		default:
			if strings.HasPrefix(first, "medforge.db") {
				return err
			}
		}
		info, err := d.Info()
		must(t, err)
		fmt.Fprintf(&out, "%s %s", rel, info.Mode())
		switch {
		case info.Mode().IsRegular():
			text, err := os.ReadFile(path)
			must(t, err)
			fmt.Fprintf(&out, " %d %s", info.ModTime().UnixNano(), text)
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			must(t, err)
			out.WriteString(" to " + to)
		}
		out.WriteByte('\n')
		return nil
	}))
	return out.String()
}

// rows is a database without what names the engine and the moment.
func rows(t *testing.T, db *store.DB) string {
	t.Helper()
	var b bytes.Buffer
	must(t, db.Dump(context.Background(), &b, time.Unix(0, 0)))
	lines := bytes.SplitAfter(b.Bytes(), []byte("\n"))
	return string(bytes.Join(lines[1:len(lines)-2], nil))
}

// fresh is where a restore may go.
func fresh(t *testing.T, cfg store.Config) backup.Target {
	t.Helper()
	db, err := store.Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return backup.Target{Store: db, DataDir: t.TempDir()}
}

func TestRestoredIsTheSame(t *testing.T) {
	t.Parallel()
	storetest.Both(t, func(t *testing.T, cfg store.Config) {
		db, dir := medforge(t, cfg)
		archive := take(t, db, cfg.Driver, dir)
		wantTree, wantRows := tree(t, dir), rows(t, db)
		storetest.Both(t, func(t *testing.T, cfg store.Config) {
			to := fresh(t, cfg)
			r, err := backup.Restore(t.Context(), bytes.NewReader(archive), to)
			must(t, err)
			if !r.At.Equal(time.Unix(1_700_000_000, 0)) || r.Entries == 0 || r.Bytes < 800_000 {
				t.Errorf("report: %+v", r)
			}
			if got := tree(t, to.DataDir); got != wantTree {
				t.Errorf("files:\n%.2000s\nwant:\n%.2000s", got, wantTree)
			}
			if got := rows(t, to.Store); got != wantRows {
				t.Errorf("rows:\n%.2000s\nwant:\n%.2000s", got, wantRows)
			}
			must(t, backup.Unfinished(to.DataDir))
			for _, name := range []string{"uploads", "workspaces", "competitions.tmp"} {
				if _, err := os.Stat(filepath.Join(to.DataDir, name)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s was in the backup: %v", name, err)
				}
			}
			if _, err := backup.Restore(t.Context(), bytes.NewReader(archive), to); fault.CodeOf(err) != "backup/not-fresh" {
				t.Errorf("restored over itself: %v", err)
			}
		})
	})
}

// A file that belongs to a row written after the dump is no harm, and neither
// is one that goes away while the directory is read.
func TestFilesComeAndGo(t *testing.T) {
	t.Parallel()
	db, dir := medforge(t, storetest.SQLiteConfig(t))
	b, err := backup.Begin(t.Context(), backup.Source{Store: db, Driver: store.SQLite, DataDir: dir, Now: time.Now()})
	must(t, err)
	defer b.Close()
	must(t, db.Sessions().SetSetting(t.Context(), "after", "the dump"))
	must(t, os.WriteFile(filepath.Join(dir, "submissions/ab/later.csv"), []byte("x"), 0o600))
	must(t, os.Remove(filepath.Join(dir, "logs/k3v7q2xa.log")))
	var out bytes.Buffer
	must(t, b.Write(t.Context(), &out))
	to := fresh(t, storetest.SQLiteConfig(t))
	_, err = backup.Restore(t.Context(), &out, to)
	must(t, err)
	if v, err := to.Store.Sessions().Setting(t.Context(), "after"); err != nil || v != "" {
		t.Errorf("the dump is not of its moment: %q, %v", v, err)
	}
}

// Wherever a backup breaks off, nothing of it is taken for whole, and the same
// target takes the whole one after.
func TestABackupThatIsNotWhole(t *testing.T) {
	t.Parallel()
	db, dir := medforge(t, storetest.SQLiteConfig(t))
	archive := take(t, db, store.SQLite, dir)
	to := fresh(t, storetest.SQLiteConfig(t))
	for n := 0; n < len(archive); n += len(archive)/25 + 1 {
		_, err := backup.Restore(t.Context(), bytes.NewReader(archive[:n]), to)
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("cut after %d of %d bytes: %v", n, len(archive), err)
		}
	}
	for _, n := range []int{len(archive) / 3, len(archive) / 2, len(archive) - 20} {
		bad := bytes.Clone(archive)
		bad[n] ^= 1
		if _, err := backup.Restore(t.Context(), bytes.NewReader(bad), to); !fault.Is(err, fault.Invalid) {
			t.Errorf("a changed bit at %d: %v", n, err)
		}
	}
	if err := backup.Unfinished(to.DataDir); fault.CodeOf(err) != "backup/restore-unfinished" || !strings.Contains(err.Error(), "medforge admin restore FILE") {
		t.Errorf("a daemon may start on half a restore: %v", err)
	}
	if empty, err := to.Store.Empty(t.Context()); err != nil || !empty {
		t.Errorf("rows of a damaged backup: %v", err)
	}
	_, err := backup.Restore(t.Context(), bytes.NewReader(archive), to)
	must(t, err)
	if tree(t, to.DataDir) != tree(t, dir) || rows(t, to.Store) != rows(t, db) {
		t.Error("after interrupted tries the restored is not the same")
	}
	_, err = backup.Restore(t.Context(), strings.NewReader("something else"), fresh(t, storetest.SQLiteConfig(t)))
	if fault.CodeOf(err) != "backup/not-a-backup" {
		t.Errorf("something else: %v", err)
	}
}

// The very last step was cut off: the rows are in, the mark still stands.
func TestARestoreInterruptedAtItsEnd(t *testing.T) {
	t.Parallel()
	db, dir := medforge(t, storetest.SQLiteConfig(t))
	archive := take(t, db, store.SQLite, dir)
	to := fresh(t, storetest.SQLiteConfig(t))
	_, err := backup.Restore(t.Context(), bytes.NewReader(archive[:len(archive)/2]), to)
	if err == nil {
		t.Fatal("half a backup was restored")
	}
	mark, err := os.ReadFile(filepath.Join(to.DataDir, backup.MarkerName))
	must(t, err)
	_, err = backup.Restore(t.Context(), bytes.NewReader(archive), to)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(to.DataDir, backup.MarkerName), mark, 0o600))
	must(t, db.Sessions().SetSetting(t.Context(), "x", "y"))
	other, err := backup.Begin(t.Context(), backup.Source{Store: db, Driver: store.SQLite, DataDir: dir, Now: time.Unix(1, 0)})
	must(t, err)
	defer other.Close()
	var another bytes.Buffer
	must(t, other.Write(t.Context(), &another))
	if _, err := backup.Restore(t.Context(), &another, to); fault.CodeOf(err) != "backup/not-fresh" {
		t.Errorf("another backup over an interrupted restore: %v", err)
	}
	_, err = backup.Restore(t.Context(), bytes.NewReader(archive), to)
	must(t, err)
	must(t, backup.Unfinished(to.DataDir))
}

func TestARestoreWantsAFreshPlace(t *testing.T) {
	t.Parallel()
	db, dir := medforge(t, storetest.SQLiteConfig(t))
	archive := take(t, db, store.SQLite, dir)
	to := fresh(t, storetest.SQLiteConfig(t))
	must(t, os.Mkdir(filepath.Join(to.DataDir, "submissions"), 0o700))
	_, err := backup.Restore(t.Context(), bytes.NewReader(archive), to)
	if fault.CodeOf(err) != "backup/not-fresh" || !strings.Contains(err.Error(), "submissions") {
		t.Errorf("into a data directory in use: %v", err)
	}
	_, err = backup.Restore(t.Context(), bytes.NewReader(archive), backup.Target{Store: db, DataDir: t.TempDir()})
	if fault.CodeOf(err) != "backup/not-fresh" || !strings.Contains(err.Error(), "database") {
		t.Errorf("into a database in use: %v", err)
	}
}

// A reader that went away ends the work, and what it got is no backup.
func TestABackupIsInterrupted(t *testing.T) {
	t.Parallel()
	db, dir := medforge(t, storetest.SQLiteConfig(t))
	b, err := backup.Begin(t.Context(), backup.Source{Store: db, Driver: store.SQLite, DataDir: dir, Now: time.Now()})
	must(t, err)
	defer b.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var got bytes.Buffer
	if err := b.Write(ctx, writer(func(p []byte) (int, error) { cancel(); return got.Write(p) })); !errors.Is(err, context.Canceled) {
		t.Fatalf("written on: %v", err)
	}
	if _, err := backup.Restore(t.Context(), &got, fresh(t, storetest.SQLiteConfig(t))); !fault.Is(err, fault.Invalid) {
		t.Errorf("restored: %v", err)
	}
	left, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range left {
		if strings.Contains(e.Name(), "backup") {
			t.Errorf("left: %s", e.Name())
		}
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
