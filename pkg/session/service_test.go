package session_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/store/storetest"
)

func newUser(a auth.Actor) account.User {
	return account.User{ID: a.UserID, UnixName: a.Name + "-" + a.UserID[:8], Name: a.Name, Role: a.Role}
}

func TestStartAndStop(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 7, nil)
	s := r.start(r.alice, session.StartRequest{})
	if s.PackDigest != packDigest || s.GPUIndex != 0 || s.GPUUUID == "" || s.StartedAt.IsZero() || !session.ValidSlug(s.Slug) {
		t.Errorf("row = %+v", s)
	}
	if v, ok := r.BySlug(s.Slug); !ok || !v.Running || v.UserID != r.alice.UserID {
		t.Errorf("BySlug = %+v, %v", v, ok)
	}
	view, _ := r.BySlug(s.Slug)
	r.write(s, "notes.txt", "mine")
	got, err := r.Stop(t.Context(), r.alice, s.Slug)
	if err != nil || got != session.StopRequested {
		t.Fatalf("Stop = %v, %v", got, err)
	}
	<-view.Done // what is open ends with the request, not with the container
	end := r.await(s.ID, session.Stopped)
	if end.StopReason != session.ReasonRequested || end.ErrorMessage != "" || end.StoppedAt.IsZero() {
		t.Errorf("row = %+v", end)
	}
	snaps, err := r.Snapshots(t.Context(), r.alice, s.Slug)
	if err != nil || len(snaps) != 1 || snaps[0].Name != end.SnapshotName || !strings.HasPrefix(end.SnapshotName, "stop-") {
		t.Errorf("snapshots = %v, %v; the row says %s", snaps, err, end.SnapshotName)
	}
	if again, err := r.Stop(t.Context(), r.alice, s.Slug); err != nil || again != session.AlreadyTerminal {
		t.Errorf("stopped again: %v, %v", again, err)
	}
	r.eventually("the last event", r.has(event.SessionStop))
	want := []string{
		"session.start", "session.stage workspace", "session.stage sockets", "session.stage gpu",
		"session.stage container", "session.stage task", "session.stage ide", "session.running",
		"session.stopping", "session.snapshot", "session.stop",
	}
	if got := r.seen(s.ID); !slices.Equal(got, want) {
		t.Errorf("events\n got %v\nwant %v", got, want)
	}
	r.clean()
}

