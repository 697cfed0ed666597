package containerd_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/driver/containerd"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// shim returns the process of a session's shim.
func (h *host) shim(t *testing.T, slug string) int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	noErr(t, err)
	for _, f := range files {
		body, _ := os.ReadFile(f)
		args := strings.Split(string(body), "\x00")
		if strings.Contains(args[0], "containerd-shim") && strings.Contains(string(body), h.Address) && strings.Contains(string(body), session.ContainerName(slug)) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			noErr(t, err)
			return pid
		}
	}
	t.Fatalf("session %s has no shim", slug)
	return 0
}

// pid returns the session's main process on the host.
func (h *host) pid(t *testing.T, slug string) int {
	t.Helper()
	c, err := h.Client().LoadContainer(h.Context(t), session.ContainerName(slug))
	noErr(t, err)
	task, err := c.Task(h.Context(t), nil)
	noErr(t, err)
	return int(task.Pid())
}

// gone waits until a process has ended.
func gone(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return
	}
	noErr(t, err)
	defer unix.Close(fd)
	// Not one long wait: the end of any child of ours interrupts it.
	watch.Until(t, fmt.Sprintf("the end of process %d", pid), func() bool {
		n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n == 1
	})
}

// TestBadDays kills what can be killed under a running session, and wants Stop
// and Remove to clear away whatever stands then. That nothing is left is
// asserted at the end of each.
func TestBadDays(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, h *host, slug string){
		"shim killed": func(t *testing.T, h *host, slug string) {
			main := h.pid(t, slug)
			noErr(t, syscall.Kill(h.shim(t, slug), syscall.SIGKILL))
			gone(t, main) // containerd sees to it
		},
		"shim killed and stopped at once": func(t *testing.T, h *host, slug string) {
			noErr(t, syscall.Kill(h.shim(t, slug), syscall.SIGKILL))
		},
		"shim killed while containerd is down": func(t *testing.T, h *host, slug string) {
			main, shim := h.pid(t, slug), h.shim(t, slug)
			h.Kill(t)
			noErr(t, syscall.Kill(shim, syscall.SIGKILL))
			gone(t, shim)
			h.Run(t)
			h.WaitReady(t)
			gone(t, main)
		},
		"containerd restarted": func(t *testing.T, h *host, _ string) {
			h.Stop(t)
			h.Run(t)
			h.WaitReady(t)
		},
		"containerd killed and not waited for": func(t *testing.T, h *host, slug string) {
			h.Kill(t)
			h.Run(t)
			watch.Succeeds(t, "Stop works again", func() error { return h.Driver.Stop(t.Context(), slug, time.Second) })
		},
		"main process killed": func(t *testing.T, h *host, slug string) {
			noErr(t, syscall.Kill(h.pid(t, slug), syscall.SIGKILL))
		},
		"paused": func(t *testing.T, h *host, slug string) {
			c, err := h.Client().LoadContainer(h.Context(t), session.ContainerName(slug))
			noErr(t, err)
			task, err := c.Task(h.Context(t), nil)
			noErr(t, err)
			noErr(t, task.Pause(h.Context(t)))
			if v, err := h.Driver.Inspect(t.Context(), slug); err != nil || !v.Running {
				t.Errorf("a paused session: %+v, %v; want it to count as running", v, err)
			}
			if err := h.Driver.Remove(t.Context(), slug); !fault.Is(err, fault.Busy) {
				t.Errorf("removing a paused session: %v, want Busy", err)
			}
		},
		"container deleted behind our back": func(t *testing.T, h *host, slug string) {
			c, err := h.Client().LoadContainer(h.Context(t), session.ContainerName(slug))
			noErr(t, err)
			task, err := c.Task(h.Context(t), nil)
			noErr(t, err)
			_, err = task.Delete(h.Context(t), client.WithProcessKill)
			noErr(t, err)
			noErr(t, c.Delete(h.Context(t))) // its layer and network stay
		},
		"files of /etc deleted": func(t *testing.T, h *host, _ string) {
			noErr(t, os.RemoveAll(filepath.Join(h.Dir, "run", "etc")))
		},
	}
	for name, harm := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, nil)
			s := h.spec(t, h.importMini(t))
			h.start(t, s)
			main := h.pid(t, s.Slug)
			harm(t, h, s.Slug)
			noErr(t, h.Driver.Stop(t.Context(), s.Slug, 5*time.Second))
			gone(t, main)
			if c, err := h.Driver.Inspect(t.Context(), s.Slug); err == nil && c.Running {
				t.Error("still running after Stop")
			}
			noErr(t, h.Driver.Remove(t.Context(), s.Slug))
			h.AssertClean(t)
			// And the same session can be made anew.
			h.start(t, s)
		})
	}
}

