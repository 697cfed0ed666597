package beneath

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/testkit/promised"
)

func open(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := OpenRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNamesThatLeaveAreRefused(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600))
	path := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(path, "in/side"), 0o755))
	must(t, os.WriteFile(filepath.Join(path, "in/file"), nil, 0o644))
	must(t, os.Symlink(outside, filepath.Join(path, "out")))
	must(t, os.Symlink("in", filepath.Join(path, "near")))
	must(t, os.Symlink("/proc/self/root", filepath.Join(path, "magic")))
	d := open(t, path)

	for name, want := range map[string]error{
		"out/secret":                 unix.ELOOP,
		"near/file":                  unix.ELOOP,
		"magic/etc":                  unix.ELOOP,
		"../" + filepath.Base(path):  unix.EXDEV,
		"in/../../x":                 unix.EXDEV,
		filepath.Join(path, "in"):    unix.EXDEV,
		"in/file/":                   unix.ENOTDIR,
		"nothing":                    fs.ErrNotExist,
		strings.Repeat("n", 256):     unix.ENAMETOOLONG,
		"in/\x00":                    unix.EINVAL,
		"":                           fs.ErrNotExist,
		"in/side/../../../etc/hosts": unix.EXDEV,
	} {
		f, err := d.Open(name, unix.O_RDONLY, 0)
		if !errors.Is(err, want) {
			t.Errorf("Open(%q): %v, want %v", name, err, want)
		}
		if err == nil {
			f.Close()
		}
	}
	for _, name := range []string{"", ".", "..", "a/b", "/etc", "a\x00"} {
		for op, err := range map[string]error{
			"Mkdir": d.Mkdir(name, 0o700), "Unlink": d.Unlink(name), "Rmdir": d.Rmdir(name),
			"Rename": d.Rename(name, "x", 0), "RenameTo": d.Rename("in", name, 0),
			"RemoveAll": d.RemoveAll(t.Context(), name),
		} {
			if !errors.Is(err, unix.EINVAL) {
				t.Errorf("%s(%q): %v, want EINVAL", op, name, err)
			}
		}
	}
	if f, err := d.Open("in/side/../file", unix.O_RDONLY, 0); err != nil {
		t.Errorf("a name that stays inside: %v", err)
	} else {
		f.Close()
	}
}

func TestStatSeesTheLinkItself(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	must(t, os.Symlink("/etc/passwd", filepath.Join(path, "link")))
	st, err := open(t, path).Stat("link")
	must(t, err)
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		t.Errorf("mode %o is not a link's", st.Mode)
	}
}

func TestOpenRegularRefusesTheRest(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	must(t, unix.Mkfifo(filepath.Join(path, "fifo"), 0o600))
	must(t, os.Mkdir(filepath.Join(path, "dir"), 0o700))
	must(t, os.Symlink("file", filepath.Join(path, "link")))
	must(t, os.WriteFile(filepath.Join(path, "file"), []byte("x"), 0o600))
	d := open(t, path)
	for _, name := range []string{"fifo", "dir", "link"} {
		if f, _, err := d.OpenRegular(name); !errors.Is(err, unix.EINVAL) {
			t.Errorf("OpenRegular(%q): %v, want EINVAL", name, err)
			if err == nil {
				f.Close()
			}
		}
	}
	f, st, err := d.OpenRegular("file")
	must(t, err)
	f.Close()
	if st.Size != 1 {
		t.Errorf("size %d", st.Size)
	}
}

