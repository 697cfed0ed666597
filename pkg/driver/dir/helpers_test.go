package dir

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/beneath"
	"github.com/medforge/medforge/pkg/testkit/promised"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, root string) *Workspaces {
	t.Helper()
	w, err := New(Config{Root: root})
	must(t, err)
	// Folders deeper than a path can say are more than os.RemoveAll takes here.
	t.Cleanup(func() { removeAll(t, root) })
	return w
}

func removeAll(t testing.TB, path string) {
	t.Helper()
	parent, err := beneath.OpenRoot(filepath.Dir(path))
	if err != nil {
		t.Error(err)
		return
	}
	defer parent.Close()
	if err := parent.RemoveAll(context.Background(), filepath.Base(path)); err != nil {
		t.Error(err)
	}
}

// memory mounts a file system in memory of the test's own.
func memory(t testing.TB, options string) string {
	t.Helper()
	promised.Root(t, "it mounts")
	path := t.TempDir()
	must(t, unix.Mount("medforge-test", path, "tmpfs", 0, options))
	unmounts(t, path)
	return path
}

// image makes and mounts a file system of the type and size in a file in
// memory.
func image(t testing.TB, fstype string, mib int64) string {
	t.Helper()
	promised.Root(t, "it mounts")
	mkfs := promised.Program(t, "mkfs."+fstype)
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skip("this machine has no loop devices")
	}
	file := filepath.Join(memory(t, fmt.Sprintf("size=%dm", mib+100)), "image")
	must(t, os.WriteFile(file, nil, 0o600))
	must(t, os.Truncate(file, mib<<20))
	if out, err := exec.CommandContext(t.Context(), mkfs, "-q", file).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.%s: %v\n%s", fstype, err, out)
	}
	path := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-o", "loop", "-t", fstype, file, path).CombinedOutput(); err != nil {
		t.Skipf("a %s file system cannot be mounted here: %v\n%s", fstype, err, out)
	}
	unmounts(t, path)
	return path
}

// unmounts unmounts at the end of the test, which shows that nothing is open
// there. For a moment there may be: a program that another test starts has a
// copy of each of our open files until it is executed, and the kernel takes a
// loop device down in the background.
func unmounts(t testing.TB, path string) {
	t.Cleanup(func() {
		watch.Succeeds(t, "unmounting "+path, func() error { return unix.Unmount(path, 0) })
	})
}
