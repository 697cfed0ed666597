package porttest

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/fault"
)

func testDialIDE(t *testing.T, k SocketsKit) {
	path := folder(t, k, slugA)
	serveAs(t, true, filepath.Join(path, "ide.sock"), "the IDE")
	for _, s := range []interface {
		DialIDE(context.Context, string) (net.Conn, error)
	}{k.Sockets, k.Reopen(t)} {
		c, err := s.DialIDE(deadline(t), slugA)
		if said := greeting(t, c, err); said != "the IDE" {
			t.Errorf("heard %q", said)
		}
	}
}

func testDialNothing(t *testing.T, k SocketsKit) {
	_, err := k.Sockets.DialIDE(deadline(t), slugA)
	wantKind(t, err, fault.Unavailable, "no folder")
	path := folder(t, k, slugA)
	_, err = k.Sockets.DialIDE(deadline(t), slugA)
	wantKind(t, err, fault.Unavailable, "no socket")
	asSession(t, func() error {
		l, err := net.Listen("unix", filepath.Join(path, "ide.sock"))
		if err != nil {
			return err
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		return l.Close()
	})
	_, err = k.Sockets.DialIDE(deadline(t), slugA)
	wantKind(t, err, fault.Unavailable, "nobody listens")
}

// testDialTraps puts in the IDE's place what a session could put there to
// reach a service of the host.
func testDialTraps(t *testing.T, k SocketsKit) {
	host := filepath.Join(t.TempDir(), "host.sock")
	serveAs(t, false, host, "the host")
	must(t, os.Chmod(filepath.Dir(filepath.Dir(host)), 0o755), "chmod")
	must(t, os.Chmod(filepath.Dir(host), 0o755), "chmod")
	must(t, os.Chmod(host, 0o666), "chmod")
	path := folder(t, k, slugA)
	ide := filepath.Join(path, "ide.sock")

	link := func(to string) func() error { return func() error { return os.Symlink(to, ide) } }
	for _, trap := range []struct {
		name string
		set  func() error // as the session
		root func()       // as root: what only a mistake elsewhere could bring about
	}{
		{name: "a link to a host socket", set: link(host)},
		{name: "a link that leads nowhere", set: link("/nowhere")},
		{name: "a link through /proc", set: link("/proc/1/root" + host)},
		{name: "a relative link", set: link("other")},
		{name: "a file", set: func() error { return os.WriteFile(ide, []byte("x"), 0o777) }},
		{name: "a directory", set: func() error { return os.Mkdir(ide, 0o777) }},
		{name: "a FIFO", set: func() error { return unix.Mkfifo(ide, 0o666) }},
		{name: "root's socket", root: func() {
			serveAs(t, false, ide, "the host")
			must(t, os.Chmod(ide, 0o777), "chmod")
		}},
		{name: "root's socket given away", root: func() {
			serveAs(t, false, ide, "the host")
			must(t, os.Chown(ide, sessionUID, sessionUID), "chown")
		}},
	} {
		if trap.set != nil {
			asSession(t, trap.set)
		} else {
			trap.root()
		}
		c, err := k.Sockets.DialIDE(deadline(t), slugA)
		wantKind(t, err, fault.Denied, trap.name)
		if err == nil {
			c.Close()
		}
		must(t, os.RemoveAll(ide), "remove the trap")
	}
}

// testDialSwapped races a session that swaps its socket for a link.
func testDialSwapped(t *testing.T, k SocketsKit) {
	host := filepath.Join(t.TempDir(), "host.sock")
	serveAs(t, false, host, "the host")
	path := folder(t, k, slugA)
	ide, link := filepath.Join(path, "ide.sock"), filepath.Join(path, "link")
	serveAs(t, true, ide, "the IDE")
	must(t, os.Symlink(host, link), "link")
	must(t, os.Lchown(link, sessionUID, sessionUID), "chown")
	ctx, stop := context.WithCancel(context.Background())
	var swapper sync.WaitGroup
	swapper.Go(func() {
		for ctx.Err() == nil {
			unix.Renameat2(unix.AT_FDCWD, ide, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE)
		}
	})
	defer swapper.Wait()
	defer stop()
	reached, refused := 0, 0
	for i := 0; i < 20_000 && (i < 500 || reached == 0 || refused == 0); i++ {
		c, err := k.Sockets.DialIDE(deadline(t), slugA)
		if err != nil {
			wantKind(t, err, fault.Denied, "a link")
			refused++
			continue
		}
		if said := greeting(t, c, nil); said != "the IDE" {
			t.Fatalf("reached %q", said)
		}
		reached++
	}
	if reached == 0 || refused == 0 {
		t.Errorf("reached the IDE %d times and was refused %d times: the race was never seen", reached, refused)
	}
}
