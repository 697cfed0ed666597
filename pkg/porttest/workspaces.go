package porttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/testkit/promised"
)

// WorkspacesKit is one implementation of session.Workspaces with what the suite
// needs to act on it from outside.
type WorkspacesKit struct {
	Workspaces session.Workspaces
	// Reopen returns the same workspaces as a daemon that was killed and
	// started again sees them.
	Reopen func(t *testing.T) session.Workspaces
	// Foreign puts something that no session of ours made where ref's
	// workspace belongs, and returns the path of a file in it.
	Foreign func(t *testing.T, ref session.Ref) (file string)
	// Settled returns when Usage would show what was written until now. Nil:
	// it always does.
	Settled func(t *testing.T)
}

// Workspaces is the conformance suite of session.Workspaces. open returns an
// implementation of its own for each test, empty, and cleans it up with
// t.Cleanup. It needs root.
func Workspaces(t *testing.T, open func(t *testing.T) WorkspacesKit) {
	tests := []struct {
		name string
		run  func(t *testing.T, k WorkspacesKit)
	}{
		{"Create", testWorkspaceCreate},
		{"CreateAtOnce", testWorkspaceCreateAtOnce},
		{"Missing", testWorkspaceMissing},
		{"BadNames", testWorkspaceBadNames},
		{"Interrupted", testWorkspaceInterrupted},
		{"Foreign", testWorkspaceForeign},
		{"Usage", testWorkspaceUsage},
		{"Snapshot", testSnapshot},
		{"SnapshotKeepsTheMoment", testSnapshotMoment},
		{"SnapshotAtOnce", testSnapshotAtOnce},
		{"SnapshotOfEveryKindOfFile", testSnapshotKinds},
		{"SnapshotHonoursNoRights", testSnapshotRights},
		{"SnapshotOfDeepTree", testSnapshotDeep},
		{"SnapshotWhileSwapped", testSnapshotSwapped},
		{"Clone", testClone},
		{"CloneOfClone", testCloneOfClone},
		{"DiscardUntouched", testDiscardUntouched},
		{"DiscardKeepsWork", testDiscardKeepsWork},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			promised.Root(t, "it makes files of user 1000 and mounts")
			tt.run(t, open(t))
		})
	}
}

// workspacesDeadline bounds one call. It is for a hang, not to measure: real ZFS
// runs in an emulated machine.
const workspacesDeadline = 5 * time.Minute

func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), workspacesDeadline)
	t.Cleanup(cancel)
	return ctx
}

func newRef() session.Ref {
	return session.Ref{UserID: uuid.NewString(), SessionID: uuid.NewString()}
}

// made creates a workspace and returns its path as a session has it.
func made(t *testing.T, w session.Workspaces, ref session.Ref) string {
	t.Helper()
	must(t, w.Create(patient(t), ref), "Create")
	return inside(t, hostPath(t, w, ref))
}

func hostPath(t *testing.T, w session.Workspaces, ref session.Ref) string {
	t.Helper()
	path, err := w.Path(patient(t), ref)
	must(t, err, "Path")
	return path
}

func snapshot(t *testing.T, w session.Workspaces, ref session.Ref, name string) session.Snapshot {
	t.Helper()
	s, err := w.Snapshot(patient(t), ref, name)
	must(t, err, "Snapshot "+name)
	return s
}

// cloned makes a new session's workspace from a snapshot.
func cloned(t *testing.T, w session.Workspaces, s session.Snapshot) (session.Ref, string) {
	t.Helper()
	ref := newRef()
	must(t, w.Clone(patient(t), s, ref), "Clone")
	return ref, inside(t, hostPath(t, w, ref))
}

// write writes a file as the session.
func write(t *testing.T, path, text string) {
	t.Helper()
	asSession(t, func() error { return os.WriteFile(path, []byte(text), 0o644) })
}

func wantText(t *testing.T, path, want string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || string(text) != want {
		t.Errorf("%s holds %q (%v), want %q", path, text, err, want)
	}
}

// wantTop checks owner and mode of a workspace's top folder.
func wantTop(t *testing.T, path string) {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Stat(path, &st), "stat")
	if st.Uid != sessionUID || st.Gid != sessionUID || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		t.Errorf("%s: owner %d:%d, mode %o", path, st.Uid, st.Gid, st.Mode)
	}
	if st.Mode&0o027 != 0 {
		t.Errorf("%s: mode %o lets others in", path, st.Mode)
	}
}

