package competition_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/store"
)

// TestTheBoardsOrder: who sent what, a second apart, and who stands where.
func TestTheBoardsOrder(t *testing.T) {
	t.Parallel()
	lower := []string{"metric: accuracy", "metric: mae", "direction: maximize", "direction: minimize"}
	both(t, func(t *testing.T, db *store.DB) {
		for name, c := range map[string]struct {
			change []string
			sent   [][2]int // user, and how many of four labels are right
			want   []int    // users from the first place on
		}{
			"best first":             {nil, [][2]int{{0, 1}, {1, 3}, {2, 2}}, []int{1, 2, 0}},
			"lower is better":        {lower, [][2]int{{0, 1}, {1, 3}, {2, 2}}, []int{1, 2, 0}},
			"a tie is the earlier's": {nil, [][2]int{{0, 1}, {1, 3}, {0, 3}, {2, 3}}, []int{1, 0, 2}},
			"worse changes nothing":  {nil, [][2]int{{0, 2}, {1, 3}, {1, 0}, {1, 1}}, []int{1, 0}},
			"sending it again":       {nil, [][2]int{{0, 2}, {1, 2}, {0, 2}}, []int{0, 1}},
		} {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, db)
				slug := "b" + uuid.NewString()[:8]
				w.add(toy(append(c.change, "slug: toy", "slug: "+slug)...))
				w.run()
				people := []auth.Actor{w.user(), w.user(), w.user()}
				for _, s := range c.sent {
					w.pass(time.Second)
					right := []int{1, 2, 3, 4}
					for i := s[1]; i < 4; i++ {
						right[i] = 9
					}
					w.scored(people[s[0]], slug, labels(right...))
				}
				b, err := w.Leaderboard(ctx(t), people[c.want[0]], slug, 10, "")
				ok(t, err)
				if len(b.Entries) != len(c.want) || b.Me.Rank != 1 {
					t.Fatalf("%+v", b)
				}
				for i, u := range c.want {
					if b.Entries[i].UserID != people[u].UserID || b.Entries[i].Rank != i+1 {
						t.Errorf("place %d: %+v, want user %d", i+1, b.Entries[i], u)
					}
				}
				first, err := w.Leaderboard(ctx(t), auth.Actor{}, slug, 1, "")
				ok(t, err)
				rest, err := w.Leaderboard(ctx(t), auth.Actor{}, slug, 10, first.Next)
				ok(t, err)
				if len(rest.Entries) != len(c.want)-1 || rest.Entries[0].Rank != 2 || rest.Next != "" || rest.Me != nil {
					t.Errorf("the second page: %+v", rest)
				}
			})
		}
	})
}

// TestWhatIsNoNumberIsRefused: a NaN or an infinity never reaches the queue.
func TestWhatIsNoNumberIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory(t))
	w.add(toy("metric: accuracy", "metric: rmse", "direction: maximize", "direction: minimize", "type: int\n    min: 0\n    max: 9", "type: float"))
	a := w.user()
	for _, v := range []string{"NaN", "nan", "inf", "-Infinity", "1e999", "", "0x1p3", "१"} {
		_, err := w.submit(a, "toy", "id,label\na,1\nb,2\nc,3\nd,"+v+"\n")
		if fault.CodeOf(err) != "competitions/submission-validation-failed" {
			t.Errorf("%q: %v", v, err)
		}
		a = w.user() // with tries of its own
	}
	// Finite predictions whose error is not: refused too, by the metric.
	_, err := w.submit(a, "toy", "id,label\na,1e308\nb,-1e308\nc,1e308\nd,0\n")
	if err != nil && fault.CodeOf(err) != "competitions/submission-validation-failed" {
		t.Errorf("%v", err)
	}
	if err == nil {
		w.run()
		rows, _, err := w.Mine(ctx(t), a, "toy", 1, "")
		ok(t, err)
		if s := w.settled(a, rows[0].ID); s.Status == competition.Scored && (math.IsInf(s.Score.Primary, 0) || math.IsNaN(s.Score.Primary)) {
			t.Errorf("%+v", s.Score)
		}
	}
}