// deep makes a chain of directories below path, each with a link beside.
func deep(t *testing.T, path string, levels int) {
	t.Helper()
	fd, err := unix.Open(path, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	for i := range levels {
		must(t, unix.Symlinkat("/", fd, fmt.Sprint("z", i)))
		name := fmt.Sprint("d", i)
		must(t, unix.Mkdirat(fd, name, 0o700))
		next, err := unix.Openat(fd, name, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		must(t, err)
		unix.Close(fd)
		fd = next
	}
	unix.Close(fd)
}

func TestDeepTreeWithFewDescriptors(t *testing.T) { // alone: it counts descriptors
	const levels = 10_000
	path := memoryDir(t)
	must(t, os.Mkdir(filepath.Join(path, "top"), 0o700))
	deep(t, filepath.Join(path, "top"), levels)
	d := open(t, path)
	seen, most := 0, 0
	must(t, Walk(t.Context(), d, func(int, string, *unix.Statx_t) error {
		if seen++; seen%1000 == 0 {
			most = max(most, descriptors(t))
		}
		return nil
	}))
	if want := 2*levels + 1; seen != want {
		t.Errorf("saw %d entries, want %d", seen, want)
	}
	if most > 3*window {
		t.Errorf("%d descriptors open at once", most)
	}
	must(t, d.RemoveAll(t.Context(), "top"))
	if _, err := d.Stat("top"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after RemoveAll: %v", err)
	}
	must(t, d.RemoveAll(t.Context(), "top"))
}

// memoryDir is a folder in memory where there is one: ten thousand directories
// on a busy disk take a minute.
func memoryDir(t *testing.T) string {
	t.Helper()
	path, err := os.MkdirTemp("/dev/shm", "medforge-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(path) })
	return path
}

func descriptors(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(fds)
}

func TestTooDeepIsSaid(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	c, err := NewCursor(open(t, path))
	must(t, err)
	defer c.Close()
	c.levels = append(c.levels, slices.Repeat([]level{{fd: -1}}, MaxDepth)...)
	if err := c.Enter("x"); !errors.Is(err, ErrTooDeep) {
		t.Errorf("got %v", err)
	}
}

func TestManyEntriesAreReadOnce(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	want := map[string]bool{}
	for i := range 3000 {
		name := fmt.Sprintf("%d\n\xff%s", i, strings.Repeat("é", 100))
		want[name] = true
		must(t, os.WriteFile(filepath.Join(path, name), nil, 0o600))
	}
	must(t, Walk(t.Context(), open(t, path), func(_ int, name string, _ *unix.Statx_t) error {
		if !want[name] {
			t.Errorf("%q: unknown, or seen twice", name)
		}
		delete(want, name)
		return nil
	}))
	if len(want) != 0 {
		t.Errorf("%d names not seen", len(want))
	}
}

// TestRootMovedAwayWhileDeep moves a directory near the top after the cursor
// has closed it: the way back must say so, and end at the root all the same.
func TestRootMovedAwayWhileDeep(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	deep(t, path, 3*window)
	c, err := NewCursor(open(t, path))
	must(t, err)
	defer c.Close()
	for i := range 3 * window {
		must(t, c.Enter(fmt.Sprint("d", i)))
	}
	must(t, os.Rename(filepath.Join(path, "d0/d1"), filepath.Join(path, "elsewhere")))
	must(t, os.Mkdir(filepath.Join(path, "d0/d1"), 0o700)) // another of the name
	depths := []int{}
	for {
		done, err := Ascend(c)
		must(t, err)
		if done {
			break
		}
		depths = append(depths, c.Depth())
		if _, err := c.Next(); err != nil {
			t.Fatalf("at depth %d: %v", c.Depth(), err)
		}
	}
	if slices.Contains(depths, 2) || !slices.Contains(depths, 1) || !slices.Contains(depths, 0) {
		t.Errorf("came through depths %v", depths)
	}
}

// TestSwappedForLinks races a stranger who swaps directories for links to a
// place outside against everything that goes down a tree.
func TestSwappedForLinks(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "secret"), nil, 0o600))
	path := t.TempDir()
	d := open(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	var swapper sync.WaitGroup
	swapper.Go(func() {
		dir, link := filepath.Join(path, "work/dir"), filepath.Join(path, "link")
		for ctx.Err() == nil {
			os.MkdirAll(dir, 0o700)
			os.WriteFile(filepath.Join(dir, "secret"), nil, 0o600)
			os.Symlink(outside, link)
			unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE)
			os.RemoveAll(link)
			os.RemoveAll(dir)
		}
	})
	defer swapper.Wait()
	defer cancel()
	var out unix.Stat_t
	must(t, unix.Stat(filepath.Join(outside, "secret"), &out))
	for range 2000 {
		if f, st, err := openSecret(d); err == nil {
			f.Close()
			if st.Ino == out.Ino {
				t.Fatal("opened the file outside")
			}
		}
		err := Walk(ctx, d, func(_ int, name string, st *unix.Statx_t) error {
			if st.Ino == out.Ino {
				return errors.New("walked to the file outside")
			}
			return nil
		})
		must(t, err)
		if err := d.RemoveAll(ctx, "work"); err != nil && !errors.Is(err, unix.ENOTEMPTY) && !Gone(err) {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(outside, "secret")); err != nil {
		t.Fatal(err)
	}
}

func openSecret(d *Dir) (*os.File, unix.Statx_t, error) {
	f, err := d.Open("work/dir/secret", unix.O_RDONLY, 0)
	if err != nil {
		return nil, unix.Statx_t{}, err
	}
	var st unix.Statx_t
	return f, st, StatFd(int(f.Fd()), &st)
}

func TestRemoveAllStopsAtAMount(t *testing.T) {
	t.Parallel()
	promised.Root(t, "it mounts")
	path := t.TempDir()
	mount := filepath.Join(path, "top/mount")
	must(t, os.MkdirAll(mount, 0o700))
	must(t, unix.Mount("tmpfs", mount, "tmpfs", 0, "size=64k"))
	t.Cleanup(func() { unix.Unmount(mount, unix.MNT_DETACH) })
	must(t, os.WriteFile(filepath.Join(mount, "kept"), nil, 0o600))
	if err := open(t, path).RemoveAll(t.Context(), "top"); !errors.Is(err, unix.EBUSY) {
		t.Errorf("got %v, want EBUSY", err)
	}
	if _, err := os.Stat(filepath.Join(mount, "kept")); err != nil {
		t.Error(err)
	}
}
