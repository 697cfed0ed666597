package httpapitest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/driver/dir"
	"github.com/medforge/medforge/pkg/driver/simgpu"
	"github.com/medforge/medforge/pkg/driver/sockdir"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/httpapi"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
	"github.com/medforge/medforge/pkg/porttest/fakeruntime"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/store/storetest"
	"github.com/medforge/medforge/pkg/testkit/promised"
)

var (
	admin = auth.Actor{UserID: httpapitest.Admin.ID, Name: "root", Role: auth.RoleAdmin, Via: auth.ViaSocket}
	alice = auth.Actor{UserID: httpapitest.Alice.ID, Name: "alice", Role: auth.RoleUser, Via: auth.ViaSocket}
)

// TestTheStandInBehavesAsTheRealService runs the same calls on both, with one
// GPU, and wants the same outcomes, kinds, codes and events.
func TestTheStandInBehavesAsTheRealService(t *testing.T) {
	t.Parallel()
	t.Run("stand-in", func(t *testing.T) {
		t.Parallel()
		bus := event.NewBus(event.Options{})
		s := httpapitest.New(bus, 1)
		conform(t, s, bus)
		s.Wait()
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		promised.Root(t, "workspaces belong to 1000, and socket folders are mounted")
		bus := event.NewBus(event.Options{})
		conform(t, realService(t, bus), bus)
	})
}

func conform(t *testing.T, s httpapi.Sessions, bus *event.Bus) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	sub := bus.Subscribe(ctx, 0, nil)
	until := func(id string, last event.Type) (seen []string) {
		t.Helper()
		for e := range sub.C {
			if e.SessionID == id {
				seen = append(seen, fmt.Sprint(e.Type, e.Data["stage"]))
			}
			if e.SessionID == id && e.Type == last {
				return seen
			}
		}
		t.Fatalf("%s never came: %v", last, sub.Err())
		return nil
	}
	want := func(what string, err error, kind fault.Kind, code string) {
		t.Helper()
		if fault.KindOf(err) != kind || fault.CodeOf(err) != code {
			t.Errorf("%s: %v (%s %s), want %s %s", what, err, fault.KindOf(err), fault.CodeOf(err), kind, code)
		}
	}

	row, err := s.Start(ctx, alice, session.StartRequest{})
	if err != nil || row.Status != session.Starting || row.UserID != alice.UserID || !session.ValidSlug(row.Slug) || row.Tier != session.TierPublic {
		t.Fatalf("start: %+v, %v", row, err)
	}
	started := []string{"session.start<nil>"}
	for _, stage := range httpapitest.Stages {
		started = append(started, "session.stage"+stage)
	}
	if seen := until(row.ID, event.SessionRunning); !slices.Equal(seen, append(started, "session.running<nil>")) {
		t.Errorf("events of a start: %v", seen)
	}
	if got, err := s.Get(ctx, alice, row.Slug); err != nil || got.Status != session.Running || got.StartedAt.IsZero() {
		t.Errorf("running: %+v, %v", got, err)
	}
	if got, ok, err := s.Current(ctx, alice); err != nil || !ok || got.ID != row.ID {
		t.Errorf("current: %+v, %v, %v", got, ok, err)
	}
	_, ok, err := s.Current(ctx, admin)
	if err != nil || ok {
		t.Errorf("an admin's current: %v, %v", ok, err)
	}

	_, err = s.Start(ctx, alice, session.StartRequest{})
	want("no GPU", err, fault.LimitReached, "sessions/no-gpu-available")
	_, err = s.Start(ctx, alice, session.StartRequest{Tier: session.TierPrivate})
	want("private", err, fault.NotImplemented, "sessions/private-tier-not-implemented")
	_, err = s.Start(ctx, alice, session.StartRequest{From: "zzzzzzzz"})
	want("from nowhere", err, fault.NotFound, "sessions/not-found")
	_, err = s.Start(ctx, alice, session.StartRequest{From: row.Slug})
	want("from no snapshot", err, fault.Conflict, "sessions/no-snapshot")
	_, err = s.Start(ctx, alice, session.StartRequest{From: row.Slug + "@monday"})
	want("from no name", err, fault.Invalid, "sessions/invalid-from")
	for _, call := range []func(ref string, a auth.Actor) error{
		func(ref string, a auth.Actor) error { _, err := s.Get(ctx, a, ref); return err },
		func(ref string, a auth.Actor) error { _, err := s.Stop(ctx, a, ref); return err },
		func(ref string, a auth.Actor) error { _, err := s.Log(ctx, a, ref, 0, false); return err },
		func(ref string, a auth.Actor) error { _, err := s.Snapshots(ctx, a, ref); return err },
		func(ref string, a auth.Actor) error { _, err := s.Usage(ctx, a, ref); return err },
	} {
		want("unknown", call("zzzzzzzz", alice), fault.NotFound, "sessions/not-found")
		bob := alice
		bob.UserID = "00000000-0000-4000-8000-000000000009"
		want("another's", call(row.Slug, bob), fault.NotFound, "sessions/not-found")
	}

	_, _, err = s.List(ctx, alice, session.ListQuery{All: true, Limit: 10})
	want("everybody's", err, fault.Denied, "auth/admins-only")
	if rows, more, err := s.List(ctx, admin, session.ListQuery{All: true, Limit: 10}); err != nil || more || len(rows) != 1 {
		t.Errorf("everybody's for an admin: %v, %v, %v", rows, more, err)
	}
	if gpus, err := s.GPUs(ctx, alice); err != nil || len(gpus) != 1 || gpus[0].SessionSlug != row.Slug {
		t.Errorf("GPUs: %+v, %v", gpus, err)
	}
	want("GPU by a user", s.SetGPU(ctx, alice, "0", false), fault.Denied, "auth/admins-only")
	want("unknown GPU", s.SetGPU(ctx, admin, "9", false), fault.NotFound, "gpus/not-found")
	want("Pack by a user", s.UsePack(ctx, alice, "sha256:1"), fault.Denied, "auth/admins-only")
	if err := s.UsePack(ctx, admin, "sha256:1"); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown Pack: %v", err)
	}
	if r, err := s.Reconcile(ctx, admin); err != nil || r.Active != 1 || len(r.Orphans) != 0 {
		t.Errorf("reconcile: %+v, %v", r, err)
	}

	if outcome, err := s.Stop(ctx, alice, row.Slug); err != nil || outcome != session.StopRequested {
		t.Errorf("stop: %v, %v", outcome, err)
	}
	if seen := until(row.ID, event.SessionStop); !slices.Equal(seen, []string{"session.stopping<nil>", "session.snapshot<nil>", "session.stop<nil>"}) {
		t.Errorf("events of a stop: %v", seen)
	}
	if outcome, err := s.Stop(ctx, alice, row.ID); err != nil || outcome != session.AlreadyTerminal {
		t.Errorf("stop again: %v, %v", outcome, err)
	}
	if got, err := s.Get(ctx, alice, row.ID); err != nil || got.Status != session.Stopped || got.StoppedAt.IsZero() || got.ErrorMessage != "" {
		t.Errorf("stopped: %+v, %v", got, err)
	}
	snaps, err := s.Snapshots(ctx, alice, row.Slug)
	if err != nil || len(snaps) != 1 || snaps[0].Ref.SessionID != row.ID {
		t.Fatalf("snapshots: %+v, %v", snaps, err)
	}
	_, err = s.Start(ctx, alice, session.StartRequest{From: row.Slug + "@stop-1"})
	want("from another's name", err, fault.NotFound, "sessions/snapshot-not-found")

	if err := s.SetGPU(ctx, admin, "0", false); err != nil {
		t.Error(err)
	}
	_, err = s.Start(ctx, alice, session.StartRequest{})
	want("the GPU is disabled", err, fault.LimitReached, "sessions/no-gpu-available")
	if err := s.SetGPU(ctx, admin, "0", true); err != nil {
		t.Error(err)
	}
	again, err := s.Start(ctx, alice, session.StartRequest{From: row.Slug + "@" + snaps[0].Name})
	if err != nil {
		t.Fatal(err)
	}
	until(again.ID, event.SessionRunning)
	page, more, err := s.List(ctx, alice, session.ListQuery{Limit: 1})
	if err != nil || !more || len(page) != 1 || page[0].ID != again.ID {
		t.Errorf("first page: %+v, %v, %v", page, more, err)
	}
	page, more, err = s.List(ctx, alice, session.ListQuery{Limit: 1, After: again.ID})
	if err != nil || more || len(page) != 1 || page[0].ID != row.ID {
		t.Errorf("second page: %+v, %v, %v", page, more, err)
	}
	if _, err := s.Stop(ctx, admin, again.ID); err != nil {
		t.Error(err)
	}
	until(again.ID, event.SessionStop)
}

