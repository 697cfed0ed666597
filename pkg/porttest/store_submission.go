package porttest

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/fault"
)

func submissionsComeBack(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	k.put(t, newCompetition("x"))
	want := newSubmission("x", uuid.NewString(), 0)
	got, usage, err := k.Store.CreateSubmission(ctx, want, 20)
	ok(t, err)
	want.Status, want.Counts = competition.Queued, true
	same(t, "created", got, want)
	same(t, "spent", usage, competition.Usage{Counted: 1})
	same(t, "read", val(k.Store.Submission(ctx, want.ID))(t), want)

	_, _, err = k.Store.CreateSubmission(ctx, want, 20)
	wantFault(t, err, fault.Exists, "")
	_, _, err = k.Store.CreateSubmission(ctx, newSubmission("no-such", want.UserID, 0), 20)
	wantFault(t, err, fault.NotFound, "competitions/competition-not-found")
	_, err = k.Store.Submission(ctx, uuid.NewString())
	wantFault(t, err, fault.NotFound, "competitions/submission-not-found")
	same(t, "spent after refusals", val(k.Store.Usage(ctx, "x", want.UserID, want.Day))(t), competition.Usage{Counted: 1})
}

func listSubmissions(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	k.put(t, newCompetition("x"))
	k.put(t, newCompetition("y"))
	alice, bob := uuid.NewString(), uuid.NewString()
	var all []competition.Submission
	for i := range 9 {
		slug, user := "x", alice
		if i%3 == 0 {
			slug = "y"
		}
		if i%2 == 0 {
			user = bob
		}
		s := newSubmission(slug, user, i/4) // several at one moment
		got, _, err := k.Store.CreateSubmission(ctx, s, 20)
		ok(t, err)
		all = append(all, got)
	}
	first, lease := k.take(t)
	val(k.Store.Complete(ctx, competition.Completion{SubmissionID: first.ID, Lease: lease, Score: newScore(0.5, later)}))(t)
	for i := range all {
		if all[i].ID == first.ID {
			all[i] = val(k.Store.Submission(ctx, first.ID))(t)
		}
	}
	slices.SortFunc(all, func(a, b competition.Submission) int {
		if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	check := func(f competition.SubmissionFilter, keep func(competition.Submission) bool) {
		t.Helper()
		var want, got []competition.Submission
		for _, s := range all {
			if keep(s) {
				want = append(want, s)
			}
		}
		same(t, "in one", val(k.Store.ListSubmissions(ctx, f))(t), want)
		for f.Limit = 2; ; f.After = got[len(got)-1].ID {
			page := val(k.Store.ListSubmissions(ctx, f))(t)
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
		}
		same(t, "page by page", got, want)
	}
	check(competition.SubmissionFilter{}, func(competition.Submission) bool { return true })
	check(competition.SubmissionFilter{UserID: bob, Competition: "x"}, func(s competition.Submission) bool { return s.UserID == bob && s.Competition == "x" })
	check(competition.SubmissionFilter{Competition: "y"}, func(s competition.Submission) bool { return s.Competition == "y" })
	check(competition.SubmissionFilter{Status: competition.Scored}, func(s competition.Submission) bool { return s.ID == first.ID })
	_, err := k.Store.ListSubmissions(ctx, competition.SubmissionFilter{After: uuid.NewString()})
	wantFault(t, err, fault.Invalid, "pagination/invalid-cursor")
}

func dailyCap(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	k.put(t, newCompetition("x"))
	k.put(t, newCompetition("y"))
	user := uuid.NewString()
	create := func(s competition.Submission) error { _, _, err := k.Store.CreateSubmission(ctx, s, 2); return err }
	ok(t, create(newSubmission("x", user, 0)))
	ok(t, create(newSubmission("x", user, 1)))
	refused := newSubmission("x", user, 2)
	wantFault(t, create(refused), fault.LimitReached, "competitions/submission-cap-reached")
	_, err := k.Store.Submission(ctx, refused.ID)
	wantFault(t, err, fault.NotFound, "")
	ok(t, create(newSubmission("y", user, 0)))             // another competition
	ok(t, create(newSubmission("x", uuid.NewString(), 0))) // another user
	ok(t, create(newSubmission("x", user, 24*60*60)))      // the next day
	same(t, "a day without any", val(k.Store.Usage(ctx, "x", user, "1999-01-01"))(t), competition.Usage{})
	same(t, "the day", val(k.Store.Usage(ctx, "x", user, refused.Day))(t), competition.Usage{Counted: 2})
}

func attempts(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	k.put(t, newCompetition("x"))
	user := uuid.NewString()
	day := competition.DayOf(epoch)
	for range 3 {
		ok(t, k.Store.CountAttempt(ctx, "x", user, day, 3))
	}
	wantFault(t, k.Store.CountAttempt(ctx, "x", user, day, 3), fault.LimitReached, "competitions/attempts-exhausted")
	wantFault(t, k.Store.CountAttempt(ctx, "no-such", user, day, 3), fault.NotFound, "competitions/competition-not-found")
	k.submit(t, "x", user, 0) // tries and places are counted apart
	same(t, "spent", val(k.Store.Usage(ctx, "x", user, day))(t), competition.Usage{Attempts: 3, Counted: 1})
}

func capRace(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	k.put(t, newCompetition("x"))
	const callers, limit = 50, 10
	user := uuid.NewString()
	day := competition.DayOf(epoch)
	subs, tries := make([]error, callers), make([]error, callers)
	together(callers, func(i int) {
		tries[i] = k.Store.CountAttempt(ctx, "x", user, day, limit)
		_, _, subs[i] = k.Store.CreateSubmission(ctx, newSubmission("x", user, 0), limit)
	})
	for name, errs := range map[string][]error{"competitions/submission-cap-reached": subs, "competitions/attempts-exhausted": tries} {
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			wantFault(t, err, fault.LimitReached, name)
		}
		if won != limit {
			t.Fatalf("%d passed before %s, want %d", won, name, limit)
		}
	}
	if n := len(val(k.Store.ListSubmissions(ctx, competition.SubmissionFilter{UserID: user}))(t)); n != limit {
		t.Fatalf("%d submissions are kept, want %d", n, limit)
	}
}

// thousandSubmissions: caps exact, none lost, none scored twice, while workers
// score, some of them lose their leases, and some scoring fails by our fault.
func thousandSubmissions(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	k.put(t, newCompetition("x"))
	const users, each, limit, workers = 50, 20, 15, 8
	ids := make([]string, users)
	for i := range ids {
		ids[i] = k.user(t, i)
	}
	var mu sync.Mutex
	accepted := map[string]bool{}
	var errs []error
	note := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
	}
	together(users*each, func(i int) {
		sub := newSubmission("x", ids[i%users], i)
		_, _, err := k.Store.CreateSubmission(ctx, sub, limit)
		switch {
		case err == nil:
			mu.Lock()
			accepted[sub.ID] = true
			mu.Unlock()
		case fault.CodeOf(err) != "competitions/submission-cap-reached":
			note(err)
		}
	})
	if len(errs) > 0 || len(accepted) != users*limit {
		t.Fatalf("%d were accepted, want %d; errors: %v", len(accepted), users*limit, errs)
	}
	scored := map[string]int{}
	together(workers, func(w int) {
		for n := 0; ; n++ {
			lease := uuid.NewString()
			sub, err := k.Store.Take(ctx, lease, later, later.Add(time.Hour))
			if fault.Is(err, fault.NotFound) {
				return
			} else if err != nil {
				note(err)
				return
			}
			if w == 0 && n%5 == 0 && sub.Tries == 1 { // this worker stumbles
				if _, err := k.Store.Fail(ctx, competition.Failure{SubmissionID: sub.ID, Lease: lease, At: later, Message: "again", Retry: true, OurFault: true}); err != nil {
					note(err)
				}
				continue
			}
			_, err = k.Store.Complete(ctx, competition.Completion{SubmissionID: sub.ID, Lease: lease, Score: newScore(float64(n%7)/7, later)})
			if err != nil {
				note(err)
				continue
			}
			mu.Lock()
			scored[sub.ID]++
			mu.Unlock()
		}
	})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for id := range accepted {
		if scored[id] != 1 || len(val(k.Store.Scores(ctx, id))(t)) != 1 {
			t.Fatalf("submission %s was scored %d times", id, scored[id])
		}
	}
	same(t, "left in the queue", val(k.Store.QueueDepth(ctx))(t), 0)
	same(t, "on the board", val(k.Store.BoardSize(ctx, "x", "v1"))(t), users)
	for _, id := range ids {
		same(t, "counted", val(k.Store.Usage(ctx, "x", id, competition.DayOf(epoch)))(t).Counted, limit)
		best := 0.0
		for _, s := range val(k.Store.ListSubmissions(ctx, competition.SubmissionFilter{UserID: id}))(t) {
			best = max(best, s.Score.Primary)
		}
		same(t, "best", val(k.Store.Standing(ctx, "x", "v1", id))(t).Primary, best)
	}
}
