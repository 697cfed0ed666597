package porttest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/fault"
)

func scoresAreAdded(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	k.put(t, newCompetition("x"))
	user := k.user(t, 1)
	out := k.score(t, "x", user, 0, 0.5)
	id := out.Submission.ID
	if out.Before != nil || out.After.SubmissionID != id || out.After.ScoreID != out.Submission.Score.ID || out.After.Name != "name 1" {
		t.Fatalf("a first score: %+v", out)
	}
	first := *out.Submission.Score
	same(t, "its number", first.Number, 1)
	val(k.Store.Rescore(ctx, id, later))(t)
	out = k.complete(t, id, 0.75, later, func(c *competition.Completion) { c.Score.ScorerVersion, c.Score.Components = "s2", nil })
	if out.Before == nil || out.Before.Primary != 0.5 || out.After.Primary != 0.75 {
		t.Fatalf("scored again: %+v", out)
	}
	all := val(k.Store.Scores(ctx, id))(t)
	if len(all) != 2 || all[1].Number != 2 || all[1].ScorerVersion != "s2" {
		t.Fatalf("scores: %+v", all)
	}
	same(t, "the first stays as it was", all[0], first)
	same(t, "the submission's is the latest", *val(k.Store.Submission(ctx, id))(t).Score, all[1])
	n := val(k.Store.RescoreAll(ctx, "x", later))(t)
	same(t, "queued again", n, 1)
	same(t, "and again, while they wait", val(k.Store.RescoreAll(ctx, "x", later))(t), 0)
	_, err := k.Store.RescoreAll(ctx, "no-such", later)
	wantFault(t, err, fault.NotFound, "competitions/competition-not-found")
}

func notANumber(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	k.put(t, newCompetition("x"))
	sub := k.submit(t, "x", uuid.NewString(), 0)
	_, lease := k.take(t)
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, change := range []func(*competition.Score){
			func(c *competition.Score) { c.Primary = bad },
			func(c *competition.Score) { c.Components["x"] = bad },
		} {
			c := competition.Completion{SubmissionID: sub.ID, Lease: lease, Score: newScore(0.5, later)}
			change(&c.Score)
			_, err := k.Store.Complete(ctx, c)
			wantFault(t, err, fault.Invalid, "competitions/score-not-a-number")
		}
	}
	same(t, "on the board", val(k.Store.BoardSize(ctx, "x", "v1"))(t), 0)
	c := competition.Completion{SubmissionID: sub.ID, Lease: lease, Score: newScore(0.5, later)}
	c.Score.SplitVersion = "no-such"
	_, err := k.Store.Complete(ctx, c)
	wantFault(t, err, fault.Conflict, "competitions/no-board")
	same(t, "scores", len(val(k.Store.Scores(ctx, sub.ID))(t)), 0)
	c.Score.SplitVersion = "v1"
	val(k.Store.Complete(ctx, c))(t) // the lease is still held
}

// floatsComeBack: every bit of a score.
func floatsComeBack(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	k.put(t, newCompetition("x"))
	random := rand.New(rand.NewPCG(1, 2))
	values := []float64{0, 1, -1, 0.1, 1.0 / 3, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 1e-308, 0.1 + 0.2}
	for range 20 {
		values = append(values, random.Float64(), math.Float64frombits(random.Uint64()&^(1<<62)))
	}
	user := uuid.NewString()
	for i, v := range values {
		out := k.score(t, "x", user, i, v)
		got := val(k.Store.Submission(ctx, out.Submission.ID))(t).Score
		if got.Primary != v || got.Components["accuracy"] != v {
			t.Fatalf("%v came back as %v", v, got.Primary)
		}
	}
	same(t, "the best", val(k.Store.Standing(ctx, "x", "v1", user))(t).Primary, math.MaxFloat64)
}

