package session_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/store/storetest"
)

// fullWorkspaces say how full they are as the test wants.
type fullWorkspaces struct {
	session.Workspaces
	mu   sync.Mutex
	used int64
	err  error
}

func (w *fullWorkspaces) set(used int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.used = used
}

func (w *fullWorkspaces) Usage(context.Context, session.Ref) (session.Usage, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return session.Usage{UsedBytes: w.used, QuotaBytes: 1000}, w.err
}

// marks are those that a session's events told, in order.
func (r *rig) marks(id string) (out []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Type == event.SessionSpace && e.SessionID == id && e.UserID == r.alice.UserID {
			out = append(out, e.Data["mark"].(int))
		}
	}
	return out
}

// A workspace that fills up is told once at 80 % and once at 95 %, and again
// when it was emptied in between; the owner sees it in what session show asks.
func TestSpaceIsToldAtItsMarks(t *testing.T) {
	t.Parallel()
	var full *fullWorkspaces
	r := newRig(t, storetest.SQLiteConfig(t), 1, func(o *session.Options) {
		full = &fullWorkspaces{Workspaces: o.Workspaces}
		o.Workspaces, o.WatchSpace = full, true
		o.PollInterval = 1 << 40 // only when the test asks
	})
	s := r.start(r.alice, session.StartRequest{})
	for _, step := range []struct {
		used int64
		told []int
	}{
		{799, nil}, {800, []int{80}}, {900, []int{80}}, {950, []int{80, 95}}, {1000, []int{80, 95}},
		{100, []int{80, 95}}, {960, []int{80, 95, 95}}, {850, []int{80, 95, 95}}, {1200, []int{80, 95, 95, 95}},
	} {
		full.set(step.used)
		for range 2 { // told once, however often it is looked at
			if _, err := r.Reconcile(t.Context(), daemonActor()); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.marks(s.ID); !slices.Equal(got, step.told) {
			t.Fatalf("with %d of 1000 used, told: %v, want %v", step.used, got, step.told)
		}
		if u, err := r.Usage(t.Context(), r.alice, s.Slug); err != nil || u.UsedBytes != step.used || u.QuotaBytes != 1000 {
			t.Errorf("usage: %+v, %v", u, err)
		}
	}
}

// A pool that does not answer for a moment is no reason to tell a mark twice.
func TestAMarkIsToldOnceOverAFailure(t *testing.T) {
	t.Parallel()
	var full *fullWorkspaces
	r := newRig(t, storetest.SQLiteConfig(t), 1, func(o *session.Options) {
		full = &fullWorkspaces{Workspaces: o.Workspaces, used: 850}
		o.Workspaces, o.WatchSpace = full, true
		o.PollInterval = 1 << 40 // only when the test asks
	})
	s := r.start(r.alice, session.StartRequest{})
	for _, err := range []error{nil, context.DeadlineExceeded, nil} {
		full.mu.Lock()
		full.err = err
		full.mu.Unlock()
		if _, err := r.Reconcile(t.Context(), daemonActor()); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.marks(s.ID); !slices.Equal(got, []int{80}) {
		t.Errorf("told: %v", got)
	}
}
