package dir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/testkit/promised"
)

func newRef() session.Ref {
	return session.Ref{UserID: uuid.NewString(), SessionID: uuid.NewString()}
}

// made makes a workspace and returns its path.
func made(t testing.TB, w *Workspaces, ref session.Ref) string {
	t.Helper()
	must(t, w.Create(t.Context(), ref))
	path, err := w.Path(t.Context(), ref)
	must(t, err)
	return path
}

// names lists everything below a folder that is not in a workspace or a tree.
func names(t testing.TB, root string) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		out = append(out, path[len(root):])
		if d.Name() == workspaceName || d.Name() == treeName {
			return fs.SkipDir
		}
		return nil
	}))
	return out
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	root := filepath.Join(memory(t, "size=8m,nr_inodes=400"), "workspaces")
	w := open(t, root)
	ref := newRef()
	path := made(t, w, ref)
	data := make([]byte, 5<<20)
	data[len(data)-1] = 1
	must(t, os.WriteFile(filepath.Join(path, "data"), data, 0o600))
	before := names(t, root)
	for what, call := range map[string]func() error{
		"bytes":  func() error { _, err := w.Snapshot(t.Context(), ref, "stop-1"); return err },
		"inodes": func() error { return inodesFull(t, w, path, ref) },
	} {
		err := call()
		if !fault.Is(err, fault.OutOfSpace) || !errors.Is(err, unix.ENOSPC) {
			t.Errorf("%s: %v, want out of space", what, err)
		}
	}
	must(t, os.RemoveAll(filepath.Join(path, "many")))
	if after := names(t, root); len(after) != len(before) {
		t.Errorf("left behind: %v, before %v", after, before)
	}
	if text, err := os.ReadFile(filepath.Join(path, "data")); err != nil || len(text) != len(data) {
		t.Errorf("the workspace was touched: %d bytes, %v", len(text), err)
	}
	must(t, os.Truncate(filepath.Join(path, "data"), 1<<20))
	s, err := w.Snapshot(t.Context(), ref, "stop-1")
	must(t, err)
	if s.UsedBytes != 1<<20 {
		t.Errorf("UsedBytes %d of a snapshot that copied 1 MiB", s.UsedBytes)
	}
	must(t, os.WriteFile(filepath.Join(path, "fill"), make([]byte, 5<<20+512<<10), 0o600))
	to := newRef()
	if err := w.Clone(t.Context(), s, to); !fault.Is(err, fault.OutOfSpace) {
		t.Errorf("Clone: %v, want out of space", err)
	}
	if _, err := w.Path(t.Context(), to); !fault.Is(err, fault.NotFound) {
		t.Errorf("half a clone stands: %v", err)
	}
}

// inodesFull takes a snapshot that needs more names than are left.
func inodesFull(t *testing.T, w *Workspaces, path string, ref session.Ref) error {
	t.Helper()
	many := filepath.Join(path, "many")
	must(t, os.Mkdir(many, 0o755))
	for range 300 {
		must(t, os.WriteFile(filepath.Join(many, uuid.NewString()), nil, 0o600))
	}
	_, err := w.Snapshot(t.Context(), ref, "stop-2")
	return err
}

func TestReserveIsKept(t *testing.T) {
	t.Parallel()
	root := filepath.Join(memory(t, "size=300m"), "workspaces")
	w := open(t, root)
	w.cfg.MinFreeBytes = 100 << 20
	must(t, w.Check(t.Context()))
	ref := newRef()
	path := made(t, w, ref)
	must(t, os.WriteFile(filepath.Join(path, "data"), make([]byte, 170<<20), 0o600))
	if _, err := w.Snapshot(t.Context(), ref, "stop-1"); !fault.Is(err, fault.OutOfSpace) {
		t.Errorf("Snapshot into the reserve: %v, want out of space", err)
	}
	must(t, os.WriteFile(filepath.Join(path, "more"), make([]byte, 40<<20), 0o600))
	if err := w.Check(t.Context()); !fault.Is(err, fault.OutOfSpace) {
		t.Errorf("Check below the reserve: %v, want out of space", err)
	}
}

// TestAfterKills starts with everything that a kill can leave.
func TestAfterKills(t *testing.T) {
	t.Parallel()
	promised.Root(t, "it makes files of user 1000")
	root := filepath.Join(t.TempDir(), "workspaces")
	w := open(t, root)
	ref := newRef()
	made(t, w, ref)
	clean := names(t, root)
	user, folder := filepath.Join(root, ref.UserID), filepath.Join(root, ref.UserID, ref.SessionID)
	leave := func() {
		for _, dir := range []string{
			filepath.Join(user, newPrefix+ref.SessionID, workspaceName, "half"),
			filepath.Join(user, newPrefix+uuid.NewString(), workspaceName, "half"),
			filepath.Join(user, oldPrefix+uuid.NewString(), workspaceName, "half"),
			filepath.Join(folder, snapshotsName, newPrefix+"stop-1", treeName, "half"),
			filepath.Join(folder, snapshotsName, newPrefix+"stop-2", linksName),
		} {
			must(t, os.MkdirAll(dir, 0o700))
		}
	}
	leave()
	must(t, w.CleanUp(t.Context()))
	if got := names(t, root); len(got) != len(clean) {
		t.Errorf("after CleanUp: %v, want %v", got, clean)
	}
	leave()
	if list, err := w.Snapshots(t.Context(), ref); err != nil || len(list) != 0 {
		t.Errorf("half a snapshot is listed: %v, %v", list, err)
	}
	if err := w.Clone(t.Context(), session.Snapshot{Ref: ref, Name: "stop-1"}, newRef()); !fault.Is(err, fault.NotFound) {
		t.Errorf("Clone of half a snapshot: %v", err)
	}
	if refs, err := w.List(t.Context()); err != nil || len(refs) != 1 {
		t.Errorf("half a workspace is listed: %v, %v", refs, err)
	}
	_, err := w.Snapshot(t.Context(), ref, "stop-1")
	must(t, err)
	if _, err := os.Stat(filepath.Join(folder, snapshotsName, "stop-1", treeName, "half")); !os.IsNotExist(err) {
		t.Errorf("a snapshot holds what an interrupted one left: %v", err)
	}
	other := session.Ref{UserID: ref.UserID, SessionID: uuid.NewString()}
	must(t, os.MkdirAll(filepath.Join(user, newPrefix+other.SessionID, workspaceName, "half"), 0o700))
	path := made(t, w, other)
	if entries, err := os.ReadDir(path); err != nil || len(entries) != 0 {
		t.Errorf("a workspace holds what an interrupted one left: %v, %v", entries, err)
	}
}

