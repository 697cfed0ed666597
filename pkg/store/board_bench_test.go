package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/store/storetest"
)

// The environment says how many scores the boards of BenchmarkBoard stand on;
// each user has 50. The goal is stated for 1000000.
const boardScoresVar = "MEDFORGE_BENCH_BOARD_SCORES"

func boardScores(b *testing.B) int {
	if v := os.Getenv(boardScoresVar); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			b.Fatalf("%s: %v", boardScoresVar, err)
		}
		return n
	}
	return 50_000
}

// BenchmarkBoard reads pages of 50 and ranks from boards over a number of
// scores and over a tenth of it, in one run: the two must not differ but by
// what counting a rank costs.
func BenchmarkBoard(b *testing.B) {
	for name, config := range map[string]func(testing.TB) store.Config{"sqlite": storetest.SQLiteConfig, "mariadb": storetest.MariaDBConfig} {
		b.Run(name, func(b *testing.B) {
			for _, n := range []int{boardScores(b) / 10, boardScores(b)} {
				cfg := config(b)
				s := storetest.Open(b, cfg).Competitions()
				last := fillBoard(b, cfg, s, n)
				b.Run(fmt.Sprintf("%d-scores", n), func(b *testing.B) { benchBoard(b, s, last) })
			}
		})
	}
}

func benchBoard(b *testing.B, s *store.Competitions, last competition.Entry) {
	ctx := context.Background()
	q := competition.BoardQuery{Competition: "x", SplitVersion: "v1", Limit: 50}
	page := func(b *testing.B, q competition.BoardQuery) []competition.Entry {
		rows, err := s.Board(ctx, q)
		if err != nil || len(rows) == 0 || rows[0].Name == "" {
			b.Fatalf("%d rows, %v", len(rows), err)
		}
		return rows
	}
	second, middle := q, q
	second.After, middle.After = page(b, q)[49].Key, middleKey(b, s)
	for _, c := range []struct {
		name string
		f    func(b *testing.B)
	}{
		{"first-page", func(b *testing.B) { page(b, q) }},
		{"second-page", func(b *testing.B) { page(b, second) }},
		{"middle-page", func(b *testing.B) { page(b, middle) }},
		{"last-rank", func(b *testing.B) {
			e, err := s.Standing(ctx, "x", "v1", last.UserID)
			if err != nil || e.Rank != last.Rank {
				b.Fatalf("%+v, %v; want rank %d", e, err, last.Rank)
			}
		}},
		{"submit-and-score", func(b *testing.B) {
			if err := scoreOne(s, last.UserID, 0); err != nil {
				b.Fatal(err)
			}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				c.f(b)
				took = append(took, time.Since(start))
			}
			// The median: a busy machine's mean says little.
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "median-us")
		})
	}
}

func middleKey(b *testing.B, s *store.Competitions) string {
	q := competition.BoardQuery{Competition: "x", SplitVersion: "v1", Limit: 1 << 20}
	rows, err := s.Board(context.Background(), q)
	if err != nil {
		b.Fatal(err)
	}
	return rows[len(rows)/2].Key
}

