package mariadbtest

import (
	"database/sql"
	"os"
	"strconv"
	"testing"
)

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	a, b := open(t, New(t)), open(t, New(t))
	if _, err := a.Exec("CREATE TABLE x (n INT)"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Exec("CREATE TABLE x (n INT)"); err != nil {
		t.Fatalf("the second database sees the first one's table: %v", err)
	}
}

func TestACommittedRowSurvivesAKill(t *testing.T) {
	t.Parallel()
	s := Start(t)
	db := open(t, s.Database(t))
	for _, q := range []string{"CREATE TABLE x (n INT)", "INSERT INTO x VALUES (7)"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	for _, end := range []func(testing.TB){s.Kill, s.Stop} {
		end(t)
		if s.Running() || db.Ping() == nil {
			t.Fatal("the server still answers after it was ended")
		}
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := db.QueryRow("SELECT n FROM x").Scan(&n); err != nil || n != 7 {
			t.Fatalf("after a restart: %d, %v", n, err)
		}
	}
}

func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	var dir string
	var pid int
	t.Run("server", func(t *testing.T) {
		s := Start(t)
		dir, pid = s.dir, s.cmd.Process.Pid
		s.Freeze(t) // even a frozen one goes
	})
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", dir, err)
	}
	if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); !os.IsNotExist(err) {
		t.Errorf("process %d is still there", pid)
	}
}
