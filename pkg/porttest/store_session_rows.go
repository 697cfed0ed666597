package porttest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

func sessionGet(t *testing.T, s session.Store) {
	ctx := storeContext(t)
	row := val(s.Claim(ctx, claimOf(uuid.NewString(), 0, gpus(1))))(t)
	same(t, "by slug", val(s.Get(ctx, row.Slug))(t), row)
	for _, no := range []string{uuid.NewString(), "", "nosuch00", strings.ToUpper(row.Slug), row.Slug + " ", "é", "%", strings.Repeat("x", 5000)} {
		_, err := s.Get(ctx, no)
		wantFault(t, err, fault.NotFound, "")
	}
}

func applyRecords(t *testing.T, s session.Store) {
	ctx := storeContext(t)
	want := val(s.Claim(ctx, claimOf(uuid.NewString(), 0, gpus(1))))(t)
	step := func(c session.Change) {
		t.Helper()
		same(t, "the row after the change", val(s.Apply(ctx, want.ID, c))(t), want)
		same(t, "the row read again", val(s.Get(ctx, want.ID))(t), want)
	}
	at := epoch.Add(time.Minute)
	want.Status, want.StartedAt, want.ContainerID, want.Workspace = session.Running, at.UTC(), "mf-session-x", "tank/x"
	step(session.Change{From: []session.Status{session.Starting}, To: session.Running, At: at, ContainerID: "mf-session-x", Workspace: "tank/x"})

	// The same state again keeps what is there.
	step(session.Change{From: []session.Status{session.Running}, To: session.Running, At: at.Add(time.Hour)})

	want.Status, want.StopReason, want.SnapshotName = session.Stopping, session.ReasonRequested, "stop-1"
	step(session.Change{From: []session.Status{session.Starting, session.Running}, To: session.Stopping, At: at,
		Reason: session.ReasonRequested, SnapshotName: "stop-1"})
	if n := len(claimsOf(t, s, want.ID)); n != 3 {
		t.Fatalf("a stopping session holds %d claims, want 3", n)
	}

	want.Status, want.StopReason, want.StoppedAt = session.Error, session.ReasonSnapshotFailed, at.Add(time.Second).UTC()
	want.ErrorMessage = "no space: größer"
	step(session.Change{From: []session.Status{session.Stopping}, To: session.Error, At: at.Add(time.Second),
		Reason: session.ReasonSnapshotFailed, ErrorMessage: want.ErrorMessage, Release: true})
	if held := claimsOf(t, s, ""); len(held) != 0 {
		t.Fatalf("a terminal session holds %+v", held)
	}
}

func applyConflict(t *testing.T, s session.Store) {
	ctx := storeContext(t)
	row := val(s.Claim(ctx, claimOf(uuid.NewString(), 0, gpus(1))))(t)
	change := session.Change{From: []session.Status{session.Running}, To: session.Stopping, At: epoch, Release: true}
	got, err := s.Apply(ctx, row.ID, change)
	wantFault(t, err, fault.Conflict, "")
	same(t, "the row that comes with the conflict", got, row)
	if n := len(claimsOf(t, s, row.ID)); n != 3 {
		t.Fatalf("a change that did not happen left %d claims, want 3", n)
	}
	_, err = s.Apply(ctx, uuid.NewString(), change)
	wantFault(t, err, fault.NotFound, "")
}

func applyRace(t *testing.T, s session.Store) {
	ctx := storeContext(t)
	const callers = 20
	row := val(s.Claim(ctx, claimOf(uuid.NewString(), 0, gpus(1))))(t)
	errs := make([]error, callers)
	together(callers, func(i int) { _, errs[i] = s.Apply(ctx, row.ID, end(epoch)) })
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantFault(t, err, fault.Conflict, "")
	}
	if won != 1 {
		t.Fatalf("%d changes from the same state happened, want 1", won)
	}
}

func releaseClaims(t *testing.T, s session.Store) {
	ctx := storeContext(t)
	row := val(s.Claim(ctx, claimOf(uuid.NewString(), 0, gpus(2))))(t)
	other := val(s.Claim(ctx, claimOf(uuid.NewString(), 1, gpus(2))))(t)
	wantFault(t, s.ReleaseClaims(ctx, row.ID), fault.Conflict, "")
	stop := end(epoch)
	stop.Release = false
	val(s.Apply(ctx, row.ID, stop))(t)
	if n := len(claimsOf(t, s, row.ID)); n != 3 {
		t.Fatalf("%d claims, want 3: the change did not release", n)
	}
	for range 2 { // again is no error
		ok(t, s.ReleaseClaims(ctx, row.ID))
	}
	ok(t, s.ReleaseClaims(ctx, uuid.NewString()))
	if n := len(claimsOf(t, s, "")); n != 3 {
		t.Fatalf("%d claims, want the other session's 3", n)
	}
	same(t, "the other session", val(s.Get(ctx, other.ID))(t), other)
}

