package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/store/storetest"
	"github.com/medforge/medforge/pkg/testkit/mariadbtest"
)

func newClaim(n int, gpus ...string) session.Claim {
	c := session.Claim{Session: session.Session{ID: uuid.NewString(), UserID: uuid.NewString(), Slug: fmt.Sprintf("slug%04d", n),
		Status: session.Starting, CreatedAt: time.Now()}, UserLimit: 1, HostLimit: 7}
	for i, u := range gpus {
		c.GPUs = append(c.GPUs, session.GPU{Index: i, UUID: u})
	}
	return c
}

// Two stores on one database are two processes: nothing but the keys can
// decide between their callers.
func TestClaimsOfSeveralProcesses(t *testing.T) {
	t.Parallel()
	storetest.Both(t, func(t *testing.T, cfg store.Config) {
		storetest.Open(t, cfg)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		gpus := []string{"a", "b", "c", "d", "e", "f", "g"}
		var stores []*store.DB
		for range 5 {
			stores = append(stores, openStore(t, cfg))
		}
		for round := range 5 {
			const callers = 50
			rows, errs := make([]session.Session, callers), make([]error, callers)
			gate := make(chan struct{})
			var wg sync.WaitGroup
			for i := range callers {
				wg.Go(func() {
					<-gate
					rows[i], errs[i] = stores[i%len(stores)].Sessions().Claim(ctx, newClaim(round*callers+i, gpus...))
				})
			}
			close(gate)
			wg.Wait()
			given := map[string]bool{}
			for i, err := range errs {
				switch {
				case err == nil && given[rows[i].GPUUUID]:
					t.Fatalf("%s was given twice", rows[i].GPUUUID)
				case err == nil:
					given[rows[i].GPUUUID] = true
				case fault.CodeOf(err) != "sessions/no-gpu-available":
					t.Fatalf("caller %d: %v", i, err)
				}
			}
			if len(given) != len(gpus) {
				t.Fatalf("%d GPUs were given, want %d", len(given), len(gpus))
			}
			for i, r := range rows {
				if errs[i] == nil {
					if _, err := stores[0].Sessions().Apply(ctx, r.ID, session.Change{From: []session.Status{session.Starting},
						To: session.Stopped, At: time.Now(), Release: true}); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	})
}

func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	notADatabase := filepath.Join(t.TempDir(), "text.db")
	if err := os.WriteFile(notADatabase, []byte(strings.Repeat("this is no database\n", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg  store.Config
		kind fault.Kind
		code string
	}{
		"no driver":      {store.Config{}, fault.Invalid, "store/unknown-driver"},
		"other driver":   {store.Config{Driver: "postgres"}, fault.Invalid, "store/unknown-driver"},
		"no path":        {store.Config{Driver: store.SQLite}, fault.Invalid, "store/no-path"},
		"no folder":      {store.Config{Driver: store.SQLite, Path: "/nonexistent/x/y.db"}, fault.Unavailable, "store/cannot-open"},
		"a folder":       {store.Config{Driver: store.SQLite, Path: t.TempDir()}, fault.Unavailable, "store/cannot-open"},
		"not a database": {store.Config{Driver: store.SQLite, Path: notADatabase}, fault.Unavailable, "store/damaged"},
		"dsn form":       {store.Config{Driver: store.MySQL, DSN: "hunter2"}, fault.Invalid, "store/bad-dsn"},
		"no database":    {store.Config{Driver: store.MySQL, DSN: "u:hunter2@unix(/x)/"}, fault.Invalid, "store/bad-dsn"},
		"no server":      {store.Config{Driver: store.MySQL, DSN: "u:hunter2@unix(/nonexistent)/x"}, fault.Unavailable, "store/unavailable"},
		"no such database": {store.Config{Driver: store.MySQL, DSN: strings.Replace(mariadbtest.New(t), "/mf_test", "/other_test", 1)},
			fault.Unavailable, "store/refused"},
		"wrong password": {store.Config{Driver: store.MySQL, DSN: strings.Replace(mariadbtest.New(t), "root@", "nobody:hunter2@", 1)},
			fault.Unavailable, "store/refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			_, err := store.Open(ctx, c.cfg, slog.New(slog.DiscardHandler))
			if !fault.Is(err, c.kind) || fault.CodeOf(err) != c.code {
				t.Fatalf("got %v (%s, %s), want %s, %s", err, fault.KindOf(err), fault.CodeOf(err), c.kind, c.code)
			}
			if f := fault.As(err); strings.Contains(err.Error(), "hunter2") || strings.Contains(f.Message, "SQL") {
				t.Fatalf("a secret, or the driver's words, in %q", f.Message)
			}
		})
	}
}

// A path may hold whatever a file name may.
func TestSQLitePathWithOddCharacters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a ?&%20#;'b.db")
	storetest.Open(t, store.Config{Driver: store.SQLite, Path: path})
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Fatalf("the database is not at its path: %v", err)
	}
}

// While the server is away callers are told so, by their deadlines at the
// latest; when it is back the same store works, and every write that was
// answered is there.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	srv := mariadbtest.Start(t)
	db := storetest.Open(t, store.Config{Driver: store.MySQL, DSN: srv.Database(t)})
	s := db.Sessions()
	stop := make(chan struct{})
	var answered []string
	var wg sync.WaitGroup
	end := sync.OnceFunc(func() { close(stop); wg.Wait() })
	defer end()
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			key := fmt.Sprint("key", i)
			ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
			err := s.SetSetting(ctx, key, key)
			cancel()
			switch {
			case err == nil:
				answered = append(answered, key)
			case !fault.Is(err, fault.Unavailable):
				t.Errorf("a write while the database is away: %v", err)
			}
		}
	})
	ping := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		return db.Ping(ctx)
	}
	for _, away := range []struct{ leave, back func() }{
		{func() { srv.Kill(t) }, func() { fail(t, srv.Restart()) }},
		{func() { srv.Stop(t) }, func() { fail(t, srv.Restart()) }},
		{func() { srv.Freeze(t) }, func() { srv.Thaw(t) }},
	} {
		fail(t, until(func() error { return ping() }))
		away.leave()
		err := ping()
		if !fault.Is(err, fault.Unavailable) {
			away.back()
			t.Fatalf("got %v", err)
		}
		if msg := fault.As(err).Message; strings.Contains(msg, "unix") || strings.Contains(msg, "refused") {
			t.Errorf("the driver's words are shown: %q", msg)
		}
		away.back()
	}
	fail(t, until(func() error { return ping() }))
	end()
	if len(answered) == 0 {
		t.Fatal("no write was answered")
	}
	for _, key := range answered {
		if v, err := s.Setting(context.Background(), key); err != nil || v != key {
			t.Fatalf("the answered write of %s is lost: %q, %v", key, v, err)
		}
	}
}

func fail(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until tries again until f succeeds or a minute has passed.
func until(f func() error) error {
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if err = f(); err == nil {
			return nil
		}
	}
	return errors.Join(errors.New("did not come true in time"), err)
}

func TestClosedStore(t *testing.T) {
	t.Parallel()
	storetest.Both(t, func(t *testing.T, cfg store.Config) {
		db := openStore(t, cfg)
		fail(t, db.Close())
		if err := db.Ping(context.Background()); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("got %v", err)
		}
	})
}
