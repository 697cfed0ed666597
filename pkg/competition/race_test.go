package competition_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// TestAThousandSubmissions: 50 users send 20 files each at once, with a cap of
// 12: exactly 12 of each count, every one of them is scored, once, and the
// board has what is best.
func TestAThousandSubmissions(t *testing.T) {
	t.Parallel()
	const users, each, limit = 50, 20, 12
	both(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, func(o *competition.Options) { o.MaxUploads, o.Scorers = users*each, 4 })
		w.add(toy("daily_cap: 3", fmt.Sprint("daily_cap: ", limit), "attempts_per_day: 6", "attempts_per_day: 100"))
		w.run()
		var people []auth.Actor
		for range users {
			people = append(people, w.user())
		}
		var mu sync.Mutex
		taken := map[string][]string{} // user to submissions
		var wg sync.WaitGroup
		for _, p := range people {
			for i := range each {
				wg.Go(func() {
					r, err := w.submit(p, "toy", labels(1, 2, i%10, 0))
					if fault.CodeOf(err) == "competitions/submission-cap-reached" {
						return
					}
					if err != nil {
						t.Errorf("%v", err)
						return
					}
					mu.Lock()
					taken[p.UserID] = append(taken[p.UserID], r.Submission.ID)
					mu.Unlock()
				})
			}
		}
		wg.Wait()
		for _, p := range people {
			if n := len(taken[p.UserID]); n != limit {
				t.Errorf("%d submissions of a user were taken, not %d", n, limit)
			}
			for _, id := range taken[p.UserID] {
				if s := w.settled(p, id); s.Status != competition.Scored || s.Score.Number != 1 {
					t.Errorf("%+v", s)
				}
			}
			rows, _, err := w.Mine(ctx(t), p, "toy", 500, "")
			ok(t, err)
			if len(rows) != limit {
				t.Errorf("%d rows", len(rows))
			}
		}
		if n := stored(t, w); n != users*limit {
			t.Errorf("%d files", n)
		}
		if n := len(w.published(event.Submission)); n != users*limit {
			t.Errorf("%d events of submissions", n)
		}
		watch.Until(t, "all is scored", func() bool { return len(w.published(event.Scored)) >= users*limit })
		if n := len(w.published(event.Scored)); n != users*limit {
			t.Errorf("%d events of scores", n)
		}
		b, err := w.Leaderboard(ctx(t), people[0], "toy", 500, "")
		ok(t, err)
		if b.Size != users || len(b.Entries) != users || b.Me == nil {
			t.Errorf("%d on the board", b.Size)
		}
	})
}