// TestInterruptedCopy ends a copy in its middle.
func TestInterruptedCopy(t *testing.T) {
	t.Parallel()
	root := filepath.Join(memory(t, "size=1g"), "workspaces")
	w := open(t, root)
	ref := newRef()
	path := made(t, w, ref)
	must(t, os.WriteFile(filepath.Join(path, "data"), make([]byte, 100<<20), 0o600))
	before := names(t, root)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	copied := filepath.Join(root, ref.UserID, ref.SessionID, snapshotsName, newPrefix+"stop-1", treeName, "data")
	_, err := w.Snapshot(asked{ctx, func() { // it asks between two parts of a file
		if st, err := os.Stat(copied); err == nil && st.Size() > 0 {
			cancel()
		}
	}}, ref, "stop-1")
	if !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
		t.Fatalf("Snapshot: %v, want interrupted", err)
	}
	if after := names(t, root); len(after) != len(before) {
		t.Errorf("left behind: %v, before %v", after, before)
	}
	_, err = w.Snapshot(t.Context(), ref, "stop-1")
	must(t, err)
}

// asked is a context that does something whenever it is asked whether it ended.
type asked struct {
	context.Context
	do func()
}

func (a asked) Err() error {
	a.do()
	return a.Context.Err()
}

// TestClosedToOthers makes sure that no user of the host reaches any file.
func TestClosedToOthers(t *testing.T) {
	t.Parallel()
	promised.Root(t, "it makes files of user 1000")
	root := filepath.Join(t.TempDir(), "workspaces")
	w := open(t, root)
	ref := newRef()
	path := made(t, w, ref)
	must(t, os.WriteFile(filepath.Join(path, "file"), []byte("x"), 0o666))
	_, err := w.Snapshot(t.Context(), ref, "stop-1")
	must(t, err)
	for _, name := range names(t, root) {
		st, err := os.Lstat(root + name)
		must(t, err)
		if base := filepath.Base(name); base != workspaceName && base != treeName && st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v lets others in", name, st.Mode())
		}
	}
	must(t, os.Chmod(root, 0o755))
	for what, err := range map[string]error{"Check": w.Check(t.Context()), "Create": w.Create(t.Context(), newRef())} {
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s with an open root: %v, want invalid", what, err)
		}
	}
	if _, err := New(Config{Root: root}); !fault.Is(err, fault.Invalid) {
		t.Errorf("New with an open root: %v, want invalid", err)
	}
	must(t, os.Chmod(root, 0o700))
}

func TestRootGone(t *testing.T) {
	t.Parallel()
	promised.Root(t, "it makes files of user 1000")
	root := filepath.Join(t.TempDir(), "workspaces")
	w, err := New(Config{Root: root})
	must(t, err)
	ref := newRef()
	made(t, w, ref)
	away := root + "-away"
	must(t, os.Rename(root, away))
	_, pathErr := w.Path(t.Context(), ref)
	_, usageErr := w.Usage(t.Context(), ref)
	_, snapErr := w.Snapshots(t.Context(), ref)
	_, listErr := w.List(t.Context())
	for what, err := range map[string]error{
		"Check": w.Check(t.Context()), "Create": w.Create(t.Context(), ref), "Discard": w.Discard(t.Context(), ref),
		"Path": pathErr, "Usage": usageErr, "Snapshots": snapErr, "List": listErr,
	} { // never "not found", and never an empty list
		if !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s without the root: %v, want unavailable", what, err)
		}
	}
	must(t, os.Rename(away, root))
	if _, err := w.Path(t.Context(), ref); err != nil {
		t.Error(err)
	}
}

// TestBrokenMeta never takes a folder for ours that does not say so.
func TestBrokenMeta(t *testing.T) {
	t.Parallel()
	promised.Root(t, "it makes files of user 1000")
	for name, text := range map[string]string{
		"empty":         "",
		"no JSON":       "{",
		"a later one":   `{"version": 2}`,
		"of another":    `{"version": 1, "user_id": "00000000-0000-0000-0000-000000000000", "session_id": "00000000-0000-0000-0000-000000000000"}`,
		"of a snapshot": `{"version": 1, "snapshot": "stop-1"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t, filepath.Join(t.TempDir(), "workspaces"))
			ref := newRef()
			path := made(t, w, ref)
			must(t, os.WriteFile(filepath.Join(filepath.Dir(path), metaName), []byte(text), 0o600))
			if err := w.Create(t.Context(), ref); !fault.Is(err, fault.Exists) {
				t.Errorf("Create: %v, want exists", err)
			}
			must(t, w.Discard(t.Context(), ref))
			if _, err := os.Stat(path); err != nil {
				t.Errorf("Discard took it: %v", err)
			}
		})
	}
}