func TestFromSnapshot(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 2, nil)
	first := r.start(r.alice, session.StartRequest{})
	_, err := r.Start(t.Context(), r.alice, session.StartRequest{From: first.Slug})
	wantKind(t, err, fault.Conflict, "sessions/no-snapshot")
	r.write(first, "model.txt", "weights")
	end := func(s session.Session) {
		t.Helper()
		if _, err := r.Stop(t.Context(), r.alice, s.ID); err != nil {
			t.Fatal(err)
		}
		r.await(s.ID, session.Stopped)
	}
	end(first)
	second := r.start(r.alice, session.StartRequest{From: first.Slug})
	if got := r.read(second, "model.txt"); got != "weights" {
		t.Errorf("the clone holds %q", got)
	}
	// An older one by its name, as a restored backup can have it.
	r.write(first, "model.txt", "more weights")
	if _, err := r.workspaces.Snapshot(t.Context(), first.Ref(), "stop-9000000000000"); err != nil {
		t.Fatal(err)
	}
	snaps, err := r.Snapshots(t.Context(), r.alice, first.Slug)
	if err != nil || len(snaps) != 2 {
		t.Fatalf("snapshots: %v, %v", snaps, err)
	}
	end(second)
	for from, want := range map[string]string{
		first.Slug: "more weights", first.Slug + "@" + snaps[0].Name: "weights", first.ID + "@stop-9000000000000": "more weights",
	} {
		next := r.start(r.alice, session.StartRequest{From: from})
		if got := r.read(next, "model.txt"); got != want {
			t.Errorf("from %s the clone holds %q", from, got)
		}
		end(next)
	}
	_, err = r.Start(t.Context(), r.alice, session.StartRequest{From: first.Slug + "@stop-1"})
	wantKind(t, err, fault.NotFound, "sessions/snapshot-not-found")
	if text := err.Error(); !strings.Contains(text, "its newest is stop-9000000000000") || !strings.Contains(text, "medforge session snapshots "+first.Slug) {
		t.Errorf("it says %s", text)
	}
	for _, from := range []string{first.Slug, first.Slug + "@" + snaps[0].Name} {
		_, err = r.Start(t.Context(), r.bob, session.StartRequest{From: from})
		wantKind(t, err, fault.NotFound, "sessions/not-found") // somebody else's
	}
	for _, from := range []string{"@", "@stop-1", first.Slug + "@", first.Slug + "@monday", first.Slug + "@stop-1@stop-2", first.Slug + "@../stop-1"} {
		_, err = r.Start(t.Context(), r.alice, session.StartRequest{From: from})
		wantKind(t, err, fault.Invalid, "sessions/invalid-from")
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	inside := auth.Actor{UserID: r.alice.UserID, Role: auth.RoleUser, Via: auth.ViaSession, SessionID: uuid.NewString()}
	for name, c := range map[string]struct {
		actor auth.Actor
		req   session.StartRequest
		kind  fault.Kind
		code  string
	}{
		"private tier":   {r.alice, session.StartRequest{Tier: session.TierPrivate}, fault.NotImplemented, "sessions/private-tier-not-implemented"},
		"unknown tier":   {r.alice, session.StartRequest{Tier: "gold"}, fault.Invalid, "sessions/invalid-tier"},
		"unknown pack":   {r.alice, session.StartRequest{PackID: "other"}, fault.Invalid, "sessions/unknown-pack"},
		"unknown origin": {r.alice, session.StartRequest{From: "aaaaaaaa"}, fault.NotFound, "sessions/not-found"},
		"nobody":         {auth.Actor{}, session.StartRequest{}, fault.Unauthenticated, "auth/not-signed-in"},
		"from inside":    {inside, session.StartRequest{}, fault.Denied, "sessions/not-from-a-session"},
	} {
		_, err := r.Start(t.Context(), c.actor, c.req)
		if !fault.Is(err, c.kind) || fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v (%s)", name, err, fault.CodeOf(err))
		}
	}
	r.clean() // nothing that is refused takes anything
	mine := r.start(r.alice, session.StartRequest{})
	_, err := r.Start(t.Context(), r.alice, session.StartRequest{})
	wantKind(t, err, fault.LimitReached, "sessions/user-limit-reached")
	_, err = r.Start(t.Context(), r.bob, session.StartRequest{})
	wantKind(t, err, fault.LimitReached, "sessions/no-gpu-available")
	for name, call := range map[string]func() error{
		"get":       func() error { _, err := r.Get(t.Context(), r.bob, mine.Slug); return err },
		"stop":      func() error { _, err := r.Stop(t.Context(), r.bob, mine.ID); return err },
		"log":       func() error { _, err := r.Log(t.Context(), r.bob, mine.ID, 0, false); return err },
		"snapshots": func() error { _, err := r.Snapshots(t.Context(), r.bob, mine.ID); return err },
		"unknown":   func() error { _, err := r.Get(t.Context(), r.alice, "zzzzzzzz"); return err },
	} {
		if err := call(); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s of somebody else's: %v", name, err)
		}
	}
}

// Seven GPUs, eight users: the eighth is told so.
func TestEighthSession(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 7, nil)
	given := map[string]bool{}
	for range 7 {
		a := auth.Actor{UserID: uuid.NewString(), Name: "u", Role: auth.RoleUser, Via: auth.ViaSocket}
		addUser(t, r.store, a)
		given[r.start(a, session.StartRequest{}).GPUUUID] = true
	}
	if len(given) != 7 {
		t.Errorf("seven sessions hold %d GPUs", len(given))
	}
	_, err := r.Start(t.Context(), r.bob, session.StartRequest{})
	wantKind(t, err, fault.LimitReached, "sessions/no-gpu-available")
}

