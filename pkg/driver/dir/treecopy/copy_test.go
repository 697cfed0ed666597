package treecopy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/beneath"
	"github.com/medforge/medforge/pkg/testkit/promised"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func dir(t testing.TB, path string) *beneath.Dir {
	t.Helper()
	must(t, os.MkdirAll(path, 0o700))
	d, err := beneath.OpenRoot(path)
	must(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

// copyOf copies a folder and returns where to.
func copyOf(t testing.TB, from string, o Options) (string, Stats, error) {
	t.Helper()
	promised.Root(t, "it keeps owners")
	base := t.TempDir()
	to := filepath.Join(base, "copy")
	o.Links = dir(t, filepath.Join(base, "links"))
	stats, err := Copy(t.Context(), dir(t, from), dir(t, to), o)
	return to, stats, err
}

func TestCounts(t *testing.T) {
	t.Parallel()
	from := t.TempDir()
	must(t, os.WriteFile(filepath.Join(from, "suid"), []byte("data"), 0o755))
	must(t, unix.Mkfifo(filepath.Join(from, "fifo"), 0o600))
	must(t, unix.Mknod(filepath.Join(from, "socket"), unix.S_IFSOCK|0o600, 0))
	if os.Geteuid() == 0 {
		must(t, os.Mkdir(filepath.Join(from, "mount"), 0o700))
		must(t, unix.Mount("medforge-test", filepath.Join(from, "mount"), "tmpfs", 0, "size=64k"))
		t.Cleanup(func() { unix.Unmount(filepath.Join(from, "mount"), 0) })
		must(t, os.WriteFile(filepath.Join(from, "mount/inside"), nil, 0o600))
		must(t, unix.Mknod(filepath.Join(from, "device"), unix.S_IFBLK|0o600, 7))
		must(t, unix.Setxattr(filepath.Join(from, "suid"), "trusted.x", []byte("x"), 0))
	}
	must(t, unix.Chmod(filepath.Join(from, "suid"), 0o4755))
	to, got, err := copyOf(t, from, Options{})
	must(t, err)
	got.Cloned, got.Copied, got.Bytes = 0, got.Cloned+got.Copied, 0
	want := Stats{Entries: 2, Copied: 1, Sockets: 1, Devices: 1, Mounts: 1, Stripped: 2}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, name := range []string{"socket", "device", "mount"} {
		if _, err := os.Lstat(filepath.Join(to, name)); !os.IsNotExist(err) {
			t.Errorf("%s was copied: %v", name, err)
		}
	}
	var st unix.Stat_t
	must(t, unix.Stat(filepath.Join(to, "suid"), &st))
	if st.Mode&0o7777 != 0o755 {
		t.Errorf("mode %o", st.Mode)
	}
}

// TestMoreNamesThanFit copies a file that has as many names as ext4 gives one,
// which with the index's own name is one more than fits.
func TestMoreNamesThanFit(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("makes 65,000 names")
	}
	from := t.TempDir()
	file := filepath.Join(from, "0")
	must(t, os.WriteFile(file, []byte("data"), 0o600))
	n := 1
	for ; n < 65_000; n++ {
		err := os.Link(file, filepath.Join(from, fmt.Sprint(n)))
		if errors.Is(err, unix.EMLINK) {
			break
		}
		must(t, err)
	}
	to, stats, err := copyOf(t, from, Options{})
	must(t, err)
	entries, err := os.ReadDir(to)
	must(t, err)
	if len(entries) != n || stats.Entries != int64(n) {
		t.Errorf("%d names copied, %d counted, want %d", len(entries), stats.Entries, n)
	}
	if stats.Copied+stats.Cloned > stats.SplitLink+1 {
		t.Errorf("more copies than splits: %+v", stats)
	}
}

// TestReusedNumber must not take a new file for the old one of its inode
// number: the index knows files by their birth too.
func TestReusedNumber(t *testing.T) {
	t.Parallel()
	var a unix.Statx_t
	a.Ino, a.Btime.Sec, a.Btime.Nsec = 7, 1, 1
	b := a
	b.Btime.Nsec = 2
	if linkKey(&a) == linkKey(&b) {
		t.Error("the same key")
	}
}

// TestChangesMeanwhile copies a tree that is made, filled, cut, moved and
// removed meanwhile: the copy must come to an end without an error.
func TestChangesMeanwhile(t *testing.T) {
	t.Parallel()
	from := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	defer busy.Wait()
	defer stop()
	for i := range 3 {
		busy.Go(func() { churn(ctx, from, i) })
	}
	must(t, os.Mkdir(filepath.Join(from, "still"), 0o700))
	must(t, os.WriteFile(filepath.Join(from, "still/file"), []byte("text"), 0o600))
	for range 30 {
		to, _, err := copyOf(t, from, Options{})
		must(t, err)
		if text, err := os.ReadFile(filepath.Join(to, "still/file")); err != nil || string(text) != "text" {
			t.Fatalf("what did not change: %q, %v", text, err)
		}
	}
}

func churn(ctx context.Context, from string, n int) {
	for i := 0; ctx.Err() == nil; i++ {
		a, b := filepath.Join(from, fmt.Sprint("a", n)), filepath.Join(from, fmt.Sprint("b", n, i%3))
		os.MkdirAll(filepath.Join(a, "x/y/z"), 0o700)
		name := filepath.Join(a, "x/file")
		os.WriteFile(name, make([]byte, 300<<10), 0o600)
		os.Link(name, filepath.Join(a, "x/y/link"))
		os.Truncate(name, 10)
		os.Rename(filepath.Join(a, "x/y"), filepath.Join(from, fmt.Sprint("moved", n)))
		os.Rename(a, b)
		os.RemoveAll(filepath.Join(from, fmt.Sprint("moved", n)))
		os.RemoveAll(b)
	}
}
