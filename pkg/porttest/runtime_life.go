package porttest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

func testPing(t *testing.T, k RuntimeKit) {
	version, err := k.Runtime.Ping(deadline(t))
	must(t, err, "Ping")
	if version == "" {
		t.Error("Ping told no version")
	}
}

func testCreate(t *testing.T, k RuntimeKit) {
	missing := k.Spec(t, "sha256:1111111111111111111111111111111111111111111111111111111111111111")
	wantKind(t, k.Runtime.Create(deadline(t), missing), fault.NotFound, "Create from a pack that is not there")
	if hasNetwork(t, k, missing.Slug) {
		t.Error("a refused Create left a network")
	}

	spec := created(t, k)
	want := session.Container{Slug: spec.Slug, SessionID: spec.SessionID, UserID: spec.UserID, PackDigest: spec.PackDigest, GPUUUID: spec.GPUUUID}
	if got := inspect(t, k, spec.Slug); got != want {
		t.Errorf("Inspect = %+v, want %+v", got, want)
	}
	must(t, k.Runtime.Create(deadline(t), spec), "Create again")

	other := spec
	other.SessionID = uuid.NewString()
	wantKind(t, k.Runtime.Create(deadline(t), other), fault.Conflict, "Create for another session with the same slug")
	if got := inspect(t, k, spec.Slug); got != want {
		t.Errorf("after a refused Create Inspect = %+v, want %+v", got, want)
	}

	second := k.Spec(t, spec.PackDigest)
	must(t, k.Runtime.Create(deadline(t), second), "Create of a second session")
	list, err := k.Runtime.List(deadline(t))
	must(t, err, "List")
	var slugs []string
	for _, c := range list {
		slugs = append(slugs, c.Slug)
		if c.Slug == spec.Slug && c != want {
			t.Errorf("List has %+v, want %+v", c, want)
		}
	}
	slices.Sort(slugs)
	wantSlugs := []string{spec.Slug, second.Slug}
	slices.Sort(wantSlugs)
	if !slices.Equal(slugs, wantSlugs) {
		t.Errorf("List = %v, want %v", slugs, wantSlugs)
	}
	nets := networks(t, k)
	slices.Sort(nets)
	if !slices.Equal(nets, wantSlugs) {
		t.Errorf("Networks = %v, want %v", nets, wantSlugs)
	}
	for _, slug := range wantSlugs {
		must(t, k.Runtime.Remove(deadline(t), slug), "Remove of a container that never started")
	}
	if nets := networks(t, k); len(nets) != 0 {
		t.Errorf("Networks after Remove = %v, want none", nets)
	}
}

func testCreateAtOnce(t *testing.T, k RuntimeKit) {
	spec := k.Spec(t, imported(t, k).Digest)
	ctx := deadline(t)
	errs := make([]error, 6)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if errs[i] = k.Runtime.Create(ctx, spec); errs[i] == nil {
				errs[i] = k.Runtime.Start(ctx, spec.Slug)
			}
		}()
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("call %d of several at once: %v", i, err)
		}
	}
	list, err := k.Runtime.List(ctx)
	must(t, err, "List")
	if len(list) != 1 || !list[0].Running {
		t.Errorf("List = %+v, want the one that runs", list)
	}
}

func testStartStopRemove(t *testing.T, k RuntimeKit) {
	ghost := NewSlug()
	wantKind(t, k.Runtime.Start(deadline(t), ghost), fault.NotFound, "Start of nothing")
	must(t, k.Runtime.Stop(deadline(t), ghost, time.Second), "Stop of nothing")
	must(t, k.Runtime.Remove(deadline(t), ghost), "Remove of nothing")
	_, err := k.Runtime.Inspect(deadline(t), ghost)
	wantKind(t, err, fault.NotFound, "Inspect of nothing")

	spec := created(t, k)
	must(t, k.Runtime.Stop(deadline(t), spec.Slug, time.Second), "Stop before Start")
	for range 2 { // a session can be started again after a stop
		must(t, k.Runtime.Start(deadline(t), spec.Slug), "Start")
		must(t, k.Runtime.Start(deadline(t), spec.Slug), "Start of one that runs")
		if !inspect(t, k, spec.Slug).Running {
			t.Fatal("not running after Start")
		}
		wantKind(t, k.Runtime.Remove(deadline(t), spec.Slug), fault.Busy, "Remove of one that runs")
		if !inspect(t, k, spec.Slug).Running {
			t.Fatal("a refused Remove ended the session")
		}
		must(t, k.Runtime.Stop(deadline(t), spec.Slug, 20*time.Second), "Stop")
		if inspect(t, k, spec.Slug).Running {
			t.Fatal("still running after Stop")
		}
		must(t, k.Runtime.Stop(deadline(t), spec.Slug, time.Second), "Stop again")
	}
	for range 2 {
		must(t, k.Runtime.Remove(deadline(t), spec.Slug), "Remove")
	}
	_, err = k.Runtime.Inspect(deadline(t), spec.Slug)
	wantKind(t, err, fault.NotFound, "Inspect after Remove")
	if hasNetwork(t, k, spec.Slug) {
		t.Error("Remove left a network")
	}
	if readLog(t, k, spec.Slug, 0) == "" {
		t.Error("the log did not stay after Remove")
	}
}

