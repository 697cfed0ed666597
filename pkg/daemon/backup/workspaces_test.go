package backup_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/daemon/backup"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/store/storetest"
	"github.com/medforge/medforge/pkg/testkit/promised"
)

// stranger makes a workspace as somebody who means harm might, or only works.
func stranger(t *testing.T, dir string) {
	t.Helper()
	top := filepath.Join(dir, "workspaces", "user", "session", "workspace")
	must(t, os.RemoveAll(filepath.Join(dir, "workspaces")))
	must(t, os.MkdirAll(filepath.Join(top, "a b", strings.Repeat("deep/", 40)), 0o755))
	must(t, os.Chmod(filepath.Join(dir, "workspaces"), 0o700))
	file := func(name, text string) string {
		path := filepath.Join(top, name)
		must(t, os.WriteFile(path, []byte(text), 0o640))
		must(t, os.Lchown(path, 1000, 1000))
		must(t, os.Chtimes(path, time.Unix(1_000_000_000, 0), time.Unix(1_000_000_000, 123_456_789)))
		return path
	}
	file("-rf", "a name like a flag")
	file("new\nline \xff", "a name that is no text")
	must(t, os.Link(file("one", "two names"), filepath.Join(top, "two")))
	must(t, unix.Setxattr(file("attributes", ""), "user.mark", []byte("kept"), 0))
	must(t, os.Symlink("/etc/passwd", filepath.Join(top, "out")))
	must(t, os.Symlink("../../../../../lock", filepath.Join(top, "up")))
	must(t, os.Truncate(file("holes", "begin"), 64<<30)) // on no disk of ours if it were written out
	must(t, unix.Mkfifo(filepath.Join(top, "fifo"), 0o600))
	// 20 MiB that no compression makes small, so that there are several parts.
	noise := make([]byte, 20<<20)
	for i := range noise {
		noise[i] = byte(i * i >> 7)
	}
	file("large", string(noise))
	must(t, os.Mkdir(filepath.Join(dir, "workspaces", "user", ".new-session"), 0o700))
}

// found is everything of workspaces, as lstat and reading show it.
func found(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	inodes := map[uint64]string{}
	root := filepath.Join(dir, "workspaces")
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		must(t, err)
		rel, _ := filepath.Rel(root, path)
		if strings.HasPrefix(d.Name(), ".new-") {
			return fs.SkipDir
		}
		var st unix.Stat_t
		must(t, unix.Lstat(path, &st))
		fmt.Fprintf(&out, "%q %o %d:%d %d.%d", rel, st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec)
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFLNK:
			to, err := os.Readlink(path)
			must(t, err)
			fmt.Fprintf(&out, " to %s", to)
		case unix.S_IFREG:
			if first, linked := inodes[st.Ino]; linked {
				fmt.Fprintf(&out, " is %q", first)
				break
			}
			inodes[st.Ino] = rel
			fmt.Fprintf(&out, " %d", st.Size)
			if st.Size < 1<<30 {
				text, err := os.ReadFile(path)
				must(t, err)
				fmt.Fprintf(&out, " %.100q %d", text, bytes.Count(text, []byte{7}))
			}
			value := make([]byte, 100)
			if n, err := unix.Getxattr(path, "user.mark", value); err == nil {
				fmt.Fprintf(&out, " mark=%s", value[:n])
			}
		}
		out.WriteByte('\n')
		return nil
	}))
	return out.String()
}

func TestWorkspacesAreRestored(t *testing.T) {
	t.Parallel()
	promised.Root(t, "owners are kept")
	db, dir := medforge(t, storetest.SQLiteConfig(t))
	stranger(t, dir)
	source := backup.Source{Store: db, Driver: store.SQLite, DataDir: dir, Workspaces: true, Now: time.Unix(1_700_000_000, 0)}
	archive := takeFrom(t, source)
	want := found(t, dir)
	to := fresh(t, storetest.SQLiteConfig(t))
	// Interrupted first, then whole.
	for n := len(archive) / 7; n < len(archive); n += len(archive) / 5 {
		if _, err := backup.Restore(t.Context(), bytes.NewReader(archive[:n]), to); !fault.Is(err, fault.Invalid) {
			t.Errorf("cut at %d of %d: %v", n, len(archive), err)
		}
	}
	_, err := backup.Restore(t.Context(), bytes.NewReader(archive), to)
	must(t, err)
	if got := found(t, to.DataDir); got != want {
		t.Errorf("restored:\n%s\nwant:\n%s", got, want)
	}
	if _, err := os.Lstat(filepath.Join(to.DataDir, "workspaces/user/.new-session")); err == nil {
		t.Error("what was in the making is in the backup")
	}
	// Not over others.
	other := fresh(t, storetest.SQLiteConfig(t))
	must(t, os.MkdirAll(filepath.Join(other.DataDir, "workspaces/somebody"), 0o700))
	if _, err := backup.Restore(t.Context(), bytes.NewReader(archive), other); fault.CodeOf(err) != "backup/not-fresh" || !strings.Contains(err.Error(), "mv ") {
		t.Errorf("over other workspaces: %v", err)
	}
	// Without them they are left alone.
	source.Workspaces = false
	_, err = backup.Restore(t.Context(), bytes.NewReader(takeFrom(t, source)), other)
	must(t, err)
}
