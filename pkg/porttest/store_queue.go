package porttest

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/fault"
)

func queueOrder(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	k.put(t, newCompetition("x"))
	user := uuid.NewString()
	old := k.score(t, "x", user, 0, 0.5).Submission
	// The one to be scored again waits behind those that people wait for,
	// although it is older.
	again := val(k.Store.Rescore(ctx, old.ID, epoch))(t)
	if again.Status != competition.Queued || again.Score == nil || again.Tries != 0 {
		t.Fatalf("queued again: %+v", again)
	}
	b, a := k.submit(t, "x", user, 20), k.submit(t, "x", user, 10)
	same(t, "waiting", val(k.Store.QueueDepth(ctx))(t), 3)
	for _, want := range []string{a.ID, b.ID, old.ID} {
		// A clock that was set back since they were sent delays nobody.
		got := val(k.Store.Take(ctx, uuid.NewString(), epoch.Add(-time.Hour), later.Add(time.Hour)))(t)
		if got.ID != want || got.Status != competition.Scoring || got.Tries != 1 {
			t.Fatalf("took %+v, want %s", got, want)
		}
	}
	_, err := k.Store.Take(ctx, "none", later, later)
	wantFault(t, err, fault.NotFound, "")
	_, err = k.Store.Rescore(ctx, uuid.NewString(), later)
	wantFault(t, err, fault.NotFound, "")
}

func leases(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	k.put(t, newCompetition("x"))
	sub := k.submit(t, "x", uuid.NewString(), 0)
	taken := val(k.Store.Take(ctx, "first", epoch, epoch.Add(time.Minute)))(t)
	same(t, "taken", taken.ID, sub.ID)
	_, err := k.Store.Take(ctx, "second", epoch.Add(59*time.Second), later)
	wantFault(t, err, fault.NotFound, "") // still the first one's
	ok(t, k.Store.Extend(ctx, sub.ID, "first", epoch.Add(2*time.Minute)))
	_, err = k.Store.Take(ctx, "second", epoch.Add(90*time.Second), later)
	wantFault(t, err, fault.NotFound, "")
	wantFault(t, k.Store.Extend(ctx, sub.ID, "second", later), fault.Conflict, "competitions/lease-lost")
	wantFault(t, k.Store.Extend(ctx, uuid.NewString(), "first", later), fault.Conflict, "")

	again := val(k.Store.Take(ctx, "second", epoch.Add(2*time.Minute), later))(t)
	if again.ID != sub.ID || again.Tries != 2 {
		t.Fatalf("taken over: %+v", again)
	}
	// The first one comes back and is too late for everything.
	wantFault(t, k.Store.Extend(ctx, sub.ID, "first", later), fault.Conflict, "competitions/lease-lost")
	_, err = k.Store.Complete(ctx, competition.Completion{SubmissionID: sub.ID, Lease: "first", Score: newScore(0.1, later)})
	wantFault(t, err, fault.Conflict, "competitions/lease-lost")
	_, err = k.Store.Fail(ctx, competition.Failure{SubmissionID: sub.ID, Lease: "first", At: later})
	wantFault(t, err, fault.Conflict, "competitions/lease-lost")

	c := competition.Completion{SubmissionID: sub.ID, Lease: "second", Score: newScore(0.2, later)}
	for range 2 { // the second time because the first answer was lost
		out := val(k.Store.Complete(ctx, c))(t)
		if out.Submission.Status != competition.Scored || out.Submission.Score.Primary != 0.2 || out.After.Primary != 0.2 {
			t.Fatalf("completed: %+v", out)
		}
	}
	same(t, "scores", len(val(k.Store.Scores(ctx, sub.ID))(t)), 1)
	c.Score = newScore(0.9, later)
	_, err = k.Store.Complete(ctx, c)
	wantFault(t, err, fault.Conflict, "competitions/lease-lost")
}

func failures(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	k.put(t, newCompetition("x"))
	user := uuid.NewString()
	day := competition.DayOf(epoch)
	counted := func(want int) {
		t.Helper()
		same(t, "counted", val(k.Store.Usage(ctx, "x", user, day))(t).Counted, want)
	}
	fail := func(f competition.Failure) competition.Submission {
		t.Helper()
		sub, lease := k.take(t)
		f.SubmissionID, f.Lease = sub.ID, lease
		return val(k.Store.Fail(ctx, f))(t)
	}
	k.submit(t, "x", user, 0)
	got := fail(competition.Failure{At: epoch.Add(time.Hour), Message: "the disk is full", Retry: true, OurFault: true})
	if got.Status != competition.Queued || got.ScoreError != "the disk is full" || !got.Counts || got.Tries != 1 {
		t.Fatalf("to be tried again: %+v", got)
	}
	_, err := k.Store.Take(ctx, "early", epoch.Add(59*time.Minute), later)
	wantFault(t, err, fault.NotFound, "")
	counted(1)
	got = fail(competition.Failure{At: later, Message: "the scorer broke", OurFault: true})
	if got.Status != competition.Failed || got.Counts || got.Tries != 2 {
		t.Fatalf("failed by our fault: %+v", got)
	}
	same(t, "read again", val(k.Store.Submission(ctx, got.ID))(t), got)
	counted(0)
	k.submit(t, "x", user, 1)
	got = fail(competition.Failure{At: later, Message: "the file is not what it was"})
	if got.Status != competition.Failed || !got.Counts {
		t.Fatalf("failed by its own fault: %+v", got)
	}
	counted(1)

	// Scoring again: a failure takes nothing away.
	val(k.Store.Rescore(ctx, got.ID, later))(t)
	scored := k.complete(t, got.ID, 0.5, later).Submission
	same(t, "the error is gone", scored.ScoreError, "")
	val(k.Store.Rescore(ctx, got.ID, later))(t)
	got = fail(competition.Failure{At: later, Message: "broke", OurFault: true})
	if got.Status != competition.Scored || !got.Counts || got.Score == nil || got.ScoreError != "broke" {
		t.Fatalf("a failed rescore: %+v", got)
	}
	counted(1)
}

// takerRace: many workers, and each submission goes to exactly one of them.
func takerRace(t *testing.T, k CompetitionKit) {
	ctx := storeContext(t)
	k.put(t, newCompetition("x"))
	const submissions, workers = 60, 16
	user := uuid.NewString()
	for i := range submissions {
		k.submit(t, "x", user, i)
	}
	var mu sync.Mutex
	got := map[string]int{}
	errs := make([]error, workers)
	together(workers, func(w int) {
		for {
			s, err := k.Store.Take(ctx, uuid.NewString(), later, later.Add(time.Hour))
			if err != nil {
				errs[w] = err
				return
			}
			mu.Lock()
			got[s.ID]++
			mu.Unlock()
		}
	})
	for _, err := range errs {
		wantFault(t, err, fault.NotFound, "competitions/queue-empty")
	}
	if len(got) != submissions {
		t.Fatalf("%d submissions were taken, want %d", len(got), submissions)
	}
	for id, n := range got {
		if n != 1 {
			t.Fatalf("%s was taken %d times", id, n)
		}
	}
}