func testWorkspaceCreate(t *testing.T, k WorkspacesKit) {
	must(t, k.Workspaces.Check(patient(t)), "Check")
	ref := newRef()
	path := made(t, k.Workspaces, ref)
	wantTop(t, path)
	if entries, err := os.ReadDir(path); err != nil || len(entries) != 0 {
		t.Errorf("a new workspace holds %v, %v", entries, err)
	}
	write(t, filepath.Join(path, "file"), "mine")
	again := k.Reopen(t)
	must(t, again.Create(patient(t), ref), "Create again")
	wantText(t, filepath.Join(hostPath(t, again, ref), "file"), "mine")
	other := session.Ref{UserID: ref.UserID, SessionID: uuid.NewString()}
	made(t, again, other)
	list, err := k.Workspaces.List(patient(t))
	must(t, err, "List")
	if len(list) != 2 || !slices.Contains(list, ref) || !slices.Contains(list, other) {
		t.Errorf("List: %v, want %v and %v", list, ref, other)
	}
}

func testWorkspaceCreateAtOnce(t *testing.T, k WorkspacesKit) {
	refs := []session.Ref{newRef(), newRef()}
	refs = append(refs, session.Ref{UserID: refs[0].UserID, SessionID: uuid.NewString()})
	var all sync.WaitGroup
	for range 4 {
		for _, ref := range refs {
			all.Go(func() {
				if err := k.Workspaces.Create(patient(t), ref); err != nil {
					t.Errorf("Create: %v", err)
				}
			})
		}
	}
	all.Wait()
	for _, ref := range refs {
		wantTop(t, hostPath(t, k.Workspaces, ref))
	}
}

func testWorkspaceMissing(t *testing.T, k WorkspacesKit) {
	ref := newRef()
	_, err := k.Workspaces.Path(patient(t), ref)
	wantKind(t, err, fault.NotFound, "Path")
	_, err = k.Workspaces.Usage(patient(t), ref)
	wantKind(t, err, fault.NotFound, "Usage")
	_, err = k.Workspaces.Snapshot(patient(t), ref, "stop-1")
	wantKind(t, err, fault.NotFound, "Snapshot")
	list, err := k.Workspaces.Snapshots(patient(t), ref)
	if err != nil || len(list) != 0 {
		t.Errorf("Snapshots: %v, %v", list, err)
	}
	must(t, k.Workspaces.Discard(patient(t), ref), "Discard")
	err = k.Workspaces.Clone(patient(t), session.Snapshot{Ref: newRef(), Name: "stop-1"}, ref)
	wantKind(t, err, fault.NotFound, "Clone from a missing workspace")
	there := newRef()
	made(t, k.Workspaces, there)
	err = k.Workspaces.Clone(patient(t), session.Snapshot{Ref: there, Name: "stop-1"}, ref)
	wantKind(t, err, fault.NotFound, "Clone from a missing snapshot")
	if refs, err := k.Workspaces.List(patient(t)); err != nil || !slices.Equal(refs, []session.Ref{there}) {
		t.Errorf("List: %v, %v", refs, err)
	}
}

func testWorkspaceBadNames(t *testing.T, k WorkspacesKit) {
	good := newRef()
	made(t, k.Workspaces, good)
	for _, bad := range []string{"", ".", "..", "../" + good.UserID, "-r", "a@b", "a%b", "A" + good.UserID[1:], good.UserID + "\n", good.UserID + "/x"} {
		for _, ref := range []session.Ref{{UserID: bad, SessionID: good.SessionID}, {UserID: good.UserID, SessionID: bad}} {
			what := fmt.Sprintf("%q", ref)
			wantKind(t, k.Workspaces.Create(patient(t), ref), fault.Invalid, "Create "+what)
			wantKind(t, k.Workspaces.Discard(patient(t), ref), fault.Invalid, "Discard "+what)
			_, err := k.Workspaces.Path(patient(t), ref)
			wantKind(t, err, fault.Invalid, "Path "+what)
			_, err = k.Workspaces.Snapshot(patient(t), ref, "stop-1")
			wantKind(t, err, fault.Invalid, "Snapshot "+what)
			_, err = k.Workspaces.Snapshots(patient(t), ref)
			wantKind(t, err, fault.Invalid, "Snapshots "+what)
			err = k.Workspaces.Clone(patient(t), session.Snapshot{Ref: ref, Name: "stop-1"}, newRef())
			wantKind(t, err, fault.Invalid, "Clone from "+what)
		}
	}
	for _, name := range []string{"", ".", "..", "stop-", "stop-x", "stop-1/..", "../stop-1", "stop-1@", "-r", "stop-1\n", "stop-99999999999999999999"} {
		_, err := k.Workspaces.Snapshot(patient(t), good, name)
		wantKind(t, err, fault.Invalid, fmt.Sprintf("Snapshot named %q", name))
		err = k.Workspaces.Clone(patient(t), session.Snapshot{Ref: good, Name: name}, newRef())
		wantKind(t, err, fault.Invalid, fmt.Sprintf("Clone from snapshot %q", name))
	}
}