// Ten starts at once for one free GPU: exactly one wins, on both databases.
func TestTenStartsForOneGPU(t *testing.T) {
	t.Parallel()
	storetest.Both(t, func(t *testing.T, cfg store.Config) {
		r := newRig(t, cfg, 1, nil)
		var actors []auth.Actor
		for range 10 {
			a := auth.Actor{UserID: uuid.NewString(), Name: "u", Role: auth.RoleUser, Via: auth.ViaSocket}
			addUser(t, r.store, a)
			actors = append(actors, a)
		}
		var wg sync.WaitGroup
		errs := make([]error, len(actors))
		for i, a := range actors {
			wg.Go(func() { _, errs[i] = r.Start(t.Context(), a, session.StartRequest{}) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			wantKind(t, err, fault.LimitReached, "sessions/no-gpu-available")
		}
		if won != 1 {
			t.Errorf("%d won", won)
		}
	})
}

func TestNoPack(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	if err := r.store.Sessions().SetSetting(t.Context(), "pack.digest", "sha256:"+strings.Repeat("0", 64)); err != nil {
		t.Fatal(err)
	}
	_, err := r.Start(t.Context(), r.alice, session.StartRequest{})
	wantKind(t, err, fault.Unavailable, "sessions/pack-missing")
	if err := r.store.Sessions().SetSetting(t.Context(), "pack.digest", ""); err != nil {
		t.Fatal(err)
	}
	_, err = r.Start(t.Context(), r.alice, session.StartRequest{})
	wantKind(t, err, fault.Unavailable, "sessions/no-pack")
	r.clean()
}

// A client that goes away after the claim does not undo the start.
func TestClientGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := r.Start(ctx, r.alice, session.StartRequest{})
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	r.await(s.ID, session.Running)
}

func TestStopDuringStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	s := r.startSilent(r.alice)
	if _, err := r.Stop(t.Context(), r.alice, s.ID); err != nil {
		t.Fatal(err)
	}
	r.await(s.ID, session.Stopped)
	r.clean()
	refs, err := r.workspaces.List(t.Context())
	if err != nil || len(refs) > 0 {
		t.Errorf("an untouched workspace of a start that was cut off stays: %v, %v", refs, err)
	}
}

// An IDE that takes a connection and never answers, as that of a frozen
// container, does not keep the start from seeing that its process is gone.
func TestIDEIsMuteAndEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	r.sockets.mu.Lock()
	r.sockets.mute = true
	r.sockets.mu.Unlock()
	s := r.startSilent(r.alice)
	r.runtime.Exit(s.Slug, 137)
	if end := r.await(s.ID, session.Error); !strings.Contains(end.ErrorMessage, "ended by itself with exit code 137") {
		t.Errorf("%s: %q", end.StopReason, end.ErrorMessage)
	}
}

func TestReconcileIsForAdmins(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	_, err := r.Reconcile(t.Context(), r.alice)
	wantKind(t, err, fault.Denied, "auth/admins-only")
	wantKind(t, r.SetGPU(t.Context(), r.alice, "0", false), fault.Denied, "auth/admins-only")
	_, _, err = r.List(t.Context(), r.alice, session.ListQuery{All: true, Limit: 10})
	wantKind(t, err, fault.Denied, "auth/admins-only")
}

