package vm_test

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestTwoDaemonsOnOneDirectory(t *testing.T) {
	code, _, stderr := try(t, "medforged", "--config", configPath, "--socket", "/run/second.sock", "--http-listen", "127.0.0.1:0")
	if code != 1 || !strings.Contains(stderr, "Another medforged works on /var/lib/medforge") || !strings.Contains(stderr, "systemctl stop medforged") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestPoolMissing: the daemon starts and says what is wrong; when the pool is
// there again, nothing needs a restart.
func TestPoolMissing(t *testing.T) {
	p := newPerson(t, "ada")
	unit(t, "stop")
	run(t, "zpool", "export", "tank")
	exported := true
	back := func() {
		if exported {
			run(t, "zpool", "import", "tank")
			exported = false
		}
	}
	t.Cleanup(back)
	unit(t, "start")
	code, _, stderr := try(t, "runuser", p.args("session", "start")...)
	if code == 0 || !strings.Contains(stderr, "tank") || !strings.Contains(stderr, "zpool import") {
		t.Errorf("a start without the pool: exit code %d: %s", code, stderr)
	}
	code, stdout, _ := try(t, "medforge", "doctor")
	if code != 1 || !strings.Contains(stdout, "tank") || !strings.Contains(stdout, "zpool import") {
		t.Errorf("doctor: exit code %d:\n%s", code, stdout)
	}
	if code, body, err := socketGet(t.Context(), "/healthz"); err != nil || code != 503 || !strings.Contains(body, "tank") {
		t.Errorf("healthz without the pool: %d %s %v", code, body, err)
	}
	back()
	well(t)
	s := p.start(t)
	p.open(t, s).write("/workspace/there", "again")
}

// TestContainerDies: the process and its shim are killed; the files have their
// snapshot, and the GPU is free.
func TestContainerDies(t *testing.T) {
	for _, who := range []string{"process", "shim"} {
		t.Run(who, func(t *testing.T) {
			p, s, i, pid := session(t)
			i.write("/workspace/kept", who)
			victim := pid
			if who == "shim" {
				victim = shimOf(t, s)
			}
			run(t, "kill", "-KILL", strconv.Itoa(victim))
			ended(t, p, s)
		})
	}
}

// shimOf finds the shim by its command line.
func shimOf(t *testing.T, s sess) int {
	t.Helper()
	out := run(t, "pgrep", "-f", "containerd-shim-runc-v2.* -id "+s.ContainerID)
	pid, err := strconv.Atoi(out)
	if err != nil {
		t.Fatalf("the shim of %s: %q", s.ContainerID, out)
	}
	return pid
}

// ended waits until a session whose container is gone is over, in order. One
// that ended by itself says why.
func ended(t *testing.T, p person, s sess) {
	t.Helper()
	eventually(t, "the session has ended", 5*time.Minute, func() bool {
		now := p.show(t, s.Slug)
		return now.Status == "stopped" || now.Status == "error" && now.ErrorMessage != ""
	})
	if all := snapshots(t, s); len(all) != 1 || !strings.Contains(all[0], "@stop-") {
		t.Errorf("the snapshots are %q", all)
	}
	for _, g := range decode[[]gpu](t, run(t, "medforge", "gpu", "list", "-o", "json")) {
		if g.Session != nil && *g.Session == s.Slug {
			t.Errorf("GPU %d still has the session", g.Index)
		}
	}
	if out := run(t, "ip", "netns", "list"); strings.Contains(out, s.Slug) {
		t.Errorf("a network namespace is left: %s", out)
	}
	left := mountsOf(t, s)
	if len(left) == 1 && strings.Contains(left[0], " /run/containerd/") {
		// containerd cleans up after a dead shim by a program that it gives five
		// seconds, which are too few on an emulated machine that is busy. What it
		// missed it does at its next start.
		run(t, "systemctl", "restart", "containerd")
		well(t)
		left = mountsOf(t, s)
	}
	if len(left) > 0 {
		t.Errorf("mounts are left:\n%s", strings.Join(left, ""))
	}
}

// mountsOf are a session's mounts besides its workspace, which stays mounted.
func mountsOf(t *testing.T, s sess) (left []string) {
	t.Helper()
	for line := range strings.Lines(run(t, "cat", "/proc/mounts")) {
		if strings.Contains(line, s.Slug) {
			left = append(left, line)
		}
	}
	return left
}

type gpu struct {
	Index   int     `json:"index"`
	Session *string `json:"session"`
}
