package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/store/storetest"
)

func dump(t *testing.T, db *store.DB) []byte {
	t.Helper()
	var b bytes.Buffer
	fail(t, db.Dump(context.Background(), &b, time.Unix(0, 0)))
	return b.Bytes()
}

// body is a dump without its first line, which names the engine, and its last,
// whose sum is also of the first.
func body(d []byte) string {
	lines := bytes.SplitAfter(d, []byte("\n"))
	return string(bytes.Join(lines[1:len(lines)-2], nil))
}

// fill puts something into every table.
func fill(t *testing.T, db *store.DB) {
	t.Helper()
	ctx := context.Background()
	u := account.User{ID: uuid.NewString(), UnixName: "ada", Name: "Ada \u2603 \"quoted\" <b>\u2028", Role: "user", CreatedAt: time.Now()}
	fail(t, db.Accounts().CreateUser(ctx, u))
	fail(t, db.Accounts().CreateCredential(ctx, account.Credential{ID: uuid.NewString(), Kind: account.TokenCredential, UserID: u.ID, CreatedAt: time.Now()}))
	_, err := db.Sessions().Claim(ctx, newClaim(0, "GPU-1"))
	fail(t, err)
	fail(t, db.Sessions().SetGPUState(ctx, session.GPUState{UUID: "GPU-1", Reason: "line\nbreak\x00nul"}))
	fail(t, db.Sessions().SetSetting(ctx, "big", strings.Repeat("x\\'", 400_000)))
	fail(t, newAudit(t, db).AppendEvents(ctx, []event.Event{{Seq: 1, Time: time.Now(), Type: event.DaemonReady, Data: map[string]any{"a": 1}}}))
	c := db.Competitions()
	fail(t, c.PutDataset(ctx, competition.Dataset{Slug: "d", Bytes: math.MaxInt64}))
	_, err = c.PutCompetition(ctx, competition.Competition{Slug: "x", Metric: "m", HigherIsBetter: true, SplitVersion: "v1"})
	fail(t, err)
	fail(t, scoreSome(db, u.ID, 0))
}

// scoreSome submits and scores for a user.
func scoreSome(db *store.DB, user string, n int) error { return scoreOne(db.Competitions(), user, n) }

func scoreOne(c competition.Store, user string, n int) error {
	ctx := context.Background()
	sub := competition.Submission{ID: uuid.NewString(), Competition: "x", UserID: user, Day: "2026-01-01", CreatedAt: time.Now()}
	if _, _, err := c.CreateSubmission(ctx, sub, 1<<30); err != nil {
		return err
	}
	lease := uuid.NewString()
	taken, err := c.Take(ctx, lease, time.Now().Add(time.Hour), time.Now().Add(2*time.Hour))
	if err != nil {
		return err
	}
	_, err = c.Complete(ctx, competition.Completion{SubmissionID: taken.ID, Lease: lease, Score: competition.Score{ID: uuid.NewString(),
		SplitVersion: "v1", Primary: 1 / float64(n+3), Components: map[string]float64{"a": 1e-300}, ScoredAt: time.Now()}})
	return err
}

// A dump of either engine, restored into either, is the same dump again.
func TestDumpAndRestoreAcrossEngines(t *testing.T) {
	t.Parallel()
	for from, open := range engines {
		for to, config := range map[string]func(testing.TB) store.Config{"sqlite": storetest.SQLiteConfig, "mariadb": storetest.MariaDBConfig} {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				db := open(t)
				fill(t, db)
				want := dump(t, db)
				for name := range strings.SplitSeq("users credentials sessions gpu_claims host_slots user_slots gpu_states settings audit_events datasets "+
					"competitions competition_revisions boards submission_days submissions scores official_scores leaderboard_entries board_blocks", " ") {
					if !strings.Contains(string(want), fmt.Sprintf(`{"table":%q,`, name)) || strings.Contains(string(want), fmt.Sprintf("%q,\"columns\":[]", name)) {
						t.Fatalf("the dump has no table %s", name)
					}
				}
				into := openStore(t, config(t)) // not migrated: Restore does it
				fail(t, into.Restore(context.Background(), bytes.NewReader(want)))
				if got := dump(t, into); body(got) != body(want) {
					t.Fatalf("restored:\n%.3000s\nwant:\n%.3000s", got, want)
				}
				if err := into.Restore(context.Background(), bytes.NewReader(want)); fault.CodeOf(err) != "store/not-empty" {
					t.Fatalf("a second restore: %v", err)
				}
				fail(t, scoreSome(into, uuid.NewString(), 5)) // it works on
			})
		}
	}
}