// TestInterruptedStart leaves what a daemon killed between two steps of a start
// leaves, and repeats the start.
func TestInterruptedStart(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	digest := h.importMini(t)

	t.Run("task created and not started", func(t *testing.T) {
		s := h.spec(t, digest)
		noErr(t, h.Driver.Create(t.Context(), s))
		c, err := h.Client().LoadContainer(h.Context(t), session.ContainerName(s.Slug))
		noErr(t, err)
		_, err = c.NewTask(h.Context(t), cio.NullIO)
		noErr(t, err)
		if v, err := h.Driver.Inspect(t.Context(), s.Slug); err != nil || v.Running {
			t.Errorf("Inspect = %+v, %v; want not running", v, err)
		}
		noErr(t, h.Driver.Start(t.Context(), s.Slug))
		h.probe(t, s.Slug)
	})
	t.Run("task created, then stopped and removed", func(t *testing.T) {
		s := h.spec(t, digest)
		noErr(t, h.Driver.Create(t.Context(), s))
		c, err := h.Client().LoadContainer(h.Context(t), session.ContainerName(s.Slug))
		noErr(t, err)
		_, err = c.NewTask(h.Context(t), cio.NullIO)
		noErr(t, err)
		noErr(t, h.Driver.Stop(t.Context(), s.Slug, time.Second))
		noErr(t, h.Driver.Remove(t.Context(), s.Slug))
	})
	t.Run("layer without container", func(t *testing.T) {
		s := h.spec(t, digest)
		_, err := h.Client().SnapshotService("overlayfs").Prepare(h.Context(t), session.ContainerName(s.Slug), "")
		noErr(t, err)
		h.start(t, s) // not on the empty layer
	})
	t.Run("layer without container, removed", func(t *testing.T) {
		s := h.spec(t, digest)
		_, err := h.Client().SnapshotService("overlayfs").Prepare(h.Context(t), session.ContainerName(s.Slug), "")
		noErr(t, err)
		noErr(t, h.Driver.Remove(t.Context(), s.Slug))
	})
	t.Run("container without layer", func(t *testing.T) {
		s := h.spec(t, digest)
		noErr(t, h.Driver.Create(t.Context(), s))
		noErr(t, h.Client().SnapshotService("overlayfs").Remove(h.Context(t), session.ContainerName(s.Slug)))
		h.start(t, s)
	})
	t.Run("after a reboot", func(t *testing.T) {
		// Containers and layers are kept; tasks, networks and /run are not.
		s := h.spec(t, digest)
		h.start(t, s)
		noErr(t, h.Driver.Stop(t.Context(), s.Slug, time.Second))
		netns := filepath.Join(h.Dir, "run", "net", "netns", s.Slug)
		noErr(t, unix.Unmount(netns, unix.MNT_DETACH))
		noErr(t, os.Remove(netns))
		if err := h.Driver.Start(t.Context(), s.Slug); err == nil {
			t.Error("a session without its network started")
		}
		noErr(t, h.Driver.Create(t.Context(), s))
		noErr(t, h.Driver.Start(t.Context(), s.Slug))
		h.probe(t, s.Slug)
	})
	t.Run("refused at the last step", func(t *testing.T) {
		s := h.spec(t, digest)
		s.CDIDevices = []string{"example.com/gpu=none"}
		if err := h.Driver.Create(t.Context(), s); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Create with a device that nobody knows: %v", err)
		}
		if _, err := h.Driver.Inspect(t.Context(), s.Slug); !fault.Is(err, fault.NotFound) {
			t.Errorf("a refused Create left a container: %v", err)
		}
	})
	t.Run("program that does not exist", func(t *testing.T) {
		s := h.spec(t, digest)
		noErr(t, h.Driver.Create(t.Context(), s))
		noErr(t, os.RemoveAll(s.WorkspacePath)) // runc then refuses to start it
		if err := h.Driver.Start(t.Context(), s.Slug); !fault.Is(err, fault.Internal) {
			t.Errorf("Start without a workspace: %v", err)
		}
		noErr(t, h.Driver.Remove(t.Context(), s.Slug))
	})
}

