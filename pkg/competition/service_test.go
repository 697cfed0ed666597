package competition_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/store/storetest"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// both runs a test on both real databases.
func both(t *testing.T, f func(t *testing.T, db *store.DB)) {
	for name, open := range map[string]func(testing.TB) *store.DB{"sqlite": storetest.New, "mariadb": storetest.MariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func TestTitanicScoresAsKagglesBoard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory(t))
	w.run()
	a := w.user()
	nobody := w.scored(a, "titanic-survival", read(t, filepath.Join("..", "..", "competitions", "titanic-survival", "sample_submission.csv")))
	if nobody.Score.Primary != 0.62201 {
		t.Errorf("nobody survives: %v", nobody.Score.Primary)
	}
	women := "PassengerId,Survived\n"
	for _, line := range strings.Split(read(t, shared(t, "titanic/test.csv")), "\n")[1:] {
		if id, _, ok := strings.Cut(line, ","); ok {
			v := "0"
			if strings.Contains(line, ",female,") {
				v = "1"
			}
			women += id + "," + v + "\n"
		}
	}
	got := w.scored(a, "titanic-survival", women)
	if got.Score.Primary != 0.76555 || got.Score.SplitVersion != "titanic-v1" || got.Score.ManifestSHA256 == "" || got.Score.ScorerVersion == "" {
		t.Errorf("women survive: %+v", got.Score)
	}
	b, err := w.Leaderboard(ctx(t), a, "titanic-survival", 10, "")
	ok(t, err)
	if len(b.Entries) != 1 || b.Me == nil || b.Me.Rank != 1 || b.Entries[0].Primary != 0.76555 || b.Entries[0].Name != a.Name {
		t.Errorf("board %+v", b)
	}
}

func TestInstallingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		before, err := w.List(ctx(t))
		ok(t, err)
		w.open()
		after, err := w.List(ctx(t))
		ok(t, err)
		if len(after) != 3 {
			t.Fatalf("%d competitions", len(after))
		}
		for i := range after {
			if after[i].Revision != 1 || after[i].ManifestSHA256 != before[i].ManifestSHA256 {
				t.Errorf("%s is at revision %d", after[i].Slug, after[i].Revision)
			}
		}
		// An admin's own competition by that name stays.
		mine := toy("slug: toy", "slug: titanic-survival")
		w.add(mine)
		w.open()
		c, _, err := w.Get(ctx(t), "titanic-survival")
		ok(t, err)
		if c.Title != "Toy" {
			t.Error("the daemon's start took an admin's competition away")
		}
	})
}

func TestLabelsAreForRootAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory(t))
	w.add(toy())
	_, err := w.submit(w.user(), "toy", labels(1, 2, 3, 4))
	ok(t, err)
	n := 0
	ok(t, filepath.Walk(w.dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || path == w.dir {
			return err
		}
		if info.Mode().IsRegular() {
			n++
		}
		if info.Mode()&0o077 != 0 {
			t.Errorf("%s is %v", path, info.Mode())
		}
		return nil
	}))
	if n < 15 {
		t.Errorf("looked at %d files only", n)
	}
	files, err := w.Data(ctx(t), "toy")
	ok(t, err)
	for _, f := range files {
		if strings.Contains(f.Path, "holdout") {
			t.Errorf("%s is given out", f.Path)
		}
	}
}

