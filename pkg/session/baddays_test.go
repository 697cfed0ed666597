package session_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/driver/dir"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/porttest/fakeruntime"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/store/storetest"
)

func TestIDENeverAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, func(o *session.Options) { o.StartTimeout = 50 * time.Millisecond })
	r.sockets.set(false, nil)
	r.runtime.Started = func(s session.Spec) { r.runtime.Say(s.Slug, "cannot open \x1b[31mdisplay") }
	s, err := r.Start(t.Context(), r.alice, session.StartRequest{})
	if err != nil {
		t.Fatal(err)
	}
	end := r.await(s.ID, session.Error)
	if end.StopReason != session.ReasonStartFailed || !strings.Contains(end.ErrorMessage, "did not answer within 50ms") ||
		!strings.Contains(end.ErrorMessage, "cannot open [31mdisplay") {
		t.Errorf("%s: %q", end.StopReason, end.ErrorMessage)
	}
	r.clean()
	if refs, err := r.workspaces.List(t.Context()); err != nil || len(refs) > 0 {
		t.Errorf("workspace left: %v, %v", refs, err)
	}
}

// What stands at the IDE's socket is not what it must be: no retry helps.
func TestIDESocketReplaced(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	r.sockets.set(true, fault.New(fault.Denied, "sockets/not-the-ide", "ide.sock is a link."))
	s, err := r.Start(t.Context(), r.alice, session.StartRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if end := r.await(s.ID, session.Error); !strings.Contains(end.ErrorMessage, "ide.sock is a link") {
		t.Errorf("%q", end.ErrorMessage)
	}
	r.clean()
}

func TestProcessDies(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	s := r.start(r.alice, session.StartRequest{})
	r.write(s, "work.txt", "saved")
	if !r.runtime.Exit(s.Slug, 137) {
		t.Fatal("nothing ran")
	}
	end := r.await(s.ID, session.Error)
	if end.StopReason != session.ReasonContainerDeath || !strings.Contains(end.ErrorMessage, "exit code 137") {
		t.Errorf("%s: %q", end.StopReason, end.ErrorMessage)
	}
	snaps, err := r.Snapshots(t.Context(), r.alice, s.ID)
	if err != nil || len(snaps) != 1 {
		t.Errorf("snapshots = %v, %v", snaps, err)
	}
	r.clean()
}

// A host that rebooted tells nobody: the start of the daemon finds out.
func TestReboot(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	s := r.start(r.alice, session.StartRequest{})
	r.stop()
	r.runtime.Reboot()
	r.run()
	if end := r.await(s.ID, session.Error); end.StopReason != session.ReasonContainerDeath {
		t.Errorf("reason = %s", end.StopReason)
	}
	r.clean()
}

func TestDiskFullAtTheSnapshot(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	s := r.start(r.alice, session.StartRequest{})
	r.write(s, "work.txt", "still here")
	r.workspaces.failSnapshots(true, fault.New(fault.OutOfSpace, "workspaces/full", "The file system is full."))
	if _, err := r.Stop(t.Context(), r.alice, s.ID); err != nil {
		t.Fatal(err)
	}
	end := r.await(s.ID, session.Error)
	if end.StopReason != session.ReasonSnapshotFailed || !strings.Contains(end.ErrorMessage, "The file system is full.") {
		t.Errorf("%s: %q", end.StopReason, end.ErrorMessage)
	}
	if got := r.read(s, "work.txt"); got != "still here" {
		t.Errorf("workspace holds %q", got)
	}
	r.clean()
}

func TestSnapshotFailsOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	s := r.start(r.alice, session.StartRequest{})
	r.workspaces.failSnapshots(false, fault.New(fault.Busy, "workspaces/busy", "Busy."), errors.New("odd"))
	if _, err := r.Stop(t.Context(), r.alice, s.ID); err != nil {
		t.Fatal(err)
	}
	r.await(s.ID, session.Stopped)
	if snaps, err := r.Snapshots(t.Context(), r.alice, s.ID); err != nil || len(snaps) != 1 {
		t.Errorf("snapshots = %v, %v", snaps, err)
	}
}

// A pool that is not there yet is waited for, however long: the snapshot is
// taken when it is back.
func TestWorkspacesAwayAtTheSnapshot(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	s := r.start(r.alice, session.StartRequest{})
	r.workspaces.failSnapshots(true, fault.New(fault.Unavailable, "workspaces/pool-missing", "The pool is not there."))
	if _, err := r.Stop(t.Context(), r.alice, s.ID); err != nil {
		t.Fatal(err)
	}
	r.eventually("a second round of tries", func() bool { return strings.Count(strings.Join(r.seen(s.ID), " "), "session.snapshot") > 1 })
	r.await(s.ID, session.Stopping)
	r.workspaces.failSnapshots(false)
	r.await(s.ID, session.Stopped)
	if snaps, err := r.Snapshots(t.Context(), r.alice, s.ID); err != nil || len(snaps) != 1 {
		t.Errorf("snapshots = %v, %v", snaps, err)
	}
}

