package porttest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/fault"
)

// CompetitionKit is a store of competitions and the accounts whose names its
// boards show.
type CompetitionKit struct {
	Store    competition.Store
	Accounts account.Store
}

// CompetitionStore checks what competition.Store promises. open returns an
// empty store.
func CompetitionStore(t *testing.T, open func(t *testing.T) CompetitionKit) {
	for name, f := range map[string]func(*testing.T, CompetitionKit){
		"competitions come back":             competitionsComeBack,
		"revisions":                          competitionRevisions,
		"datasets":                           datasets,
		"submissions come back":              submissionsComeBack,
		"list submissions":                   listSubmissions,
		"daily cap":                          dailyCap,
		"attempts":                           attempts,
		"race: caps":                         capRace,
		"queue order":                        queueOrder,
		"leases":                             leases,
		"failures":                           failures,
		"race: takers":                       takerRace,
		"scores are added":                   scoresAreAdded,
		"not a number":                       notANumber,
		"floats come back":                   floatsComeBack,
		"board order":                        boardOrder,
		"board pages":                        boardPages,
		"a rescore can lower":                rescoreLowers,
		"a rescore keeps ties":               rescoreKeepsTies,
		"splits are apart":                   splitsAreApart,
		"the Ladder":                         ladder,
		"race: scores of one user":           scoreRace,
		"race: 1000 submissions by 50 users": thousandSubmissions,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func newCompetition(slug string) competition.Competition {
	return competition.Competition{Slug: slug, Title: "Who survives \u2603", Description: "# Titanic\n", State: competition.Open, Tier: "public",
		Metric: "accuracy", MetricVersion: "1", HigherIsBetter: true, SplitVersion: "v1", SpecVersion: "1",
		ScoringMode: "single_realtime_hidden", LeaderboardRule: "best_per_user", EvaluationPolicy: "canonical_test_first", Permanent: true,
		DailyCap: 20, AttemptCap: 100, DatasetSlug: "titanic", ManifestSHA256: strings.Repeat("a", 64), HoldoutSHA256: strings.Repeat("b", 64),
		Spec: json.RawMessage(`{"columns": ["x"]}`), CreatedAt: epoch.UTC(), UpdatedAt: epoch.UTC()}
}

// put adds a competition of that slug.
func (k CompetitionKit) put(t *testing.T, c competition.Competition) competition.Competition {
	t.Helper()
	return val(k.Store.PutCompetition(storeContext(t), c))(t)
}

// user adds an account and returns its id.
func (k CompetitionKit) user(t *testing.T, n int) string {
	t.Helper()
	u := newUser(n)
	u.Name = fmt.Sprintf("name %d", n)
	ok(t, k.Accounts.CreateUser(storeContext(t), u))
	return u.ID
}

// newSubmission is user's nth.
func newSubmission(slug, user string, n int) competition.Submission {
	at := epoch.Add(time.Duration(n) * time.Second).UTC()
	return competition.Submission{ID: uuid.NewString(), Competition: slug, UserID: user, SessionID: uuid.NewString(), Filename: "pred \u2603.csv",
		SizeBytes: 12345, SHA256: strings.Repeat("c", 64), Message: "first try; ' \"", CreatedAt: at, Day: competition.DayOf(at)}
}

func (k CompetitionKit) submit(t *testing.T, slug, user string, n int) competition.Submission {
	t.Helper()
	sub, _, err := k.Store.CreateSubmission(storeContext(t), newSubmission(slug, user, n), 1000)
	ok(t, err)
	return sub
}

// later is after everything that a test has queued.
var later = epoch.Add(24 * time.Hour).UTC()

func (k CompetitionKit) take(t *testing.T) (competition.Submission, string) {
	t.Helper()
	lease := uuid.NewString()
	return val(k.Store.Take(storeContext(t), lease, later, later.Add(time.Minute)))(t), lease
}

func newScore(primary float64, at time.Time) competition.Score {
	return competition.Score{ID: uuid.NewString(), ScorerVersion: "s1", MetricVersion: "1", SplitVersion: "v1",
		ManifestSHA256: strings.Repeat("a", 64), HoldoutSHA256: strings.Repeat("b", 64), Primary: primary,
		Components: map[string]float64{"rows": 418, "accuracy": primary}, ScoredAt: at.UTC()}
}

// score submits and scores at once; nothing else may wait in the queue.
func (k CompetitionKit) score(t *testing.T, slug, user string, n int, primary float64, change ...func(*competition.Completion)) competition.Outcome {
	t.Helper()
	sub := k.submit(t, slug, user, n)
	return k.complete(t, sub.ID, primary, epoch.Add(time.Duration(n)*time.Second), change...)
}

func (k CompetitionKit) complete(t *testing.T, id string, primary float64, at time.Time, change ...func(*competition.Completion)) competition.Outcome {
	t.Helper()
	taken, lease := k.take(t)
	if taken.ID != id {
		t.Fatalf("took %s, want %s", taken.ID, id)
	}
	c := competition.Completion{SubmissionID: id, Lease: lease, Score: newScore(primary, at)}
	for _, f := range change {
		f(&c)
	}
	return val(k.Store.Complete(storeContext(t), c))(t)
}

func competitionsComeBack(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	_, err := k.Store.Competition(ctx, "titanic-survival")
	wantFault(t, err, fault.NotFound, "competitions/competition-not-found")
	a, b := newCompetition("titanic-survival"), newCompetition("cifar-100-classification")
	b.HigherIsBetter, b.Permanent, b.State, b.Spec = false, false, competition.Closed, nil
	same(t, "kept", k.put(t, a).Revision, 1)
	k.put(t, b)
	a.Revision, b.Revision = 1, 1
	same(t, "one", val(k.Store.Competition(ctx, a.Slug))(t), a)
	same(t, "all", val(k.Store.Competitions(ctx))(t), []competition.Competition{b, a})
}

func competitionRevisions(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	first := k.put(t, newCompetition("x"))
	c := first
	c.UpdatedAt, c.CreatedAt = later, later // only UpdatedAt is taken
	again := k.put(t, c)
	same(t, "the same bundle again", again.Revision, 1)
	same(t, "when it was made", again.CreatedAt, first.CreatedAt)
	same(t, "when it was added", again.UpdatedAt, later)

	c.ManifestSHA256, c.Title, c.DailyCap = strings.Repeat("d", 64), "New", 3
	got := k.put(t, c)
	if got.Revision != 2 || got.Title != "New" || got.DailyCap != 3 {
		t.Fatalf("an update gave %+v", got)
	}

	for _, change := range []func(*competition.Competition){
		func(c *competition.Competition) { c.HigherIsBetter = false },
		func(c *competition.Competition) { c.Metric = "log_loss" },
	} {
		bad := c
		bad.ManifestSHA256 = strings.Repeat("e", 64)
		change(&bad)
		_, err := k.Store.PutCompetition(ctx, bad)
		wantFault(t, err, fault.Conflict, "competitions/split-has-other-metric")
		same(t, "after a refusal", val(k.Store.Competition(ctx, "x"))(t), got)
		bad.SplitVersion = "v2-" + bad.Metric + fmt.Sprint(bad.HigherIsBetter)
		got = k.put(t, bad)
	}
	const callers = 10
	errs := make([]error, callers)
	together(callers, func(i int) {
		n := newCompetition("raced")
		n.ManifestSHA256 = strings.Repeat(fmt.Sprint(i), 64)
		_, errs[i] = k.Store.PutCompetition(ctx, n)
	})
	for _, err := range errs {
		ok(t, err)
	}
	same(t, "revisions", val(k.Store.Competition(ctx, "raced"))(t).Revision, callers)
}

func datasets(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	_, err := k.Store.Dataset(ctx, "cifar-100")
	wantFault(t, err, fault.NotFound, "datasets/not-found")
	a := competition.Dataset{Slug: "cifar-100", Title: "CIFAR-100", Source: "https://example.org", License: "none stated", Bytes: 1 << 40,
		Checksum: "sha256:" + strings.Repeat("a", 64), ImportedAt: epoch.UTC()}
	b := a
	b.Slug = "a-first"
	ok(t, k.Store.PutDataset(ctx, a))
	ok(t, k.Store.PutDataset(ctx, b))
	a.Bytes, a.ImportedAt = 7, later
	for range 2 {
		ok(t, k.Store.PutDataset(ctx, a))
	}
	same(t, "one", val(k.Store.Dataset(ctx, a.Slug))(t), a)
	same(t, "all", val(k.Store.Datasets(ctx))(t), []competition.Dataset{b, a})
}