func sessionList(t *testing.T, s session.Store) {
	ctx := storeContext(t)
	alice, bob := uuid.NewString(), uuid.NewString()
	var all []session.Session
	for i := range 9 {
		user := alice
		if i%3 == 0 {
			user = bob
		}
		c := claimOf(user, i, gpus(1))
		c.Session.CreatedAt = epoch.Add(time.Duration(i/4) * time.Second) // several at one moment
		row := val(s.Claim(ctx, c))(t)
		if i < 8 {
			row = val(s.Apply(ctx, row.ID, end(epoch)))(t)
		}
		all = append(all, row)
	}
	slices.SortFunc(all, func(a, b session.Session) int {
		if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	pick := func(keep func(session.Session) bool) (out []session.Session) {
		for _, r := range all {
			if keep(r) {
				out = append(out, r)
			}
		}
		return out
	}
	list := func(f session.Filter) []session.Session { t.Helper(); return val(s.List(ctx, f))(t) }
	same(t, "all", list(session.Filter{}), all)
	same(t, "one user's", list(session.Filter{UserID: bob}), pick(func(r session.Session) bool { return r.UserID == bob }))
	same(t, "active ones", list(session.Filter{Statuses: []session.Status{session.Starting, session.Running}}),
		pick(func(r session.Session) bool { return r.Status.Active() }))
	if got := list(session.Filter{UserID: uuid.NewString()}); len(got) != 0 {
		t.Fatalf("nobody's sessions: %+v", got)
	}
	var paged []session.Session
	for after := ""; ; {
		page := list(session.Filter{Limit: 2, After: after})
		if len(page) == 0 {
			break
		}
		paged, after = append(paged, page...), page[len(page)-1].ID
	}
	same(t, "page by page", paged, all)
	_, err := s.List(ctx, session.Filter{After: uuid.NewString()})
	wantFault(t, err, fault.Invalid, "pagination/invalid-cursor")
}

func gpuStates(t *testing.T, s session.Store) {
	ctx := storeContext(t)
	if got := val(s.GPUStates(ctx))(t); len(got) != 0 {
		t.Fatalf("before any decision: %+v", got)
	}
	a := session.GPUState{UUID: "GPU-a", Disabled: true, At: epoch.UTC()}
	b := session.GPUState{UUID: "GPU-b", Reason: "its memory did not come back", At: epoch.UTC()}
	ok(t, s.SetGPUState(ctx, a))
	ok(t, s.SetGPUState(ctx, b))
	a.Disabled, a.At = false, epoch.Add(time.Second).UTC()
	for range 2 {
		ok(t, s.SetGPUState(ctx, a))
	}
	same(t, "states", val(s.GPUStates(ctx))(t), map[string]session.GPUState{"GPU-a": a, "GPU-b": b})
}

func settings(t *testing.T, s session.Store) {
	ctx := storeContext(t)
	same(t, "an unset one", val(s.Setting(ctx, "pack"))(t), "")
	for _, v := range []string{"sha256:1", "sha256:2", "sha256:2", ""} {
		ok(t, s.SetSetting(ctx, "pack", v))
		same(t, "the setting", val(s.Setting(ctx, "pack"))(t), v)
	}
	ok(t, s.SetSetting(ctx, "Pack", "another"))
	same(t, "names differ by case", val(s.Setting(ctx, "pack"))(t), "")
	ok(t, s.Ping(ctx))
}

// oddText: text comes back as it was given; what is too long is cut, and never
// fails the change of state that it belongs to.
func oddText(t *testing.T, s session.Store) {
	ctx := storeContext(t)
	row := val(s.Claim(ctx, claimOf(uuid.NewString(), 0, gpus(1))))(t)
	for _, text := range []string{"trailing  ", "quote ' \" \\ ; -- /*", "\u2603 \U0001F600 \u0000 end", "\n\t"} {
		got := val(s.Apply(ctx, row.ID, session.Change{From: []session.Status{session.Starting}, To: session.Starting, ErrorMessage: text}))(t)
		same(t, "the text", got.ErrorMessage, text)
	}
	for _, long := range []string{strings.Repeat("ab", 100_000), strings.Repeat("\U0001F600", 50_000), "cut \xff here"} {
		got := val(s.Apply(ctx, row.ID, session.Change{From: []session.Status{session.Starting}, To: session.Starting, ErrorMessage: long}))(t)
		if !strings.HasPrefix(got.ErrorMessage, long[:4]) {
			t.Fatalf("a text of %d bytes came back as %.20q", len(long), got.ErrorMessage)
		}
	}
}

func endedContext(t *testing.T, s session.Store) {
	ctx, cancel := context.WithCancel(storeContext(t))
	cancel()
	_, err := s.Claim(ctx, claimOf(uuid.NewString(), 0, gpus(1)))
	wantFault(t, err, fault.Unavailable, "")
	_, err = s.List(ctx, session.Filter{})
	wantFault(t, err, fault.Unavailable, "")
	if held := claimsOf(t, s, ""); len(held) != 0 {
		t.Fatalf("held: %+v", held)
	}
}
