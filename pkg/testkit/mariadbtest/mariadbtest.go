// Package mariadbtest starts private MariaDB servers for tests, from Debian's
// mariadb-server package: own data directory, own unix socket, no network, no
// configuration files of the host.
//
// New gives a test a database of its own on one server that all tests of the
// process share. Start gives a test a server of its own, to stop, kill, freeze
// and start again. Nothing is left behind, however the test process ends: a
// watchdog takes the server down and its files away.
package mariadbtest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// skipVar names the environment variable that lets a machine without MariaDB
// skip what needs it. Without it such tests fail: they are not optional.
const skipVar = "MEDFORGE_TEST_SKIP_MARIADB"

// shared is the process's one server and the number of databases made on it.
// It lives as long as the process, as the process's own test binary does; the
// watchdog ends it.
var shared struct {
	once sync.Once
	srv  *Server
	err  error
	n    atomic.Int64
}

// New makes an empty database on the shared server and returns its DSN in
// go-sql-driver's form. It is dropped when the test ends.
func New(t testing.TB) (dsn string) {
	t.Helper()
	skip(t)
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		shared.srv, shared.err = launch(ctx)
	})
	if shared.err != nil {
		t.Fatalf("mariadbtest: %v", shared.err)
	}
	return shared.srv.Database(t)
}

// Start runs a server for this test alone and stops it when the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	skip(t)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	s, err := launch(ctx)
	if err != nil {
		t.Fatalf("mariadbtest: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("mariadbd's log:\n%s", s.logTail())
		}
		s.close()
	})
	return s
}

// Database makes an empty database and returns its DSN. It is dropped when the
// test ends, if the server answers then.
func (s *Server) Database(t testing.TB) (dsn string) {
	t.Helper()
	name := fmt.Sprintf("mf_test_%d", shared.n.Add(1))
	if err := s.admin("CREATE DATABASE " + name); err != nil {
		t.Fatalf("mariadbtest: create a database: %v\n%s", err, s.logTail())
	}
	t.Cleanup(func() {
		if !s.Running() {
			return
		}
		if err := s.admin("DROP DATABASE IF EXISTS " + name); err != nil {
			t.Logf("mariadbtest: drop %s: %v", name, err)
		}
	})
	return s.DSN(name)
}

// Admin runs one statement as root, outside any database.
func (s *Server) Admin(t testing.TB, statement string) {
	t.Helper()
	if err := s.admin(statement); err != nil {
		t.Fatalf("mariadbtest: %s: %v", statement, err)
	}
}

func (s *Server) admin(statement string) error {
	db, err := sql.Open("mysql", s.DSN(""))
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err = db.ExecContext(ctx, statement)
	return err
}

func skip(t testing.TB) {
	t.Helper()
	if os.Getenv(skipVar) != "" {
		t.Skip("MariaDB is left out by " + skipVar)
	}
}
