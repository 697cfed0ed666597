package session_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/store/storetest"
)

func daemonActor() auth.Actor { return auth.Daemon() }

// The clock is set back between a start and its stop, and again before the
// next start: sessions end, keep their snapshots and can be gone on with, and
// what a crash left is still found.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	storetest.Both(t, func(t *testing.T, cfg store.Config) {
		var back atomic.Int64 // what the clock is behind, in nanoseconds
		r := newRig(t, cfg, 2, func(o *session.Options) {
			o.Now = func() time.Time { return time.Now().Add(-time.Duration(back.Load())) }
		})
		first := r.start(r.alice, session.StartRequest{})
		r.write(first, "work.txt", "kept")
		back.Store(int64(2 * time.Hour))
		if _, err := r.Stop(t.Context(), r.alice, first.ID); err != nil {
			t.Fatal(err)
		}
		end := r.await(first.ID, session.Stopped)
		if !end.StoppedAt.Before(end.StartedAt) {
			t.Fatalf("the clock was not set back: %s to %s", end.StartedAt, end.StoppedAt)
		}
		back.Store(int64(4 * time.Hour))
		next := r.start(r.alice, session.StartRequest{From: first.Slug})
		if got := r.read(next, "work.txt"); got != "kept" {
			t.Errorf("the next workspace holds %q", got)
		}
		// Newest first by the clock; the current one is the one that runs.
		if cur, ok, err := r.Current(t.Context(), r.alice); err != nil || !ok || cur.ID != next.ID {
			t.Errorf("current: %s, %v, %v", cur.Slug, ok, err)
		}
		// A network of the session that, by this clock, stops in two hours.
		r.runtime.AddNetwork(first.Slug)
		report, err := r.Reconcile(t.Context(), daemonActor())
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(r.runtime.Leftovers(), func(left string) bool { return left == "network "+first.Slug }) {
			t.Errorf("left: %v, reported: %+v", r.runtime.Leftovers(), report.Orphans)
		}
		if _, err := r.Stop(t.Context(), r.alice, next.ID); err != nil {
			t.Fatal(err)
		}
		r.await(next.ID, session.Stopped)
		r.clean()
	})
}
