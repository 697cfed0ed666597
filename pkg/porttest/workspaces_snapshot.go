package porttest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

func testSnapshot(t *testing.T, k WorkspacesKit) {
	ref := newRef()
	path := made(t, k.Workspaces, ref)
	write(t, filepath.Join(path, "file"), "one")
	names := []string{"stop-5", "stop-40", "stop-300"} // not in the order of their letters
	for _, name := range names {
		s := snapshot(t, k.Workspaces, ref, name)
		if s.Ref != ref || s.Name != name || !near(s.CreatedAt) || s.UsedBytes < -1 {
			t.Errorf("Snapshot: %+v", s)
		}
	}
	write(t, filepath.Join(path, "file"), "two")
	again, err := k.Reopen(t).Snapshot(patient(t), ref, "stop-5")
	must(t, err, "Snapshot again")
	list, err := k.Workspaces.Snapshots(patient(t), ref)
	must(t, err, "Snapshots")
	got := make([]string, len(list))
	for i, s := range list {
		got[i] = s.Name
	}
	if !slices.Equal(got, names) {
		t.Errorf("Snapshots: %v, want %v", got, names)
	}
	if !again.CreatedAt.Equal(list[0].CreatedAt) {
		t.Errorf("taken again: created %v, at first %v", again.CreatedAt, list[0].CreatedAt)
	}
	_, clone := cloned(t, k.Workspaces, again)
	wantText(t, filepath.Join(clone, "file"), "one")
}

// testSnapshotMoment changes everything after a snapshot.
func testSnapshotMoment(t *testing.T, k WorkspacesKit) {
	ref := newRef()
	path := made(t, k.Workspaces, ref)
	write(t, filepath.Join(path, "grows"), "a")
	write(t, filepath.Join(path, "goes"), "b")
	asSession(t, func() error { return os.Mkdir(filepath.Join(path, "dir"), 0o755) })
	write(t, filepath.Join(path, "dir/in"), "c")
	first := snapshot(t, k.Workspaces, ref, "stop-1")
	write(t, filepath.Join(path, "grows"), "a and more")
	write(t, filepath.Join(path, "comes"), "d")
	asSession(t, func() error {
		return errors.Join(os.Remove(filepath.Join(path, "goes")),
			os.Rename(filepath.Join(path, "dir"), filepath.Join(path, "renamed")),
			os.Chmod(path, 0o700))
	})
	second := snapshot(t, k.Workspaces, ref, "stop-2")
	_, one := cloned(t, k.Workspaces, first)
	wantText(t, filepath.Join(one, "grows"), "a")
	wantText(t, filepath.Join(one, "goes"), "b")
	wantText(t, filepath.Join(one, "dir/in"), "c")
	if _, err := os.Lstat(filepath.Join(one, "comes")); !os.IsNotExist(err) {
		t.Errorf("the first snapshot holds what came later: %v", err)
	}
	_, two := cloned(t, k.Workspaces, second)
	wantText(t, filepath.Join(two, "grows"), "a and more")
	wantText(t, filepath.Join(two, "comes"), "d")
	wantText(t, filepath.Join(two, "renamed/in"), "c")
	wantText(t, filepath.Join(path, "comes"), "d")
}

func testSnapshotAtOnce(t *testing.T, k WorkspacesKit) {
	ref := newRef()
	path := made(t, k.Workspaces, ref)
	write(t, filepath.Join(path, "file"), "text")
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if _, err := k.Workspaces.Snapshot(patient(t), ref, "stop-1"); err != nil {
				t.Errorf("Snapshot: %v", err)
			}
		})
	}
	all.Wait()
	list, err := k.Workspaces.Snapshots(patient(t), ref)
	if err != nil || len(list) != 1 {
		t.Fatalf("Snapshots: %v, %v", list, err)
	}
	to := newRef()
	for range 5 {
		all.Go(func() {
			if err := k.Workspaces.Clone(patient(t), list[0], to); err != nil {
				t.Errorf("Clone: %v", err)
			}
		})
	}
	all.Wait()
	wantText(t, filepath.Join(hostPath(t, k.Workspaces, to), "file"), "text")
}

// testSnapshotDeep takes a tree that no path reaches the end of.
func testSnapshotDeep(t *testing.T, k WorkspacesKit) {
	const levels = 10_000
	ref := newRef()
	path := made(t, k.Workspaces, ref)
	asSession(t, func() error { return dig(path, levels) })
	_, clone := cloned(t, k.Workspaces, snapshot(t, k.Workspaces, ref, "stop-1"))
	if got, err := depth(clone); err != nil || got != levels {
		t.Errorf("the clone is %d levels deep (%v), want %d", got, err, levels)
	}
	_, err := k.Workspaces.Usage(patient(t), ref)
	must(t, err, "Usage")
}

