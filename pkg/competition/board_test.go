package competition_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

func TestEventsOfABoard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory(t))
	w.add(toy("leaderboard: {}", "leaderboard: {decimals: 1}"))
	stop := w.run()
	a := w.user()
	w.scored(a, "toy", labels(1, 2, 3, 0))
	w.scored(a, "toy", labels(1, 2, 0, 0)) // no better: the board stays
	// It is told after it is kept, and the board after the score.
	watch.Until(t, "all is told", func() bool { return len(w.published(event.Scored)) == 2 && len(w.published(event.Leaderboard)) > 0 })
	stop()
	e := w.published(event.Leaderboard)
	if len(e) != 1 || !e[0].Public || e[0].Data["rank"] != 1 || e[0].Data["primary_score"] != 0.8 || e[0].Data["name"] != a.Name {
		t.Errorf("%+v", e)
	}
}

func TestTheLadderShowsTheBoardOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory(t))
	w.add(toy("leaderboard: {}", "leaderboard: {ladder_step: 0.5}"))
	w.run()
	a, boss := w.user(), w.user()
	boss.Role = auth.RoleAdmin // who takes part, sees what others see
	for _, c := range []struct {
		file string
		as   auth.Actor
		want float64
	}{{labels(1, 2, 0, 0), a, 0.5}, {labels(1, 2, 3, 0), a, 0.5}, {labels(0, 0, 0, 0), a, 0.5}, {labels(1, 2, 3, 0), boss, 1}} {
		w.pass(time.Second)
		s := w.scored(c.as, "toy", c.file)
		if s.Score == nil || s.Score.Primary != c.want || len(s.Score.Components) != 0 {
			t.Errorf("%q shows %+v, want %v", c.file, s.Score, c.want)
		}
	}
	for _, e := range w.published(event.Scored) {
		if e.UserID == a.UserID && e.Data["primary_score"] != 0.5 {
			t.Errorf("an event shows %v", e.Data)
		}
	}
}

func TestClosedAndEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory(t))
	w.add(toy("title: Toy", "title: Toy\nstatus: closed"))
	_, err := w.submit(w.user(), "toy", labels(1, 2, 3, 4))
	wantFault(t, err, fault.Conflict, "competitions/closed")
	c, cancel := context.WithCancel(ctx(t))
	cancel()
	w.add(toy("title: Toy", "title: Open Toy"))
	_, err = w.Submit(c, w.user(), "toy", competition.Upload{File: strings.NewReader(labels(1, 2, 3, 4)), Size: -1})
	if err == nil {
		t.Error("a request that went away was taken")
	}
	if n := stored(t, w); n != 0 {
		t.Errorf("%d files", n)
	}
}