// boardOrder compares boards with the rule written out, in both directions.
func boardOrder(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	random := rand.New(rand.NewPCG(3, 4))
	for _, higher := range []bool{true, false} {
		slug := fmt.Sprint("higher-", higher)
		c := newCompetition(slug)
		c.HigherIsBetter = higher
		k.put(t, c)
		var want []competition.Entry
		for u := range 6 {
			user := k.user(t, u+100*len(slug))
			best := competition.Entry{UserID: user}
			for n := range 5 {
				// Few values, negative ones too, and few moments: ties of all kinds.
				v := float64(random.IntN(4)) - 1.5
				at := random.IntN(3)
				out := k.score(t, slug, user, at, v)
				e := competition.Entry{UserID: user, Name: out.After.Name, SubmissionID: out.Submission.ID, ScoreID: out.Submission.Score.ID,
					Primary: v, MetricVersion: "1", SplitVersion: "v1", ScoredAt: out.Submission.Score.ScoredAt}
				if n == 0 || better(e, best, higher) < 0 {
					best = e
				}
			}
			want = append(want, best)
		}
		slices.SortFunc(want, func(a, b competition.Entry) int { return better(a, b, higher) })
		got := val(k.Store.Board(ctx, competition.BoardQuery{Competition: slug, SplitVersion: "v1", Limit: 100}))(t)
		for i := range want {
			want[i].Rank, want[i].Key = i+1, got[min(i, len(got)-1)].Key
			same(t, "standing", val(k.Store.Standing(ctx, slug, "v1", want[i].UserID))(t), want[i])
		}
		same(t, "board", got, want)
		same(t, "size", val(k.Store.BoardSize(ctx, slug, "v1"))(t), len(want))
	}
	_, err := k.Store.Standing(ctx, "higher-true", "v1", uuid.NewString())
	wantFault(t, err, fault.NotFound, "")
}

func better(a, b competition.Entry, higher bool) int {
	switch {
	case a.Primary != b.Primary && (a.Primary > b.Primary) == higher:
		return -1
	case a.Primary != b.Primary:
		return 1
	case !a.ScoredAt.Equal(b.ScoredAt):
		return a.ScoredAt.Compare(b.ScoredAt)
	}
	return strings.Compare(a.SubmissionID, b.SubmissionID)
}

func boardPages(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	k.put(t, newCompetition("x"))
	for u := range 11 {
		k.score(t, "x", k.user(t, u), u%2, float64(u%3)) // many ties
	}
	q := competition.BoardQuery{Competition: "x", SplitVersion: "v1", Limit: 100}
	all := val(k.Store.Board(ctx, q))(t)
	same(t, "size", len(all), 11)
	for limit := 1; limit <= 12; limit++ {
		var paged []competition.Entry
		for q.Limit, q.After = limit, ""; ; q.After = paged[len(paged)-1].Key {
			page := val(k.Store.Board(ctx, q))(t)
			if len(page) == 0 {
				break
			}
			paged = append(paged, page...)
		}
		same(t, "page by page", paged, all)
	}
	for _, bad := range []string{"x", strings.Repeat("g", 64), strings.Repeat("A", 64), "'" + strings.Repeat("0", 63)} {
		q.After = bad
		_, err := k.Store.Board(ctx, q)
		wantFault(t, err, fault.Invalid, "pagination/invalid-cursor")
	}
	same(t, "no such board", len(val(k.Store.Board(ctx, competition.BoardQuery{Competition: "y", SplitVersion: "v1", Limit: 5}))(t)), 0)
}

// rescoreLowers: the board never keeps a score that does not stand any more.
func rescoreLowers(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	k.put(t, newCompetition("x"))
	user := uuid.NewString()
	low := k.score(t, "x", user, 0, 0.6).Submission
	top := k.score(t, "x", user, 1, 0.9).Submission
	val(k.Store.Rescore(ctx, top.ID, later))(t)
	out := k.complete(t, top.ID, 0.3, later)
	if out.Before.Primary != 0.9 || out.After.Primary != 0.6 || out.After.SubmissionID != low.ID {
		t.Fatalf("the best was scored lower: %+v", out)
	}
}