// dig makes a chain of folders named d below path.
func dig(path string, levels int) error {
	fd, err := unix.Open(path, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for i := 0; err == nil && i < levels; i++ {
		if err = unix.Mkdirat(fd, "d", 0o755); err == nil {
			fd, err = down(fd)
		}
	}
	unix.Close(fd)
	return err
}

func depth(path string) (n int, err error) {
	fd, err := unix.Open(path, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for err == nil {
		if fd, err = down(fd); err == nil {
			n++
		}
	}
	unix.Close(fd)
	if errors.Is(err, unix.ENOENT) {
		err = nil
	}
	return n, err
}

// down moves a descriptor into d, or stays and says why.
func down(fd int) (int, error) {
	next, err := unix.Openat(fd, "d", unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fd, err
	}
	unix.Close(fd)
	return next, nil
}

// testSnapshotSwapped races a session that swaps folders and files for links
// to what it may not read, while snapshots are taken.
func testSnapshotSwapped(t *testing.T, k WorkspacesKit) {
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("SECRET"), 0o600), "write")
	ref := newRef()
	path := made(t, k.Workspaces, ref)
	ctx, stop := context.WithCancel(context.Background())
	var swapper sync.WaitGroup
	var swaps atomic.Int64
	ready := make(chan error, 1)
	swapper.Go(func() {
		trySession(func() error {
			dir, link := filepath.Join(path, "dir"), filepath.Join(path, "zlink")
			file, fileLink := filepath.Join(path, "file"), filepath.Join(path, "zfile")
			ready <- errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "secret"), []byte("mine"), 0o644),
				os.Symlink(outside, link), os.WriteFile(file, []byte("mine"), 0o644), os.Symlink(filepath.Join(outside, "secret"), fileLink))
			for i := 0; ctx.Err() == nil; i++ {
				unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE)
				unix.Renameat2(unix.AT_FDCWD, file, unix.AT_FDCWD, fileLink, unix.RENAME_EXCHANGE)
				os.Mkdir(filepath.Join(path, "brief"), 0o755)
				os.Remove(filepath.Join(path, "brief"))
				swaps.Add(1)
			}
			return nil
		})
	})
	defer swapper.Wait()
	defer stop()
	must(t, <-ready, "the session's files")
	// On an emulated machine with one processor each takes half a minute and sees
	// as many swaps as a host's twenty, which are some 800.
	for i := 0; i < 5 || i < 20 && swaps.Load() < 1000; i++ {
		s := snapshot(t, k.Workspaces, ref, "stop-"+string(rune('1'+i%9))+string(rune('0'+i/9)))
		_, clone := cloned(t, k.Workspaces, s)
		for _, name := range []string{"dir", "zlink", "file", "zfile"} {
			noSecret(t, filepath.Join(clone, name))
			noSecret(t, filepath.Join(clone, name, "secret"))
		}
	}
	wantText(t, filepath.Join(outside, "secret"), "SECRET")
}

// noSecret opens a file without following links and looks at what it holds.
func noSecret(t *testing.T, path string) {
	t.Helper()
	dir, err := unix.Open(filepath.Dir(path), unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return // the folder is the link, or a file: nothing was copied through it
	}
	defer unix.Close(dir)
	fd, err := unix.Openat(dir, filepath.Base(path), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	text := make([]byte, 16)
	if n, _ := f.Read(text); string(text[:n]) == "SECRET" {
		t.Errorf("%s holds what a link led to", path)
	}
}

func testClone(t *testing.T, k WorkspacesKit) {
	ref := newRef()
	path := made(t, k.Workspaces, ref)
	write(t, filepath.Join(path, "file"), "text")
	s := snapshot(t, k.Workspaces, ref, "stop-1")
	write(t, filepath.Join(path, "file"), "later")
	other := snapshot(t, k.Workspaces, ref, "stop-2")
	to, clone := cloned(t, k.Workspaces, session.Snapshot{Ref: s.Ref, Name: s.Name})
	wantTop(t, clone)
	wantText(t, filepath.Join(clone, "file"), "text")
	write(t, filepath.Join(clone, "file"), "changed")
	write(t, filepath.Join(clone, "new"), "new")
	again := k.Reopen(t)
	must(t, again.Clone(patient(t), s, to), "Clone again")
	wantText(t, filepath.Join(clone, "file"), "changed")
	wantKind(t, again.Clone(patient(t), other, to), fault.Exists, "Clone of another snapshot over it")
	must(t, again.Create(patient(t), to), "Create over a clone")
	wantText(t, filepath.Join(clone, "file"), "changed")
	wantKind(t, again.Clone(patient(t), s, ref), fault.Exists, "Clone over the original")
	wantText(t, filepath.Join(path, "file"), "later")
	if list, err := again.Snapshots(patient(t), to); err != nil || len(list) != 0 {
		t.Errorf("a clone has the snapshots %v, %v", list, err)
	}
}

func testCloneOfClone(t *testing.T, k WorkspacesKit) {
	ref := newRef()
	write(t, filepath.Join(made(t, k.Workspaces, ref), "first"), "1")
	second, path := cloned(t, k.Workspaces, snapshot(t, k.Workspaces, ref, "stop-1"))
	write(t, filepath.Join(path, "second"), "2")
	s := snapshot(t, k.Workspaces, second, "stop-2")
	if s.Ref != second {
		t.Errorf("Snapshot: %+v", s)
	}
	_, third := cloned(t, k.Workspaces, s)
	wantText(t, filepath.Join(third, "first"), "1")
	wantText(t, filepath.Join(third, "second"), "2")
}
