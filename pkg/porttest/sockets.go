package porttest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/testkit/promised"
)

// SocketsKit is one implementation of session.Sockets.
type SocketsKit struct {
	Sockets session.Sockets
	// Reopen returns the same folders as a daemon that was killed and started
	// again sees them.
	Reopen func(t *testing.T) session.Sockets
}

// Sockets is the conformance suite of session.Sockets. open returns an
// implementation of its own for each test, empty, and cleans it up with
// t.Cleanup. It needs root.
func Sockets(t *testing.T, open func(t *testing.T) SocketsKit) {
	tests := []struct {
		name string
		run  func(t *testing.T, k SocketsKit)
	}{
		{"FolderComesAndGoes", testFolder},
		{"FolderIsLimited", testFolderLimited},
		{"BadSlugs", testSocketSlugs},
		{"Interrupted", testSocketsInterrupted},
		{"DialIDE", testDialIDE},
		{"DialIDENotThere", testDialNothing},
		{"DialIDETraps", testDialTraps},
		{"DialIDEWhileSwapped", testDialSwapped},
		{"ListenAPI", testListenAPI},
		{"ListenAPIOverTraps", testListenOverTraps},
		{"ListenAPIInFullFolder", testListenFull},
		{"OurSocketStays", testOurSocketStays},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			promised.Root(t, "it makes files of user 1000 and mounts")
			tt.run(t, open(t))
		})
	}
}

const slugA, slugB = "aaaa2222", "bbbb3333"

// folder makes a session's folder and returns the path that a session has of it.
func folder(t *testing.T, k SocketsKit, slug string) string {
	t.Helper()
	path, err := k.Sockets.Create(deadline(t), slug)
	must(t, err, "Create")
	return inside(t, path)
}

// serveAs listens on path as the session's user, or as ourselves, and greets.
func serveAs(t *testing.T, asUser bool, path, greeting string) {
	t.Helper()
	var l net.Listener
	listen := func() (err error) {
		l, err = net.Listen("unix", path)
		return err
	}
	if asUser {
		asSession(t, listen)
	} else {
		must(t, listen(), "listen")
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, greeting)
			c.Close()
		}
	}()
}

// greeting reads all that the other end says.
func greeting(t *testing.T, c net.Conn, err error) string {
	t.Helper()
	must(t, err, "connect")
	defer c.Close()
	said, err := io.ReadAll(c)
	must(t, err, "read")
	return string(said)
}

func testFolder(t *testing.T, k SocketsKit) {
	path, err := k.Sockets.Create(deadline(t), slugA)
	must(t, err, "Create")
	mine := filepath.Join(inside(t, path), "mine")
	asSession(t, func() error { return os.WriteFile(mine, nil, 0o600) })
	if again, err := k.Sockets.Create(deadline(t), slugA); err != nil || again != path {
		t.Errorf("Create again: %s, at first %s", again, path)
	}
	if _, err := os.Stat(filepath.Join(path, "mine")); err != nil {
		t.Errorf("Create again emptied the folder: %v", err)
	}
	reopened := k.Reopen(t)
	_, err = reopened.Create(deadline(t), slugB)
	must(t, err, "Create after a restart")
	list, err := reopened.List(deadline(t))
	must(t, err, "List")
	if slices.Sort(list); !slices.Equal(list, []string{slugA, slugB}) {
		t.Errorf("List: %v", list)
	}
	for range 2 {
		must(t, reopened.Remove(deadline(t), slugA), "Remove")
	}
	if list, err = k.Sockets.List(deadline(t)); err != nil || !slices.Equal(list, []string{slugB}) {
		t.Errorf("List after Remove: %v, %v", list, err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}

// testFolderLimited fills one folder: the other must not notice.
func testFolderLimited(t *testing.T, k SocketsKit) {
	full, other := folder(t, k, slugA), folder(t, k, slugB)
	asSession(t, func() error { return fill(full) })
	asSession(t, func() error {
		return os.WriteFile(filepath.Join(other, "data"), make([]byte, 64<<10), 0o600)
	})
	must(t, k.Sockets.Remove(deadline(t), slugA), "Remove a full folder")
}

// fill takes every byte and every name that a folder gives.
func fill(path string) error {
	const enough = 10_000
	for i := range enough {
		err := os.WriteFile(filepath.Join(path, fmt.Sprint("fill", i)), make([]byte, 64<<10), 0o600)
		if err == nil {
			continue
		}
		for j := range enough {
			if err := os.Symlink("x", filepath.Join(path, fmt.Sprint("name", j))); err != nil {
				return nil
			}
		}
	}
	return fmt.Errorf("the folder has no limit")
}

func testSocketSlugs(t *testing.T, k SocketsKit) {
	for _, slug := range []string{"", ".", "..", "../other", "aaaa", "AAAA2222", "aaaa2222x", "aaaa/222", "aaaa111\x00"} {
		_, err := k.Sockets.Create(deadline(t), slug)
		wantKind(t, err, fault.Invalid, fmt.Sprintf("Create(%q)", slug))
		wantKind(t, k.Sockets.Remove(deadline(t), slug), fault.Invalid, fmt.Sprintf("Remove(%q)", slug))
		_, err = k.Sockets.DialIDE(deadline(t), slug)
		wantKind(t, err, fault.Invalid, fmt.Sprintf("DialIDE(%q)", slug))
		_, err = k.Sockets.ListenAPI(deadline(t), slug)
		wantKind(t, err, fault.Invalid, fmt.Sprintf("ListenAPI(%q)", slug))
	}
}

func testSocketsInterrupted(t *testing.T, k SocketsKit) {
	ctx, cancel := context.WithCancel(deadline(t))
	cancel()
	_, err := k.Sockets.Create(ctx, slugA)
	wantKind(t, err, fault.Unavailable, "Create")
	folder(t, k, slugA)
	wantKind(t, k.Sockets.Remove(ctx, slugA), fault.Unavailable, "Remove")
	_, err = k.Sockets.List(ctx)
	wantKind(t, err, fault.Unavailable, "List")
	_, err = k.Sockets.ListenAPI(ctx, slugA)
	wantKind(t, err, fault.Unavailable, "ListenAPI")
	must(t, k.Sockets.Remove(deadline(t), slugA), "Remove")
}

func testOurSocketStays(t *testing.T, k SocketsKit) {
	path := folder(t, k, slugA)
	l, err := k.Sockets.ListenAPI(deadline(t), slugA)
	must(t, err, "ListenAPI")
	defer l.Close()
	api := filepath.Join(path, "api.sock")
	for what, f := range map[string]func() error{
		"remove":  func() error { return os.Remove(api) },
		"rename":  func() error { return os.Rename(api, filepath.Join(path, "gone")) },
		"replace": func() error { return replace(path, api) },
		"chmod":   func() error { return os.Chmod(api, 0) },
	} {
		if err := trySession(f); err == nil {
			t.Errorf("a session could %s the api socket", what)
		}
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o777 || st.Mode()&os.ModeSticky == 0 {
		t.Errorf("the folder's mode: %v, %v", st.Mode(), err)
	}
	if err := trySession(func() error { return os.Chmod(path, 0o755) }); err == nil {
		t.Error("a session could chmod the folder")
	}
}

func replace(path, api string) error {
	mine := filepath.Join(path, "mine")
	if err := os.WriteFile(mine, nil, 0o600); err != nil {
		return err
	}
	return unix.Rename(mine, api)
}
