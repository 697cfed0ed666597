package vm_test

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestSessionControlGroups: the host has the version of control groups that its
// kernel was told to have, and a session's limits are the kernel's in it.
func TestSessionControlGroups(t *testing.T) {
	version, fs, memory := 2, "cgroup2fs", "memory.max"
	if strings.Contains(run(t, "cat", "/proc/cmdline"), "systemd.unified_cgroup_hierarchy=0") {
		version, fs, memory = 1, "tmpfs", "memory.limit_in_bytes" // a hierarchy for each controller, in a tmpfs
	}
	if got := run(t, "stat", "-f", "-c", "%T", "/sys/fs/cgroup"); got != fs {
		t.Fatalf("/sys/fs/cgroup is a %s, want %s for version %d", got, fs, version)
	}
	t.Logf("control groups of version %d, kernel %s, %s, %s", version, run(t, "uname", "-r"),
		firstLine(run(t, "systemctl", "--version")), firstLine(run(t, "runc", "--version")))
	_, s, _, pid := session(t)
	asked := decode[struct {
		Spec struct {
			Linux struct {
				Resources struct {
					Memory struct{ Limit int64 }
					Pids   struct{ Limit int64 }
				}
			}
		}
	}](t, run(t, "ctr", "-n", "medforge", "containers", "info", s.ContainerID)).Spec.Linux.Resources
	for _, c := range []struct {
		controller, file string
		limit            int64
	}{{"memory", memory, asked.Memory.Limit}, {"pids", "pids.max", asked.Pids.Limit}} {
		file := filepath.Join(controlGroup(t, pid, c.controller), c.file)
		got := run(t, "cat", file)
		if c.limit <= 0 || got != strconv.FormatInt(c.limit, 10) {
			t.Errorf("%s is %s, and containerd was asked for %d", file, got, c.limit)
		}
		t.Logf("%s: %s", file, got)
	}
}

// controlGroup is the folder of the control group in which a controller has a
// process: its only one, or with version 1 that of the controller (cgroups(7)).
func controlGroup(t *testing.T, pid int, controller string) (dir string) {
	t.Helper()
	for line := range strings.Lines(run(t, "cat", "/proc/"+strconv.Itoa(pid)+"/cgroup")) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(f) != 3:
		case slices.Contains(strings.Split(f[1], ","), controller):
			return filepath.Join("/sys/fs/cgroup", controller, f[2])
		case f[1] == "":
			dir = filepath.Join("/sys/fs/cgroup", f[2])
		}
	}
	return dir
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