// containerd goes away while a session runs: it lives on, the health says so,
// and all is well again by itself.
func TestContainerdAway(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 2, nil)
	s := r.start(r.alice, session.StartRequest{})
	r.runtime.Lose()
	degraded := func() bool {
		for _, d := range r.Health() {
			if d.Part == "containerd" {
				return true
			}
		}
		return false
	}
	r.eventually("degraded", degraded)
	_, err := r.Start(t.Context(), r.bob, session.StartRequest{})
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("a start without containerd: %v", err)
	}
	if row := r.await(s.ID, session.Running); row.Status != session.Running {
		t.Errorf("status = %s", row.Status)
	}
	if v, ok := r.BySlug(s.Slug); !ok || !v.Running {
		t.Errorf("the proxy sees %+v, %v", v, ok)
	}
	r.runtime.Restore()
	r.eventually("well again", func() bool { return !degraded() })
	r.start(r.bob, session.StartRequest{})
	// An exit is noticed on the new connection too.
	r.runtime.Exit(s.Slug, 1)
	r.await(s.ID, session.Error)
}

// A stop that fails stays a stop and is tried again.
func TestStopIsTriedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	s := r.start(r.alice, session.StartRequest{})
	var left atomic.Int32
	left.Store(5)
	r.stop() // the hook is set while nobody calls
	r.runtime.Before = func(_ context.Context, op fakeruntime.Op, _ string) error {
		if op == fakeruntime.OpStop && left.Add(-1) >= 0 {
			return fault.New(fault.Unavailable, "runtime/unavailable", "Not now.")
		}
		return nil
	}
	r.run()
	if _, err := r.Stop(t.Context(), r.alice, s.ID); err != nil {
		t.Fatal(err)
	}
	r.await(s.ID, session.Stopped)
	r.clean()
}

// The daemon ends in the middle of each call to the runtime, of a start and of
// a stop; the next one finishes what was begun.
func TestRestartAnywhere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op    fakeruntime.Op
		after bool // the call's work is done, its answer lost
	}{
		{fakeruntime.OpCreate, false}, {fakeruntime.OpCreate, true},
		{fakeruntime.OpStart, false}, {fakeruntime.OpStart, true},
		{fakeruntime.OpStop, false}, {fakeruntime.OpStop, true},
		{fakeruntime.OpRemove, false}, {fakeruntime.OpRemove, true},
	} {
		name := string(c.op) + " before"
		if c.after {
			name = string(c.op) + " after"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
			hit := make(chan struct{})
			var once atomic.Bool
			hook := func(ctx context.Context, op fakeruntime.Op, slug string) error {
				if op == c.op && slug != "" && once.CompareAndSwap(false, true) {
					close(hit)
					<-ctx.Done() // the daemon ends here
					return ctx.Err()
				}
				return nil
			}
			r.stop()
			if c.after {
				r.runtime.After = hook
			} else {
				r.runtime.Before = hook
			}
			r.run()
			s, err := r.Start(t.Context(), r.alice, session.StartRequest{})
			if err != nil {
				t.Fatal(err)
			}
			inStart := c.op == fakeruntime.OpCreate || c.op == fakeruntime.OpStart
			if !inStart {
				r.await(s.ID, session.Running)
				if _, err := r.Stop(t.Context(), r.alice, s.ID); err != nil {
					t.Fatal(err)
				}
			}
			<-hit
			r.restart()
			if inStart {
				r.await(s.ID, session.Running)
				if _, err := r.Stop(t.Context(), r.alice, s.ID); err != nil {
					t.Fatal(err)
				}
			}
			r.await(s.ID, session.Stopped)
			if snaps, err := r.Snapshots(t.Context(), r.alice, s.ID); err != nil || len(snaps) != 1 {
				t.Errorf("snapshots = %v, %v", snaps, err)
			}
			r.clean()
		})
	}
}

// occupied is a place where something else stands already.
type occupied struct {
	session.Workspaces
	root string
}

func (w occupied) Create(ctx context.Context, ref session.Ref) error {
	there := filepath.Join(w.root, ref.UserID, ref.SessionID, "workspace")
	if err := os.MkdirAll(there, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(there, "thesis.txt"), []byte("somebody's"), 0o644); err != nil {
		return err
	}
	return w.Workspaces.Create(ctx, ref)
}

// A workspace that is there already with files in it, and is not this
// session's, is not used and not touched; the session says where it is.
func TestWorkspaceAlreadyThere(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "workspaces")
	r := newRig(t, storetest.SQLiteConfig(t), 1, func(o *session.Options) {
		spaces, err := dir.New(dir.Config{Root: root})
		if err != nil {
			t.Fatal(err)
		}
		o.Workspaces = occupied{spaces, root}
	})
	s, err := r.Start(t.Context(), r.alice, session.StartRequest{})
	if err != nil {
		t.Fatal(err)
	}
	place := filepath.Join(root, s.UserID, s.ID)
	end := r.await(s.ID, session.Error)
	if end.StopReason != session.ReasonStartFailed || !strings.Contains(end.ErrorMessage, place) || !strings.Contains(end.ErrorMessage, "move it away") {
		t.Errorf("%s: %q", end.StopReason, end.ErrorMessage)
	}
	if text, err := os.ReadFile(filepath.Join(place, "workspace", "thesis.txt")); err != nil || string(text) != "somebody's" {
		t.Errorf("the file holds %q, %v", text, err)
	}
	r.clean()
}