// fillBoard writes n scores of n/50 users as rows, which is how they stand after
// n scorings, and returns the last entry of the board.
func fillBoard(b *testing.B, cfg store.Config, s *store.Competitions, n int) competition.Entry {
	b.Helper()
	ctx := context.Background()
	c := competition.Competition{Slug: "x", Metric: "accuracy", HigherIsBetter: true, SplitVersion: "v1", CreatedAt: time.Now(), UpdatedAt: time.Now()}
	if _, err := s.PutCompetition(ctx, c); err != nil {
		b.Fatal(err)
	}
	driver, dsn := cfg.Driver, cfg.DSN
	if driver == store.SQLite {
		dsn = cfg.Path + "?_synchronous=OFF"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	random := rand.New(rand.NewPCG(1, 2))
	users := make([]string, n/50)
	ins := newInserter(b, db)
	for i := range users {
		users[i] = uuid.NewString()
		ins.add("users (id, name, role, disabled, session_limit, password_hash, created_at)", users[i], fmt.Sprintf("user %d", i), "user", 0, 0, "", i)
	}
	type best struct {
		key, sub, score string
		primary         float64
		at              int64
	}
	bests := make([]best, len(users))
	hash := strings.Repeat("a", 64)
	for i := range n {
		u := i % len(users)
		sub, score := uuid.NewString(), uuid.NewString()
		v := float64(random.IntN(419)) / 418 // titanic's accuracies: ties everywhere
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Second)
		key := store.RankKey(v, true, at, sub)
		ins.add("submissions (id, competition, user_id, session_id, filename, size_bytes, sha256, message, created_at, day, status, score_error, counts, tries, priority, queued_at, not_before, lease, lease_until, score_id)",
			sub, "x", users[u], "", "a.csv", 1000, hash, "", at.UnixMicro(), "2026-01-01", "scored", "", 1, 1, 0, at.UnixMicro(), 0, "", 0, score)
		ins.add("scores (id, submission_id, number, scorer_version, metric_version, split_version, manifest_sha256, holdout_sha256, primary_score, components, scored_at)",
			score, sub, 1, "1", "1", "v1", hash, hash, v, "{}", at.UnixMicro())
		ins.add("official_scores (submission_id, split_version, competition, user_id, score_id, metric_version, primary_score, rank_key, scored_at)",
			sub, "v1", "x", users[u], score, "1", v, key, at.UnixMicro())
		if bests[u].key == "" || key < bests[u].key {
			bests[u] = best{key, sub, score, v, at.UnixMicro()}
		}
	}
	last := competition.Entry{Rank: len(users)}
	for i, e := range bests {
		ins.add("leaderboard_entries (competition, split_version, user_id, submission_id, score_id, metric_version, primary_score, rank_key, scored_at)",
			"x", "v1", users[i], e.sub, e.score, "1", e.primary, e.key, e.at)
		if e.key > last.Key {
			last.Key, last.UserID = e.key, users[i]
		}
	}
	slices.SortFunc(bests, func(a, b best) int { return strings.Compare(a.key, b.key) })
	for i := 0; i < len(bests); i += store.BlockMax / 2 {
		low := bests[i].key
		if i == 0 {
			low = strings.Repeat("0", 64)
		}
		ins.add("board_blocks (competition, split_version, low, n)", "x", "v1", low, min(store.BlockMax/2, len(bests)-i))
	}
	ins.flush()
	if driver == store.MySQL {
		if _, err := db.Exec("ANALYZE TABLE submissions, scores, official_scores, leaderboard_entries, board_blocks"); err != nil {
			b.Fatal(err)
		}
	}
	return last
}

// inserter gathers rows and writes many in one statement, tables in the order
// in which they were first named.
type inserter struct {
	b     *testing.B
	db    *sql.DB
	order []string
	rows  map[string][][]any
	n     int
}

func newInserter(b *testing.B, db *sql.DB) *inserter {
	return &inserter{b: b, db: db, rows: map[string][][]any{}}
}

func (ins *inserter) add(into string, row ...any) {
	if _, there := ins.rows[into]; !there {
		ins.order = append(ins.order, into)
	}
	ins.rows[into] = append(ins.rows[into], row)
	if ins.n++; ins.n >= 3000 {
		ins.flush()
	}
}

func (ins *inserter) flush() {
	tx, err := ins.db.Begin()
	if err != nil {
		ins.b.Fatal(err)
	}
	for _, into := range ins.order {
		for rows := ins.rows[into]; len(rows) > 0; {
			k := min(len(rows), 500)
			one := "(" + strings.TrimSuffix(strings.Repeat("?,", len(rows[0])), ",") + "),"
			var args []any
			for _, r := range rows[:k] {
				args = append(args, r...)
			}
			if _, err := tx.Exec("INSERT INTO "+into+" VALUES "+strings.TrimSuffix(strings.Repeat(one, k), ","), args...); err != nil {
				ins.b.Fatal(err)
			}
			rows = rows[k:]
		}
		ins.rows[into] = nil
	}
	if err := tx.Commit(); err != nil {
		ins.b.Fatal(err)
	}
	ins.n = 0
}
