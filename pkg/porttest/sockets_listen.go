package porttest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/fault"
)

// answers makes sure that what a session reaches at the api socket is l.
func answers(t *testing.T, l net.Listener, path string) {
	t.Helper()
	go func() {
		if c, err := l.Accept(); err == nil {
			io.WriteString(c, "the daemon")
			c.Close()
		}
	}()
	asSession(t, func() error {
		c, err := net.Dial("unix", filepath.Join(path, "api.sock"))
		if err != nil {
			return err
		}
		defer c.Close()
		said, err := io.ReadAll(c)
		if err == nil && string(said) != "the daemon" {
			t.Errorf("a session heard %q", said)
		}
		return err
	})
}

func testListenAPI(t *testing.T, k SocketsKit) {
	_, err := k.Sockets.ListenAPI(deadline(t), slugA)
	wantKind(t, err, fault.Unavailable, "no folder")
	path := folder(t, k, slugA)
	first, err := k.Sockets.ListenAPI(deadline(t), slugA)
	must(t, err, "ListenAPI")
	answers(t, first, path)
	if got, want := first.Addr().String(), filepath.Join(readlink(t, path), "api.sock"); got != want {
		t.Errorf("Addr: %s, want %s", got, want)
	}
	must(t, first.Close(), "Close")
	for range 3 { // replaced whether it was closed or not
		l, err := k.Reopen(t).ListenAPI(deadline(t), slugA)
		must(t, err, "ListenAPI again")
		defer l.Close()
		answers(t, l, path)
	}
	entries, err := os.ReadDir(path)
	must(t, err, "ReadDir")
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

// testListenOverTraps finds something else where the api socket belongs.
func testListenOverTraps(t *testing.T, k SocketsKit) {
	outside := t.TempDir()
	kept := filepath.Join(outside, "kept")
	must(t, os.WriteFile(kept, []byte("kept"), 0o644), "write")
	path := folder(t, k, slugA)
	api := filepath.Join(path, "api.sock")
	for name, set := range map[string]func() error{
		"a link to a file":      func() error { return os.Symlink(kept, api) },
		"a link to a directory": func() error { return os.Symlink(outside, api) },
		"a file":                func() error { return os.WriteFile(api, []byte("x"), 0o600) },
		"a FIFO":                func() error { return unix.Mkfifo(api, 0o600) },
		"an empty directory":    func() error { return os.Mkdir(api, 0) },
		"a directory with a link in it": func() error {
			if err := os.MkdirAll(filepath.Join(api, "deep/er"), 0o700); err != nil {
				return err
			}
			return os.Symlink(outside, filepath.Join(api, "deep/link"))
		},
		"a socket": func() error {
			l, err := net.Listen("unix", api)
			if err != nil {
				return err
			}
			l.(*net.UnixListener).SetUnlinkOnClose(false)
			return l.Close()
		},
	} {
		asSession(t, set)
		l, err := k.Sockets.ListenAPI(deadline(t), slugA)
		must(t, err, name)
		answers(t, l, path)
		must(t, l.Close(), "Close")
		must(t, os.Remove(api), "remove")
		if text, err := os.ReadFile(kept); err != nil || string(text) != "kept" {
			t.Fatalf("%s: what was outside is now %q, %v", name, text, err)
		}
		if st, err := os.Stat(kept); err != nil || st.Mode().Perm() != 0o644 {
			t.Fatalf("%s: the mode outside is now %v, %v", name, st.Mode(), err)
		}
	}
}

// testListenFull makes and replaces the api socket where a session has left no
// room, and where it goes on taking all that it gets.
func testListenFull(t *testing.T, k SocketsKit) {
	path := folder(t, k, slugA)
	asSession(t, func() error { return fill(path) })
	for range 3 {
		l, err := k.Sockets.ListenAPI(deadline(t), slugA)
		must(t, err, "ListenAPI in a full folder")
		defer l.Close()
		answers(t, l, path)
	}
	ctx, stop := context.WithCancel(context.Background())
	var greedy sync.WaitGroup
	greedy.Go(func() {
		trySession(func() error {
			for i := 0; ctx.Err() == nil; i++ {
				os.Symlink("x", filepath.Join(path, fmt.Sprint("more", i)))
			}
			return nil
		})
	})
	defer greedy.Wait()
	defer stop()
	for range 20 {
		l, err := k.Sockets.ListenAPI(deadline(t), slugA)
		if err != nil {
			wantKind(t, err, fault.OutOfSpace, "ListenAPI against a greedy session")
			continue
		}
		defer l.Close()
		answers(t, l, path)
	}
	other := folder(t, k, slugB)
	l, err := k.Sockets.ListenAPI(deadline(t), slugB)
	must(t, err, "ListenAPI beside a greedy session")
	defer l.Close()
	answers(t, l, other)
}

func readlink(t *testing.T, path string) string {
	t.Helper()
	to, err := os.Readlink(path)
	must(t, err, "readlink")
	return to
}