func testStopStubborn(t *testing.T, k RuntimeKit) {
	spec := running(t, k)
	k.IgnoreTerm(t, spec.Slug)
	exits, err := k.Runtime.Exits(deadline(t))
	must(t, err, "Exits")

	// A stop that is interrupted while it waits is repeated.
	short, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	err = k.Runtime.Stop(short, spec.Slug, time.Hour)
	wantKind(t, err, fault.Unavailable, "Stop whose time is over")
	if !inspect(t, k, spec.Slug).Running {
		t.Fatal("the stubborn process ended before its grace was over")
	}
	must(t, k.Runtime.Stop(deadline(t), spec.Slug, 100*time.Millisecond), "Stop")
	if inspect(t, k, spec.Slug).Running {
		t.Error("still running after its grace was over")
	}
	if e := waitExit(t, exits, spec.Slug); e.ExitCode != 137 {
		t.Errorf("exit code %d, want 137 (SIGKILL)", e.ExitCode)
	}
}

func testExits(t *testing.T, k RuntimeKit) {
	spec := running(t, k)
	ctx, cancel := context.WithCancel(deadline(t))
	defer cancel()
	exits, err := k.Runtime.Exits(ctx)
	must(t, err, "Exits")
	k.Exit(t, spec.Slug, 7)
	e := waitExit(t, exits, spec.Slug)
	if e.ExitCode != 7 || e.At.IsZero() {
		t.Errorf("exit = %+v, want code 7 and a time", e)
	}
	eventually(t, "Inspect tells the end", func() bool { return !inspect(t, k, spec.Slug).Running })
	if c := inspect(t, k, spec.Slug); c.ExitCode != 7 || c.ExitedAt.IsZero() {
		t.Errorf("Inspect = %+v, want code 7 and a time", c)
	}
	must(t, k.Runtime.Start(deadline(t), spec.Slug), "Start after an end")
	if c := inspect(t, k, spec.Slug); !c.Running || c.ExitCode != 0 || !c.ExitedAt.IsZero() {
		t.Errorf("Inspect = %+v, want running and no end", c)
	}
	k.Exit(t, spec.Slug, 3)
	if e := waitExit(t, exits, spec.Slug); e.ExitCode != 3 {
		t.Errorf("second exit = %+v, want code 3", e)
	}
	must(t, k.Runtime.Remove(deadline(t), spec.Slug), "Remove of one that ended by itself")

	cancel()
	eventually(t, "the channel of exits is closed", func() bool {
		select {
		case _, ok := <-exits:
			return !ok
		default:
			return false
		}
	})
}

func testLost(t *testing.T, k RuntimeKit) {
	spec := running(t, k)
	exits, err := k.Runtime.Exits(deadline(t))
	must(t, err, "Exits")
	restore := k.Lose(t)
	eventually(t, "the channel of exits is closed", func() bool {
		select {
		case _, ok := <-exits:
			return !ok
		default:
			return false
		}
	})
	ctx := deadline(t)
	_, err = k.Runtime.Ping(ctx)
	wantKind(t, err, fault.Unavailable, "Ping")
	_, err = k.Runtime.Inspect(ctx, spec.Slug)
	wantKind(t, err, fault.Unavailable, "Inspect")
	_, err = k.Runtime.List(ctx)
	wantKind(t, err, fault.Unavailable, "List")
	_, err = k.Runtime.Exits(ctx)
	wantKind(t, err, fault.Unavailable, "Exits")
	_, err = k.Packs.ListPacks(ctx)
	wantKind(t, err, fault.Unavailable, "ListPacks")
	wantKind(t, k.Runtime.Create(ctx, k.Spec(t, spec.PackDigest)), fault.Unavailable, "Create")
	wantKind(t, k.Runtime.Start(ctx, spec.Slug), fault.Unavailable, "Start")
	wantKind(t, k.Runtime.Stop(ctx, spec.Slug, time.Second), fault.Unavailable, "Stop")
	wantKind(t, k.Runtime.Remove(ctx, spec.Slug), fault.Unavailable, "Remove")

	restore()
	eventually(t, "the runtime answers again", func() bool {
		_, err := k.Runtime.Ping(deadline(t))
		return err == nil
	})
	if !inspect(t, k, spec.Slug).Running {
		t.Fatal("the session did not live on while the runtime was lost")
	}
	exits, err = k.Runtime.Exits(deadline(t))
	must(t, err, "Exits after the runtime came back")
	k.Exit(t, spec.Slug, 5)
	if e := waitExit(t, exits, spec.Slug); e.ExitCode != 5 {
		t.Errorf("exit after the runtime came back = %+v, want code 5", e)
	}
}

func testBadSlugs(t *testing.T, k RuntimeKit) {
	digest := imported(t, k).Digest
	for _, slug := range []string{"", "..", "../../aa", "UPPERCAS", "abcdefg", "abcdefghi", "abc/efgh", "abcdefg1", "abcd\x00fgh"} {
		spec := k.Spec(t, digest)
		spec.Slug = slug
		wantKind(t, k.Runtime.Create(deadline(t), spec), fault.Invalid, "Create with slug "+slug)
	}
	if nets := networks(t, k); len(nets) != 0 {
		t.Errorf("refused slugs left the networks %v", nets)
	}
}

func testInterrupted(t *testing.T, k RuntimeKit) {
	spec := created(t, k)
	over, cancel := context.WithCancel(context.Background())
	cancel()
	wantKind(t, k.Runtime.Start(over, spec.Slug), fault.Unavailable, "Start with a context that is over")
	wantKind(t, k.Runtime.Create(over, spec), fault.Unavailable, "Create with a context that is over")
	_, err := k.Runtime.Inspect(over, spec.Slug)
	wantKind(t, err, fault.Unavailable, "Inspect with a context that is over")
	must(t, k.Runtime.Start(deadline(t), spec.Slug), "Start after an interrupted one")
}