// TestInterruptedAnywhere ends each call's time at a growing moment, and wants
// the next call, with time enough, to finish the work.
func TestInterruptedAnywhere(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	digest := h.importMini(t)
	for _, ms := range []int{1, 4, 11, 23, 45, 64, 90, 128, 256} {
		s := h.spec(t, digest)
		short := func(call func(context.Context) error) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(ms)*time.Millisecond)
			defer cancel()
			if err := call(ctx); err != nil && !fault.Is(err, fault.Unavailable) {
				t.Errorf("a call of %d ms: %v; want Unavailable", ms, err)
			}
		}
		create := func(ctx context.Context) error { return h.Driver.Create(ctx, s) }
		start := func(ctx context.Context) error { return h.Driver.Start(ctx, s.Slug) }
		stop := func(ctx context.Context) error { return h.Driver.Stop(ctx, s.Slug, 0) }
		remove := func(ctx context.Context) error { return h.Driver.Remove(ctx, s.Slug) }
		for _, call := range []func(context.Context) error{create, start} {
			short(call)
			noErr(t, call(t.Context()))
		}
		h.probe(t, s.Slug)
		for _, call := range []func(context.Context) error{stop, remove} {
			short(call)
			noErr(t, call(t.Context()))
		}
		h.AssertClean(t)
	}
}

// TestRestartedDaemon is a second driver that finds the first one's sessions.
func TestRestartedDaemon(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	digest := h.importMini(t)
	first, err := containerd.Open(h.Config(t))
	noErr(t, err)
	s := h.spec(t, digest)
	noErr(t, first.Create(t.Context(), s))
	noErr(t, first.Start(t.Context(), s.Slug))
	p := h.probe(t, s.Slug)
	noErr(t, p.Say("before"))
	noErr(t, first.Close())
	noErr(t, p.Say("after"))

	list, err := h.Driver.List(t.Context())
	noErr(t, err)
	want := session.Container{Slug: s.Slug, SessionID: s.SessionID, UserID: s.UserID, PackDigest: s.PackDigest, GPUUUID: s.GPUUUID, Running: true}
	if len(list) != 1 || list[0] != want {
		t.Errorf("List = %+v, want %+v", list, want)
	}
	noErr(t, h.Driver.Create(t.Context(), s))
	noErr(t, h.Driver.Start(t.Context(), s.Slug))
	watch.Succeeds(t, "the log goes on", func() error { return logHas(h.Driver, s.Slug, "before\nafter\n") })
}

// TestContainerdDownAtStart opens a driver before containerd is there.
func TestContainerdDownAtStart(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	h.Stop(t)
	late := h.Containerd.Driver(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := late.Ping(ctx); fault.CodeOf(err) != "runtime/unavailable" || !strings.Contains(err.Error(), "systemctl status containerd") {
		t.Errorf("Ping: %v", err)
	}
	h.Run(t)
	watch.Succeeds(t, "the driver finds containerd", func() error { _, err := late.Ping(t.Context()); return err })
}