// Everything that a crash can leave is found; what holds files is reported
// only.
func TestOrphans(t *testing.T) {
	t.Parallel()
	r := newStillRig(t, storetest.SQLiteConfig(t), 2)
	stray := session.Ref{UserID: r.bob.UserID, SessionID: uuid.NewString()}
	if err := r.workspaces.Create(t.Context(), stray); err != nil {
		t.Fatal(err)
	}
	dead := session.Spec{SessionID: uuid.NewString(), UserID: r.bob.UserID, Slug: "deadbeef", PackDigest: packDigest}
	live := session.Spec{SessionID: uuid.NewString(), UserID: r.bob.UserID, Slug: "livelive", PackDigest: packDigest}
	for _, spec := range []session.Spec{dead, live} {
		if err := r.runtime.Create(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.runtime.Start(t.Context(), live.Slug); err != nil {
		t.Fatal(err)
	}
	r.runtime.AddNetwork("netnetne")
	if _, err := r.sockets.Create(t.Context(), "foldfold"); err != nil {
		t.Fatal(err)
	}
	report, err := r.Reconcile(t.Context(), auth.Daemon())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"container " + session.ContainerName(dead.Slug), "network netnetne", "sockets foldfold"} {
		if !slices.ContainsFunc(report.Orphans, func(o session.Orphan) bool { return o.Kind+" "+o.Name == want && o.Removed }) {
			t.Errorf("%s is not reported as removed: %+v", want, report.Orphans)
		}
	}
	for _, o := range report.Orphans {
		if o.Removed && (o.Kind == "workspace" || o.Name == session.ContainerName(live.Slug)) {
			t.Errorf("removed: %+v", o)
		}
	}
	for _, want := range []string{"container " + session.ContainerName(live.Slug), "workspace " + stray.UserID + "/" + stray.SessionID} {
		if !slices.ContainsFunc(report.Orphans, func(o session.Orphan) bool { return o.Kind+" "+o.Name == want && !o.Removed }) {
			t.Errorf("%s is not reported: %+v", want, report.Orphans)
		}
	}
	for _, left := range r.runtime.Leftovers() {
		if strings.Contains(left, dead.Slug) || strings.Contains(left, "netnetne") {
			t.Errorf("left: %s", left)
		}
	}
	if folders, err := r.sockets.List(t.Context()); err != nil || len(folders) > 0 {
		t.Errorf("socket folders left: %v, %v", folders, err)
	}
	if err := r.runtime.Stop(t.Context(), live.Slug, 0); err != nil {
		t.Fatal(err)
	}
	if err := r.runtime.Remove(t.Context(), live.Slug); err != nil {
		t.Fatal(err)
	}
}

// A GPU that a session leaves busy is given to nobody until an admin says so.
func TestHandBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	s := r.start(r.alice, session.StartRequest{})
	if err := r.gpus.Hold(s.GPUUUID, "process 4711 still holds 2 GiB"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Stop(t.Context(), r.alice, s.ID); err != nil {
		t.Fatal(err)
	}
	r.await(s.ID, session.Stopped)
	views, err := r.GPUs(t.Context(), r.alice)
	if err != nil || len(views) != 1 || !strings.Contains(views[0].State.Reason, "4711") {
		t.Errorf("GPUs = %+v, %v", views, err)
	}
	_, err = r.Start(t.Context(), r.alice, session.StartRequest{})
	wantKind(t, err, fault.LimitReached, "sessions/no-gpu-available")
	if err := r.gpus.Hold(s.GPUUUID, ""); err != nil {
		t.Fatal(err)
	}
	if err := r.SetGPU(t.Context(), auth.Daemon(), "0", true); err != nil {
		t.Fatal(err)
	}
	r.start(r.alice, session.StartRequest{})
}

// A disabled GPU finishes its session and takes no new one.
func TestDisabledGPU(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	s := r.start(r.alice, session.StartRequest{})
	if err := r.SetGPU(t.Context(), auth.Daemon(), s.GPUUUID, false); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Stop(t.Context(), r.alice, s.ID); err != nil {
		t.Fatal(err)
	}
	r.await(s.ID, session.Stopped)
	_, err := r.Start(t.Context(), r.alice, session.StartRequest{})
	wantKind(t, err, fault.LimitReached, "sessions/no-gpu-available")
}

// A daemon that starts knows the sessions that run before it looks after them: the
// proxy is asked at once.
func TestKnow(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	s := r.start(r.alice, session.StartRequest{})
	r.stop()
	next := session.NewService(r.options)
	if err := next.Know(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v, ok := next.BySlug(s.Slug); !ok || !v.Running || v.UserID != r.alice.UserID {
		t.Errorf("the proxy sees %+v, %v", v, ok)
	}
}
