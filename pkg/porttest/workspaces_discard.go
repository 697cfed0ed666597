package porttest

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

func testDiscardUntouched(t *testing.T, k WorkspacesKit) {
	// Nothing below may be open when it is taken back.
	ref, clone, source := newRef(), newRef(), newRef()
	must(t, k.Workspaces.Create(patient(t), ref), "Create")
	path := made(t, k.Workspaces, source)
	write(t, filepath.Join(path, "file"), "text")
	s := snapshot(t, k.Workspaces, source, "stop-1")
	must(t, k.Workspaces.Clone(patient(t), s, clone), "Clone")
	wantText(t, filepath.Join(hostPath(t, k.Workspaces, clone), "file"), "text") // reading is not touching
	again := k.Reopen(t)
	for _, ref := range []session.Ref{ref, clone} {
		for range 2 {
			must(t, again.Discard(patient(t), ref), "Discard")
		}
		_, err := again.Path(patient(t), ref)
		wantKind(t, err, fault.NotFound, "Path after Discard")
		must(t, again.Create(patient(t), ref), "Create after Discard")
	}
	// The source and its snapshot are as they were.
	must(t, again.Discard(patient(t), source), "Discard the source")
	wantText(t, filepath.Join(path, "file"), "text")
	_, third := cloned(t, again, s)
	wantText(t, filepath.Join(third, "file"), "text")
}

// testDiscardKeepsWork touches a workspace in every way that could be work.
func testDiscardKeepsWork(t *testing.T, k WorkspacesKit) {
	source := newRef()
	path := made(t, k.Workspaces, source)
	write(t, filepath.Join(path, "file"), "text")
	asSession(t, func() error { return os.Mkdir(filepath.Join(path, "dir"), 0o755) })
	write(t, filepath.Join(path, "dir/deep"), "deep")
	s := snapshot(t, k.Workspaces, source, "stop-1")

	for name, touch := range map[string]func(path string) error{
		"a new file":        func(p string) error { return os.WriteFile(filepath.Join(p, "new"), nil, 0o600) },
		"a file in a file":  func(p string) error { return os.WriteFile(filepath.Join(p, "dir/deep"), []byte("DEEP"), 0o600) },
		"a removed file":    func(p string) error { return os.Remove(filepath.Join(p, "dir/deep")) },
		"a mode":            func(p string) error { return os.Chmod(filepath.Join(p, "file"), 0o600) },
		"a rename":          func(p string) error { return os.Rename(filepath.Join(p, "file"), filepath.Join(p, "f")) },
		"an attribute":      func(p string) error { return unix.Setxattr(filepath.Join(p, "file"), "user.note", []byte("x"), 0) },
		"the top's mode":    func(p string) error { return os.Chmod(p, 0o700) },
		"a backdated write": backdated,
	} {
		ref, clone := cloned(t, k.Workspaces, s)
		asSession(t, func() error { return touch(clone) })
		must(t, k.Reopen(t).Discard(patient(t), ref), "Discard")
		if _, err := k.Workspaces.Path(patient(t), ref); err != nil {
			t.Errorf("Discard took a clone with %s: %v", name, err)
		}
	}
	for name, touch := range map[string]func(path string) error{
		"a file":           func(p string) error { return os.WriteFile(filepath.Join(p, "new"), nil, 0o600) },
		"an empty folder":  func(p string) error { return os.Mkdir(filepath.Join(p, "new"), 0o700) },
		"a dangling link":  func(p string) error { return os.Symlink("nowhere", filepath.Join(p, "new")) },
		"a hidden file":    func(p string) error { return os.WriteFile(filepath.Join(p, ".new"), nil, 0o600) },
		"a file of spaces": func(p string) error { return os.WriteFile(filepath.Join(p, " "), nil, 0o600) },
	} {
		ref := newRef()
		path := made(t, k.Workspaces, ref)
		asSession(t, func() error { return touch(path) })
		must(t, k.Workspaces.Discard(patient(t), ref), "Discard")
		if _, err := k.Workspaces.Path(patient(t), ref); err != nil {
			t.Errorf("Discard took a workspace with %s: %v", name, err)
		}
	}
	// Empty, but with a snapshot: the snapshot keeps it.
	ref := newRef()
	made(t, k.Workspaces, ref)
	snapshot(t, k.Workspaces, ref, "stop-1")
	must(t, k.Workspaces.Discard(patient(t), ref), "Discard")
	if list, err := k.Workspaces.Snapshots(patient(t), ref); err != nil || len(list) != 1 {
		t.Errorf("Snapshots after Discard: %v, %v", list, err)
	}
}

// backdated writes and sets the times that a user can set back.
func backdated(p string) error {
	file := filepath.Join(p, "file")
	if err := os.WriteFile(file, []byte("TEXT"), 0o644); err != nil {
		return err
	}
	old := []unix.Timespec{{Sec: 1}, {Sec: 1}}
	return unix.UtimesNanoAt(unix.AT_FDCWD, file, old, 0)
}