func TestRefusedSubmissionsCostNoPlaceButAnAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory(t), func(o *competition.Options) { o.MaxSubmission = 1 << 10 })
	w.add(toy("attempts_per_day: 6", "attempts_per_day: 5"))
	a := w.user()
	_, err := w.submit(a, "nowhere", labels(1, 2, 3, 4))
	wantFault(t, err, fault.NotFound, "competitions/competition-not-found")
	_, err = w.submit(a, "toy", "id,label\na,1\nb,NaN\nc,77\nz,1\n")
	wantFault(t, err, fault.Invalid, "competitions/submission-validation-failed")
	kinds := ""
	for _, f := range fieldsOf(err) {
		kinds += f.Type + " "
	}
	if kinds != "nan out_of_range unknown_id missing_id " {
		t.Errorf("mistakes %q", kinds)
	}
	_, err = w.submit(a, "toy", labels(1, 2, 3, 4)+strings.Repeat("#", 2000))
	wantFault(t, err, fault.Invalid, "competitions/submission-too-large")
	_, err = w.Submit(ctx(t), a, "toy", competition.Upload{File: strings.NewReader(labels(1, 2, 3, 4)), Size: -1,
		Message: func() (string, error) { return strings.Repeat("é", 501), nil }})
	wantFault(t, err, fault.Invalid, "competitions/invalid-message")
	_, err = w.Submit(ctx(t), a, "toy", competition.Upload{File: io.MultiReader(strings.NewReader("id,la"), broken{}), Size: -1})
	wantFault(t, err, fault.Invalid, "competitions/upload-broke-off")

	// Too large was seen by its size: three attempts so far, of five.
	for left := 2; left >= 1; left-- {
		r, err := w.Submit(ctx(t), a, "toy", competition.Upload{Filename: "C:\\x\\p\x1b.csv", File: strings.NewReader(labels(1, 2, 3, 4)), Size: -1,
			Message: func() (string, error) { return strings.Repeat("é", 500), nil }})
		ok(t, err)
		if r.Remaining != left || r.Submission.Filename != "p.csv" || !r.ResetsAt.Equal(noon.Add(12*time.Hour)) {
			t.Errorf("%+v", r)
		}
	}
	_, err = w.submit(a, "toy", labels(1, 2, 3, 4))
	wantFault(t, err, fault.LimitReached, "competitions/attempts-exhausted")
	w.pass(12 * time.Hour)
	_, err = w.submit(a, "toy", labels(1, 2, 3, 4))
	ok(t, err)
	if n := stored(t, w); n != 3 {
		t.Errorf("%d files for 3 submissions", n)
	}
}

// stored counts the submissions' files; temporary ones must be gone.
func stored(t *testing.T, w *world) (n int) {
	t.Helper()
	ok(t, filepath.Walk(filepath.Join(w.dir, "submissions"), func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			n++
		}
		return err
	}))
	if left, _ := os.ReadDir(filepath.Join(w.dir, "competitions.tmp")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	return n
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestTheDailyCapSaysWhenItResets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory(t))
	w.add(toy())
	a := w.user()
	for i := range 3 {
		r, err := w.submit(a, "toy", labels(1, 2, 3, i))
		ok(t, err)
		if r.Remaining != 2-i {
			t.Errorf("%d left after %d", r.Remaining, i+1)
		}
	}
	_, err := w.submit(a, "toy", labels(1, 2, 3, 4))
	wantFault(t, err, fault.LimitReached, "competitions/submission-cap-reached")
	if fault.As(err).RetryAfter != 12*time.Hour || !strings.Contains(err.Error(), "2026-11-25T00:00:00Z") {
		t.Errorf("%v after %v", err, fault.As(err).RetryAfter)
	}
}

func TestACrashedWorkersSubmissionIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		w.add(toy())
		a := w.user()
		r, err := w.submit(a, "toy", labels(1, 2, 3, 0))
		ok(t, err)
		// A worker of a daemon that was killed holds it.
		_, err = db.Competitions().Take(ctx(t), "dead", w.clock(), w.clock().Add(time.Minute))
		ok(t, err)
		w.open()
		stop := w.run()
		sub, err := w.Submission(ctx(t), a, r.Submission.ID)
		ok(t, err)
		if sub.Status != competition.Scoring {
			t.Fatalf("status %s", sub.Status)
		}
		w.pass(61 * time.Second)
		if s := w.settled(a, sub.ID); s.Score == nil || s.Score.Primary != 0.75 || s.Tries != 2 {
			t.Errorf("%+v", s)
		}
		stop()
	})
}

func TestOurFaultGivesThePlaceBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory(t))
	w.add(toy())
	a := w.user()
	r, err := w.submit(a, "toy", labels(1, 2, 3, 4))
	ok(t, err)
	file := filepath.Join(w.dir, "submissions", r.Submission.ID[:2], r.Submission.ID+".csv")
	ok(t, os.WriteFile(file, []byte(labels(9, 9, 9, 9)), 0o600))
	w.run()
	s := w.settled(a, r.Submission.ID)
	if s.Status != competition.Failed || s.Counts || !strings.Contains(s.ScoreError, "fault of this MedForge") {
		t.Errorf("%+v", s)
	}
	u, err := w.db.Competitions().Usage(ctx(t), "toy", a.UserID, competition.DayOf(noon))
	ok(t, err)
	if u.Counted != 0 {
		t.Errorf("%d places are taken", u.Counted)
	}
	watch.Until(t, "it is told", func() bool { return len(w.published(event.Scored)) > 0 })
	if e := w.published(event.Scored); len(e) != 1 || e[0].Data["error"] == nil || e[0].Public {
		t.Errorf("events %+v", e)
	}
}

func TestAShutdownGivesTheWorkBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory(t))
	w.add(toy())
	a := w.user()
	r, err := w.submit(a, "toy", labels(1, 2, 3, 4))
	ok(t, err)
	// A pipe in the place of the file keeps the worker reading.
	file := filepath.Join(w.dir, "submissions", r.Submission.ID[:2], r.Submission.ID+".csv")
	raw := read(t, file)
	ok(t, os.Remove(file))
	ok(t, mkfifo(file))
	end, ended := w.begin()
	hold, err := os.OpenFile(file, os.O_WRONLY, 0) // returns when the worker has opened it
	ok(t, err)
	end() // before the file ends: a worker that is not asked to end takes it for a broken one
	_, err = hold.WriteString("id,label\n")
	ok(t, errors.Join(err, hold.Close()))
	<-ended
	ok(t, os.Remove(file))
	ok(t, os.WriteFile(file, []byte(raw), 0o600))
	w.pass(time.Hour)
	w.open()
	w.run()
	if s := w.settled(a, r.Submission.ID); s.Status != competition.Scored || s.Score.Primary != 1 {
		t.Errorf("%+v", s)
	}
}

func TestRescoringAddsScores(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory(t))
	w.add(toy())
	w.run()
	a := w.user()
	s := w.scored(a, "toy", labels(1, 2, 3, 0))
	_, err := w.Rescore(ctx(t), a, s.ID)
	wantFault(t, err, fault.Denied, "")
	_, err = w.Rescore(ctx(t), admin, "no-such")
	wantFault(t, err, fault.NotFound, "")
	again, err := w.Rescore(ctx(t), admin, s.ID)
	ok(t, err)
	if again.Score.Number != 2 || again.Score.Primary != 0.75 {
		t.Errorf("%+v", again.Score)
	}
	// A new split: the old scores stay what they are, on a board of their own.
	next := toy("evaluation_split_version: v1", "evaluation_split_version: v2")
	next["holdout.csv"].Data = []byte("id,label\na,1\nb,2\nc,0\nd,0\n")
	w.add(next)
	b, err := w.Leaderboard(ctx(t), a, "toy", 10, "")
	ok(t, err)
	if len(b.Entries) != 0 || b.Me != nil || b.Competition.SplitVersion != "v2" {
		t.Errorf("the new split's board: %+v", b)
	}
	n, err := w.RescoreAll(ctx(t), admin, "toy")
	ok(t, err)
	if n != 1 {
		t.Errorf("%d queued", n)
	}
	watch.Until(t, "the new score on the board", func() bool {
		b, err = w.Leaderboard(ctx(t), a, "toy", 10, "")
		ok(t, err)
		return len(b.Entries) == 1
	})
	if b.Entries[0].Primary != 0.75 || b.Entries[0].SplitVersion != "v2" {
		t.Errorf("%+v", b.Entries[0])
	}
	all, err := w.db.Competitions().Scores(ctx(t), s.ID)
	ok(t, err)
	if len(all) != 3 || all[0].SplitVersion != "v1" || all[2].SplitVersion != "v2" {
		t.Errorf("scores %+v", all)
	}
}

func TestStrangersSeeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory(t))
	w.add(toy())
	a, b := w.user(), w.user()
	r, err := w.submit(a, "toy", labels(1, 2, 3, 4))
	ok(t, err)
	_, err = w.Submission(ctx(t), b, r.Submission.ID)
	wantFault(t, err, fault.NotFound, "competitions/submission-not-found")
	inside := admin
	inside.Via, inside.UserID = "session", b.UserID
	_, err = w.Submission(ctx(t), inside, r.Submission.ID)
	wantFault(t, err, fault.NotFound, "")
	rows, _, err := w.Mine(ctx(t), b, "toy", 10, "")
	ok(t, err)
	if len(rows) != 0 {
		t.Error("another's submissions are listed")
	}
	inside.UserID, inside.SessionID = a.UserID, "11111111-0000-4000-8000-000000000001"
	r, err = w.submit(inside, "toy", labels(1, 2, 3, 0))
	ok(t, err)
	if r.Submission.SessionID != inside.SessionID {
		t.Error("the session is not recorded")
	}
	var nobody = inside
	nobody.UserID = ""
	_, err = w.submit(nobody, "toy", labels(1, 2, 3, 4))
	wantFault(t, err, fault.Unauthenticated, "")
}