// realService is session.Service on a real database, real folders and real
// sockets, over the runtime that passes containerd's conformance suite.
func realService(t *testing.T, bus *event.Bus) *session.Service {
	sockets, err := sockdir.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	workspaces, err := dir.New(dir.Config{Root: t.TempDir() + "/workspaces"})
	if err != nil {
		t.Fatal(err)
	}
	db := storetest.Open(t, storetest.SQLiteConfig(t))
	for _, u := range []account.User{httpapitest.Admin, httpapitest.Alice} {
		if err := db.Accounts().CreateUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	runtime := fakeruntime.New()
	pack := session.Pack{ID: "default", Digest: "sha256:7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730", SizeBytes: 1}
	runtime.AddPack(pack)
	if err := db.Sessions().SetSetting(t.Context(), "pack.digest", pack.Digest); err != nil {
		t.Fatal(err)
	}
	s := session.NewService(session.Options{
		Runtime: runtime, Packs: runtime, Workspaces: workspaces, GPUs: simgpu.New(t.Name(), 1), Sockets: answering{sockets},
		Store: db.Sessions(), Publish: func(e event.Event) { bus.Publish(e) },
		UserLimit: func(context.Context, string) (int, error) { return 7, nil },
		StopGrace: time.Second, PollInterval: 200 * time.Millisecond, RetryFirst: time.Millisecond, GPUIdleTimeout: 50 * time.Millisecond,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }() // its error is ctx's end
	t.Cleanup(func() { cancel(); <-done })
	return s
}

// answering are sockets behind which an IDE is always well.
type answering struct{ session.Sockets }

func (answering) DialIDE(context.Context, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() {
		_ = http.Serve(&one{conn: theirs}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			_ = json.NewEncoder(w).Encode(map[string]any{"status": "alive", "lastHeartbeat": 1})
		}))
	}()
	return ours, nil
}

// one is a listener that hands out one connection.
type one struct{ conn net.Conn }

func (l *one) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l *one) Close() error   { return nil }
func (l *one) Addr() net.Addr { return &net.UnixAddr{} }