func rescoreKeepsTies(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	k.put(t, newCompetition("x"))
	first, second := uuid.NewString(), uuid.NewString()
	a := k.score(t, "x", first, 0, 0.5).Submission
	k.score(t, "x", second, 1, 0.5)
	val(k.Store.Rescore(ctx, a.ID, later))(t)
	out := k.complete(t, a.ID, 0.5, later)
	if !out.After.ScoredAt.Equal(epoch) || out.After.ScoreID != out.Submission.Score.ID {
		t.Fatalf("scored again with the same result: %+v", out.After)
	}
	same(t, "rank", val(k.Store.Standing(ctx, "x", "v1", first))(t).Rank, 1)
}

func splitsAreApart(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	c := k.put(t, newCompetition("x"))
	user := uuid.NewString()
	sub := k.score(t, "x", user, 0, 0.9).Submission
	c.SplitVersion, c.ManifestSHA256, c.HigherIsBetter, c.Metric = "v2", strings.Repeat("f", 64), false, "log_loss"
	k.put(t, c)
	val(k.Store.Rescore(ctx, sub.ID, later))(t)
	out := k.complete(t, sub.ID, 0.2, later, func(c *competition.Completion) { c.Score.SplitVersion = "v2" })
	if out.Before != nil || out.After.SplitVersion != "v2" || out.Submission.Score.SplitVersion != "v2" {
		t.Fatalf("on the new split: %+v", out)
	}
	other := k.score(t, "x", uuid.NewString(), 1, 0.1, func(c *competition.Completion) { c.Score.SplitVersion = "v2" })
	same(t, "old board", val(k.Store.Standing(ctx, "x", "v1", user))(t).Primary, 0.9)
	same(t, "lower is better on the new one", val(k.Store.Standing(ctx, "x", "v2", other.After.UserID))(t).Rank, 1)
	same(t, "and the user is second", val(k.Store.Standing(ctx, "x", "v2", user))(t).Rank, 2)
}

func ladder(t *testing.T, k CompetitionKit) {
	for _, higher := range []bool{true, false} {
		slug := fmt.Sprint("ladder-", higher)
		c := newCompetition(slug)
		c.HigherIsBetter = higher
		k.put(t, c)
		user := uuid.NewString()
		for i, step := range []struct{ score, shown float64 }{
			{0.503, 0.5},   // the first always counts, rounded to the step
			{0.508, 0.5},   // better, by less than the step
			{0.51, 0.5},    // by just the step
			{0.5151, 0.52}, // by more
			{0.4, 0.52},    // worse
			{0.5299, 0.52},
			{0.531, 0.53},
		} {
			v, shown := step.score, step.shown
			if !higher {
				v, shown = 1-v, 1-shown
			}
			out := k.score(t, slug, user, i, v, func(c *competition.Completion) { c.Ladder = 0.01 })
			if math.Abs(out.After.Primary-shown) > 1e-9 {
				t.Fatalf("score %d, %v: the board shows %v, want %v", i, v, out.After.Primary, shown)
			}
		}
		all := val(k.Store.UserScores(storeContext(t), slug, "v1", user))(t)
		same(t, "a user's scores", len(all), 7)
		for i := 1; i < len(all); i++ {
			if all[i].ScoredAt.Before(all[i-1].ScoredAt) {
				t.Errorf("score %d is out of order", i)
			}
		}
		same(t, "steps of the Ladder", len(competition.Steps(all, higher, 0.01)), 3)
		same(t, "a stranger's scores", len(val(k.Store.UserScores(storeContext(t), slug, "v1", uuid.NewString()))(t)), 0)
	}
}

// scoreRace: two workers score one user's submissions at the same moment, first
// scores among them, and the board shows the best of all.
func scoreRace(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	k.put(t, newCompetition("x"))
	for round := range 4 {
		user := uuid.NewString()
		const n = 12
		leases := make([]competition.Completion, n)
		for i := range leases {
			k.submit(t, "x", user, i)
			sub, lease := k.take(t)
			leases[i] = competition.Completion{SubmissionID: sub.ID, Lease: lease, Score: newScore(float64((i*7+round)%n), later)}
		}
		errs := make([]error, n)
		together(n, func(i int) { _, errs[i] = k.Store.Complete(ctx, leases[i]) })
		for _, err := range errs {
			ok(t, err)
		}
		same(t, "the best", val(k.Store.Standing(ctx, "x", "v1", user))(t).Primary, float64(n-1))
	}
}
