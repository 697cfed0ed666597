package sockdir

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/porttest"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/testkit/promised"
)

const slug = "abcd2345"

// sockets returns folders of the test's own and unmounts what is left of them.
func sockets(t *testing.T) *Sockets {
	t.Helper()
	promised.Root(t, "it mounts a tmpfs for every folder")
	run := filepath.Join(t.TempDir(), "run")
	t.Cleanup(func() {
		folders, _ := filepath.Glob(filepath.Join(run, "*"))
		for _, f := range folders {
			for unix.Unmount(f, unix.MNT_DETACH) == nil {
			}
		}
	})
	s, err := New(run)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	porttest.Sockets(t, func(t *testing.T) porttest.SocketsKit {
		s := sockets(t)
		return porttest.SocketsKit{Sockets: s, Reopen: func(t *testing.T) session.Sockets {
			again, err := New(s.runDir)
			if err != nil {
				t.Fatal(err)
			}
			return again
		}}
	})
}

func TestRunDirMustBeOurs(t *testing.T) {
	t.Parallel()
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", "relative/run", open} {
		if _, err := New(dir); !fault.Is(err, fault.Invalid) {
			t.Errorf("New(%q): %v, want invalid", dir, err)
		}
	}
}

// TestAfterCrashes meets every state in which a kill can leave a folder.
func TestAfterCrashes(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(path string) error{
		"made, not mounted": func(path string) error { return os.Mkdir(path, 0o700) },
		"mounted twice": func(path string) error {
			for range 2 {
				os.Mkdir(path, 0o700)
				if err := unix.Mount("medforge-"+slug, path, "tmpfs", mountFlags, mountOptions); err != nil {
					return err
				}
			}
			return nil
		},
		"files below the mount": func(path string) error {
			if err := os.MkdirAll(filepath.Join(path, "old"), 0o700); err != nil {
				return err
			}
			return unix.Mount("medforge-"+slug, path, "tmpfs", mountFlags, mountOptions)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sockets(t)
			path := filepath.Join(s.runDir, slug)
			if err := before(path); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Create(t.Context(), slug); err != nil {
				t.Fatal(err)
			}
			var st unix.Statfs_t
			if err := unix.Statfs(path, &st); err != nil || st.Type != unix.TMPFS_MAGIC {
				t.Fatalf("no tmpfs there: %x, %v", st.Type, err)
			}
			if want := int64(unix.ST_NODEV | unix.ST_NOSUID | unix.ST_NOEXEC); st.Flags&want != want {
				t.Errorf("mount flags %x", st.Flags)
			}
			if err := s.Remove(t.Context(), slug); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Lstat(path); !os.IsNotExist(err) {
				t.Errorf("still there: %v", err)
			}
		})
	}
}

// TestRemoveWhileInUse removes a folder in which somebody has a file open.
func TestRemoveWhileInUse(t *testing.T) {
	t.Parallel()
	s := sockets(t)
	path, err := s.Create(t.Context(), slug)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(path, "open"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := s.Remove(t.Context(), slug); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("still there: %v", err)
	}
}
