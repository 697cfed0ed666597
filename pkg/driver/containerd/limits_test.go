package containerd_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/cgroups/v3"

	"github.com/medforge/medforge/pkg/driver/containerd"
	"github.com/medforge/medforge/pkg/porttest"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// TestLimits runs into each limit.
func TestLimits(t *testing.T) {
	t.Parallel()
	var said watch.Output
	h := newHost(t, func(c *containerd.Config) { c.Logger = slog.New(slog.NewTextHandler(&said, nil)) })
	exits, err := h.Driver.Exits(t.Context())
	noErr(t, err)
	s := h.spec(t, h.importMini(t))
	s.Limits = session.Limits{CPUMillis: 1500, MemoryBytes: 96 << 20, PIDs: 64}
	p := h.start(t, s)

	t.Run("memory", func(t *testing.T) {
		if end, err := p.Eat(16 << 20); err != nil || end != "exit status 0" {
			t.Errorf("a child with 16 MiB ended with %q, %v", end, err)
		}
		if end, err := p.Eat(512 << 20); err != nil || end != "signal: killed" {
			t.Errorf("a child with 512 MiB of 96 ended with %q, %v", end, err)
		}
		if c, err := h.Driver.Inspect(t.Context(), s.Slug); err != nil || !c.Running {
			t.Errorf("the session did not outlive its child: %+v, %v", c, err)
		}
		watch.Until(t, "the log tells of it", func() bool { return strings.Contains(said.String(), "more memory than it may") })
		select {
		case e := <-exits:
			t.Errorf("the end of a child was delivered as the session's: %+v", e)
		default:
		}
	})
	t.Run("pids", func(t *testing.T) {
		n, err := p.Fork(200)
		noErr(t, err)
		if n < 5 || n > 60 { // each has several threads, which count
			t.Errorf("%d children could be started with a limit of 64 tasks", n)
		}
	})
	t.Run("cpu", func(t *testing.T) {
		want, file := "150000", "cpu/%s/cpu.cfs_quota_us"
		if cgroups.Mode() == cgroups.Unified {
			want, file = "150000 100000", "%s/cpu.max"
		}
		group := filepath.Join(h.Namespace, session.ContainerName(s.Slug))
		got, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", fmt.Sprintf(file, group)))
		if err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("%s is %q, %v; want %s", file, got, err, want)
		}
	})
	t.Run("open files", func(t *testing.T) {
		limits, err := p.Read("/proc/1/limits")
		noErr(t, err)
		for line := range strings.Lines(limits) {
			f := strings.Fields(line)
			if strings.HasPrefix(line, "Max core file size") && f[4] != "0" {
				t.Errorf("core files: %s", line)
			}
			if strings.HasPrefix(line, "Max open files") && (f[3] == "1024" || f[4] == "1024") {
				t.Errorf("open files: %s", line)
			}
		}
	})
}

// TestSharedMemory is of the configured size where half the memory is more.
func TestSharedMemory(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(c *containerd.Config) { c.ShmBytes = 96 << 20 })
	spec := h.spec(t, h.importMini(t))
	spec.Limits.MemoryBytes = 512 << 20
	info, err := h.start(t, spec).Read("/proc/self/mountinfo")
	noErr(t, err)
	if !strings.Contains(info, "size=98304k") {
		t.Errorf("no mount of 96 MiB:\n%s", info)
	}
}

// TestNoLimits is a session on a host that divides nothing up.
func TestNoLimits(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	p := h.start(t, h.spec(t, h.importMini(t)))
	if end, err := p.Eat(256 << 20); err != nil || end != "exit status 0" {
		t.Errorf("a child with 256 MiB ended with %q, %v", end, err)
	}
	info, err := p.Read("/proc/self/mountinfo")
	noErr(t, err)
	for line := range strings.Lines(info) {
		if strings.Contains(line, " /dev/shm ") && !strings.Contains(line, "size=8388608k") {
			t.Errorf("/dev/shm: %s", line)
		}
	}
}

func TestBadSpecs(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	digest := h.importMini(t)
	for name, change := range map[string]func(*session.Spec){
		"session id":     func(s *session.Spec) { s.SessionID = "1" },
		"user id":        func(s *session.Spec) { s.UserID = "../x" },
		"workspace":      func(s *session.Spec) { s.WorkspacePath = "relative" },
		"socket folder":  func(s *session.Spec) { s.SocketPath = "" },
		"negative limit": func(s *session.Spec) { s.Limits.PIDs = -1 },
	} {
		s := porttest.NewSpec(t, digest)
		change(&s)
		if err := h.Driver.Create(t.Context(), s); err == nil || !strings.Contains(err.Error(), " ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestExitsOfOthers wants only the ends of main processes: not those of
// processes that were started beside them, nor of a namespace's other
// containers.
func TestExitsOfOthers(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	s := h.spec(t, h.importMini(t))
	p := h.start(t, s)
	exits, err := h.Driver.Exits(t.Context())
	noErr(t, err)
	h.exec(t, s.Slug, "/ide", "child-eat", "1")
	p.Exit(9)
	select {
	case e := <-exits:
		if e.Slug != s.Slug || e.ExitCode != 9 {
			t.Errorf("the first exit is %+v, want the main process's with code 9", e)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("no exit")
	}
}
