package containerd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/containerd/containerd/v2/pkg/cio"

	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// standIn is a process that looks like the shim of a session's container, and
// what ends it.
func standIn(t *testing.T, namespace, slug string) (ended chan struct{}, end func()) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", "read x", "-namespace", namespace, "-id", session.ContainerName(slug), "-address", "/elsewhere")
	cmd.Args[0] = "/usr/bin/containerd-shim-runc-v2"
	in, err := cmd.StdinPipe()
	noErr(t, err)
	noErr(t, cmd.Start())
	ended = make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	end = func() { _ = in.Close() }
	t.Cleanup(func() { end(); <-ended })
	return ended, end
}

// A daemon that was killed as containerd deleted a task for it leaves a shim
// that containerd has forgotten. Remove ends it, and no other's.
func TestForgottenShim(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	forgotten, _ := standIn(t, h.Namespace, "aaaaaaa2")
	other, _ := standIn(t, h.Namespace, "aaaaaaa3")
	foreign, _ := standIn(t, "elsewhere", "aaaaaaa2")
	noErr(t, h.Driver.Remove(t.Context(), "aaaaaaa2"))
	watch.Until(t, "the end of the forgotten shim", func() bool {
		select {
		case <-forgotten:
			return true
		default:
			return false
		}
	})
	for _, ended := range []chan struct{}{other, foreign} {
		select {
		case <-ended:
			t.Error("another's shim was ended")
		default:
		}
	}
}

// A daemon was killed as containerd made a task for it, and the old shim still
// ends: the next daemon makes no task beside it, which containerd would take
// away with the old one.
func TestStartWaitsForTheShimBefore(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	s := h.spec(t, h.importMini(t))
	noErr(t, h.Driver.Create(t.Context(), s))
	next := h.Containerd.Driver(t, nil)
	ended, end := standIn(t, h.Namespace, s.Slug)
	time.AfterFunc(time.Second, end)
	noErr(t, next.Start(t.Context(), s.Slug))
	select {
	case <-ended:
	default:
		t.Error("started beside the shim of an earlier try")
	}
	h.probe(t, s.Slug)
}

// containerd cleared a task away, and its folder stayed because the shim had
// mounted the container's files in it once more: the session starts
// nevertheless, and no file of a container is deleted with the folder.
func TestStartWhereAFolderStayed(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	s := h.spec(t, h.importMini(t))
	noErr(t, h.Driver.Create(t.Context(), s))
	root := filepath.Join(h.Dir, "state/io.containerd.runtime.v2.task", h.Namespace, session.ContainerName(s.Slug), "rootfs")
	noErr(t, os.MkdirAll(root, 0o711))
	files := t.TempDir()
	noErr(t, os.WriteFile(filepath.Join(files, "work"), nil, 0o600))
	noErr(t, os.Mkdir(filepath.Join(root, "proc"), 0o700)) // runc's
	noErr(t, unix.Mount(files, root, "", unix.MS_BIND, ""))
	noErr(t, os.WriteFile(filepath.Join(filepath.Dir(root), "config.json"), nil, 0o600))
	noErr(t, unix.Mount(files, root, "", unix.MS_BIND, "")) // once more
	noErr(t, h.Driver.Start(t.Context(), s.Slug))
	h.probe(t, s.Slug)
	if _, err := os.Stat(filepath.Join(files, "work")); err != nil {
		t.Error(err)
	}
}

// The daemon was killed as runc let the container's program go, and runc with
// it: the program runs, and to runc it still waits, for a start that would hang.
func TestStartWhereOneWasCut(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	s := h.spec(t, h.importMini(t))
	noErr(t, h.Driver.Create(t.Context(), s))
	id := session.ContainerName(s.Slug)
	c, err := h.Client().LoadContainer(h.Context(t), id)
	noErr(t, err)
	_, err = c.NewTask(h.Context(t), cio.NullIO)
	noErr(t, err)
	fifo, err := os.Open(filepath.Join(h.Dir, "runc", h.Namespace, id, "exec.fifo"))
	noErr(t, err)
	_, err = fifo.Read(make([]byte, 1))
	noErr(t, err)
	noErr(t, fifo.Close())
	h.probe(t, s.Slug)
	noErr(t, h.Driver.Start(t.Context(), s.Slug))
	h.probe(t, s.Slug)
	if v, err := h.Driver.Inspect(t.Context(), s.Slug); err != nil || !v.Running {
		t.Errorf("%+v, %v", v, err)
	}
}