func testWorkspaceInterrupted(t *testing.T, k WorkspacesKit) {
	ref := newRef()
	made(t, k.Workspaces, ref)
	over, cancel := context.WithCancel(context.Background())
	cancel()
	wantKind(t, k.Workspaces.Check(over), fault.Unavailable, "Check")
	wantKind(t, k.Workspaces.Create(over, newRef()), fault.Unavailable, "Create")
	wantKind(t, k.Workspaces.Discard(over, ref), fault.Unavailable, "Discard")
	_, err := k.Workspaces.Path(over, ref)
	wantKind(t, err, fault.Unavailable, "Path")
	_, err = k.Workspaces.Snapshot(over, ref, "stop-1")
	wantKind(t, err, fault.Unavailable, "Snapshot")
	_, err = k.Workspaces.Snapshots(over, ref)
	wantKind(t, err, fault.Unavailable, "Snapshots")
	_, err = k.Workspaces.Usage(over, ref)
	wantKind(t, err, fault.Unavailable, "Usage")
	_, err = k.Workspaces.List(over)
	wantKind(t, err, fault.Unavailable, "List")
	s := snapshot(t, k.Workspaces, ref, "stop-1")
	wantKind(t, k.Workspaces.Clone(over, s, newRef()), fault.Unavailable, "Clone")
	if refs, err := k.Workspaces.List(patient(t)); err != nil || !slices.Equal(refs, []session.Ref{ref}) {
		t.Errorf("List: %v, %v", refs, err)
	}
}

func testWorkspaceForeign(t *testing.T, k WorkspacesKit) {
	ref, source := newRef(), newRef()
	file := k.Foreign(t, ref)
	must(t, os.WriteFile(file, []byte("somebody's"), 0o600), "write")
	wantKind(t, k.Workspaces.Create(patient(t), ref), fault.Exists, "Create")
	made(t, k.Workspaces, source)
	s := snapshot(t, k.Workspaces, source, "stop-1")
	wantKind(t, k.Workspaces.Clone(patient(t), s, ref), fault.Exists, "Clone")
	must(t, k.Workspaces.Discard(patient(t), ref), "Discard")
	wantText(t, file, "somebody's")
}

func testWorkspaceUsage(t *testing.T, k WorkspacesKit) {
	ref := newRef()
	path := made(t, k.Workspaces, ref)
	before, err := k.Workspaces.Usage(patient(t), ref)
	must(t, err, "Usage")
	const size = 8 << 20
	asSession(t, func() error {
		data := make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{}).Read(data) // it does not compress, and it cannot fail
		if err := os.WriteFile(filepath.Join(path, "data"), data, 0o600); err != nil {
			return err
		}
		return os.Link(filepath.Join(path, "data"), filepath.Join(path, "again"))
	})
	if k.Settled != nil {
		k.Settled(t)
	}
	after, err := k.Workspaces.Usage(patient(t), ref)
	must(t, err, "Usage")
	if grown := after.UsedBytes - before.UsedBytes; grown < size/2 || grown > size*3/2 {
		t.Errorf("grown by %d bytes after writing %d under two names", grown, size)
	}
	if after.QuotaBytes < 0 || after.QuotaBytes > 0 && after.QuotaBytes < after.UsedBytes {
		t.Errorf("Usage: %+v", after)
	}
}

// near reports whether a time is about now; some file systems count seconds.
func near(at time.Time) bool { return time.Since(at).Abs() < workspacesDeadline }