// Every table of the schema is in the dump.
func TestDumpHasEveryTable(t *testing.T) {
	t.Parallel()
	storetest.Both(t, func(t *testing.T, cfg store.Config) {
		d := string(dump(t, storetest.Open(t, cfg)))
		q := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'`
		if cfg.Driver == store.MySQL {
			q = `SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()`
		}
		rows, err := raw(t, cfg).Query(q)
		fail(t, err)
		defer rows.Close()
		n := 0
		for rows.Next() {
			var name string
			fail(t, rows.Scan(&name))
			if name != "goose_db_version" && !strings.Contains(d, fmt.Sprintf(`{"table":%q,`, name)) {
				t.Errorf("the dump leaves out %s", name)
			}
			n++
		}
		if rows.Err() != nil || n < 15 {
			t.Fatalf("%d tables, %v", n, rows.Err())
		}
	})
}

// While others write, a dump is of one moment: what belongs together in one
// transaction is all in it or not at all.
func TestDumpUnderWrites(t *testing.T) {
	t.Parallel()
	storetest.Both(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		db.SetBlockMax(3)
		fill(t, db)
		ctx := context.Background()
		// Long rows in tables that others belong to: while they are written out
		// slowly, much happens before those others are read.
		for i := range 40 {
			long := strings.Repeat("x", 16<<10)
			row, err := db.Sessions().Claim(ctx, newClaim(1_000_000+i, "long"))
			fail(t, err)
			_, err = db.Sessions().Apply(ctx, row.ID, session.Change{From: []session.Status{session.Starting}, To: session.Error, ErrorMessage: long, Release: true})
			fail(t, err)
			_, _, err = db.Competitions().CreateSubmission(ctx, competition.Submission{ID: uuid.NewString(), Competition: "x", UserID: uuid.NewString(),
				Day: "2026-01-01", Message: long, CreatedAt: time.Now().Add(time.Hour)}, 1)
			fail(t, err)
		}
		stop, wrote := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		end := sync.OnceFunc(func() { close(stop); wg.Wait() })
		defer end()
		wg.Go(func() {
			defer close(wrote)
			for n := 1; ; n++ {
				select {
				case <-stop:
					return
				case wrote <- struct{}{}:
				}
				row, err := db.Sessions().Claim(ctx, newClaim(n, "a", "b", "c"))
				if err == nil {
					_, err = db.Sessions().Apply(ctx, row.ID, session.Change{From: []session.Status{session.Starting}, To: session.Stopped, Release: true})
				}
				if err == nil && n%2 == 0 {
					err = scoreSome(db, uuid.NewString(), n)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
		var dumps [][]byte
		for range 4 {
			var b bytes.Buffer
			fail(t, db.Dump(ctx, slowly{&b, wrote}, time.Now()))
			dumps = append(dumps, b.Bytes())
		}
		end()
		if t.Failed() {
			return
		}
		if body(dumps[0]) == body(dumps[3]) {
			t.Fatal("nothing was written between the dumps")
		}
		for _, d := range dumps {
			cfg := storetest.SQLiteConfig(t)
			into := openStore(t, cfg)
			fail(t, into.Restore(ctx, bytes.NewReader(d)))
			checkMoment(t, into, raw(t, cfg))
		}
	})
}

// checkMoment looks for anything that no single moment could hold.
func checkMoment(t *testing.T, db *store.DB, raw *sql.DB) {
	t.Helper()
	for what, q := range map[string]string{
		"active sessions without their three claims": `SELECT COUNT(*) FROM sessions s WHERE (status = 'starting') <> EXISTS (SELECT 1 FROM gpu_claims c WHERE c.session_id = s.id)
			OR (status = 'starting') <> EXISTS (SELECT 1 FROM host_slots c WHERE c.session_id = s.id) OR (status = 'starting') <> EXISTS (SELECT 1 FROM user_slots c WHERE c.session_id = s.id)`,
		"claims without a session":        `SELECT COUNT(*) FROM gpu_claims c WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = c.session_id)`,
		"scored submissions and scores":   `SELECT (SELECT COUNT(*) FROM submissions WHERE status = 'scored') - (SELECT COUNT(*) FROM scores)`,
		"scores and entries of the board": `SELECT (SELECT COUNT(DISTINCT user_id) FROM official_scores) - (SELECT COUNT(*) FROM leaderboard_entries)`,
		"submissions and the day's count": `SELECT (SELECT COUNT(*) FROM submissions WHERE counts = 1) - (SELECT SUM(counted) FROM submission_days)`,
	} {
		var n int
		fail(t, raw.QueryRow(q).Scan(&n))
		if n != 0 {
			t.Errorf("%s: %d", what, n)
		}
	}
	checkBlocks(t, db)
}

// slowly writes in small parts, each after something was written to the
// database.
type slowly struct {
	w     io.Writer
	wrote <-chan struct{}
}

func (s slowly) Write(p []byte) (int, error) {
	for part := range slices.Chunk(p, 64<<10) {
		if _, err := s.w.Write(part); err != nil {
			return 0, err
		}
		<-s.wrote
	}
	return len(p), nil
}

func TestRestoreRefusesWhatIsDamaged(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	fill(t, db)
	good := dump(t, db)
	lines := bytes.SplitAfter(good, []byte("\n"))
	edit := func(f func(l [][]byte) [][]byte) []byte { return bytes.Join(f(slices.Clone(lines)), nil) }
	storetest.Both(t, func(t *testing.T, cfg store.Config) {
		into := openStore(t, cfg)
		for name, c := range map[string]struct {
			data []byte
			code string
		}{
			"empty":           {nil, "store/dump-damaged"},
			"something else":  {[]byte("{\"a\":1}\n"), "store/not-a-dump"},
			"binary":          {bytes.Repeat([]byte{0, 255, '\n'}, 10), "store/not-a-dump"},
			"newer":           {bytes.Replace(good, []byte(`"schema":`), []byte(`"schema":9`), 1), "store/dump-newer"},
			"cut":             {good[:len(good)/2], "store/dump-damaged"},
			"without end":     {edit(func(l [][]byte) [][]byte { return l[:len(l)-2] }), "store/dump-damaged"},
			"a row less":      {edit(func(l [][]byte) [][]byte { return slices.Delete(l, 2, 3) }), "store/dump-damaged"},
			"a changed value": {bytes.Replace(good, []byte("GPU-1"), []byte("GPU-2"), 1), "store/dump-damaged"},
			"another table":   {bytes.Replace(good, []byte(`{"table":"users"`), []byte(`{"table":"goose_db_version"`), 1), "store/dump-damaged"},
			"SQL in a name":   {bytes.Replace(good, []byte(`"unix_name"`), []byte(`"id) VALUES (1); --"`), 1), "store/dump-damaged"},
			"a list in a row": {bytes.Replace(good, []byte(`["big",`), []byte(`[[1],`), 1), "store/dump-damaged"},
		} {
			err := into.Restore(context.Background(), bytes.NewReader(c.data))
			if fault.CodeOf(err) != c.code {
				t.Errorf("%s: got %v, want %s", name, err, c.code)
			}
		}
		if t.Failed() {
			return
		}
		fail(t, into.Restore(context.Background(), bytes.NewReader(good))) // and nothing of those was left
	})
}

func TestDumpTellsWhenItCannotBeWritten(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	fill(t, db)
	r, w := io.Pipe()
	fail(t, r.Close())
	if err := db.Dump(context.Background(), w, time.Now()); fault.CodeOf(err) != "store/dump-not-written" {
		t.Fatalf("got %v", err)
	}
}
