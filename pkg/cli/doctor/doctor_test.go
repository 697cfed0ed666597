package doctor

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/api"
)

// well is a host on which everything is as it should be, below a folder.
func well(t *testing.T) Host {
	t.Helper()
	dir, err := os.MkdirTemp("", "mf-doctor-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, name := range []string{"medforged.sock", "containerd.sock"} {
		l, err := net.Listen("unix", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if err := os.Chmod(filepath.Join(dir, name), 0o660); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range cniPlugins {
		write(t, filepath.Join(dir, "cni", p), 0o755)
	}
	write(t, filepath.Join(dir, "proc/driver/nvidia/version"), 0o644)
	put(t, filepath.Join(dir, unified), "cpuset cpu io memory hugetlb pids rdma misc\n", 0o644)
	return Host{
		Socket: filepath.Join(dir, "medforged.sock"), Containerd: filepath.Join(dir, "containerd.sock"),
		CNIBinDirs: []string{filepath.Join(dir, "none"), filepath.Join(dir, "cni")},
		Domain:     "example.org", DataDir: filepath.Join(dir, "not/made/yet"), Root: dir,
		Lookup: func(context.Context, string) ([]string, error) { return []string{"192.0.2.7"}, nil },
		Run:    func(_ context.Context, name string, _ ...string) (string, error) { return name + " 1.7\nmore\n", nil },
		Clock:  func() (bool, bool) { return true, true },
		Space:  func(string) (uint64, uint64, error) { return 500 << 30, 1000 << 30, nil },
	}
}

// unified is the file that only version 2 of the control groups has.
const unified = "sys/fs/cgroup/cgroup.controllers"

func write(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	put(t, path, "NVRM version:  NVIDIA  570\n", mode)
}

func put(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// legacy makes a host's control groups those of version 1, with these controllers.
func legacy(h *Host, controllers ...string) {
	_ = os.Remove(filepath.Join(h.Root, unified))
	for _, c := range controllers {
		dir := filepath.Join(h.Root, "sys/fs/cgroup", c)
		_ = os.MkdirAll(dir, 0o755)
		_ = os.WriteFile(filepath.Join(dir, "cgroup.procs"), nil, 0o644)
	}
}

func find(t *testing.T, checks []api.Check, name string) api.Check {
	t.Helper()
	for _, c := range checks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no check %q in %v", name, checks)
	return api.Check{}
}

func TestAWellHost(t *testing.T) {
	t.Parallel()
	checks := well(t).Checks(context.Background())
	if len(checks) != 9 {
		t.Errorf("%d checks", len(checks))
	}
	for _, c := range checks {
		if c.Status != api.CheckOK || c.Detail == "" || c.Fix != "" {
			t.Errorf("%+v", c)
		}
	}
}

func TestWhatIsWrongIsSaidWithItsFix(t *testing.T) {
	t.Parallel()
	gone := errors.New("not found")
	for _, c := range []struct {
		name   string
		check  string
		spoil  func(h *Host)
		status api.CheckStatus
		detail string
		fix    string
	}{
		{"no socket", "socket", func(h *Host) { h.Socket = "/nowhere" }, api.CheckFail, "not there", "medforged"},
		{"a file", "socket", func(h *Host) { h.Socket = filepath.Join(h.Root, "cni/bridge") }, api.CheckFail, "no socket", "restart"},
		{"open to all", "socket", func(h *Host) { _ = os.Chmod(h.Socket, 0o666) }, api.CheckFail, "0666", "restart"},
		{"foreign group", "socket", func(h *Host) { h.SocketGroup = "no-such-group" }, api.CheckFail, "no-such-group", "groupadd"},
		{"containerd down", "containerd", func(h *Host) { h.Containerd = "/nowhere" }, api.CheckFail, "nothing answers at /nowhere", "systemctl"},
		{"no containerd", "containerd", func(h *Host) {
			h.Containerd = "/nowhere"
			h.Run = func(context.Context, string, ...string) (string, error) { return "", gone }
		}, api.CheckFail, "not installed", "apt-get install containerd"},
		{"containerd elsewhere, perhaps", "containerd", func(h *Host) { h.Containerd, h.Assumed = "/nowhere", true }, api.CheckWarn, "default path", "systemctl"},
		{"no runc", "runc", func(h *Host) {
			h.Run = func(context.Context, string, ...string) (string, error) { return "", gone }
		}, api.CheckFail, "cannot be run", "apt-get install runc"},
		{"control groups of version 1", "control groups", func(h *Host) { legacy(h, "cpu", "devices", "memory", "pids") }, api.CheckOK, "version 1", ""},
		{"version 1 without memory", "control groups", func(h *Host) {
			legacy(h, "cpu", "devices", "pids")
			_ = os.Mkdir(filepath.Join(h.Root, "sys/fs/cgroup/memory"), 0o755) // nothing is mounted there
		}, api.CheckFail, "version 1 at", "systemd.unified_cgroup_hierarchy=0"},
		{"the missing one is named", "control groups", func(h *Host) { legacy(h, "cpu", "devices", "pids") }, api.CheckFail, "without memory: no session", "restart the host"},
		{"version 2 without memory", "control groups", func(h *Host) {
			_ = os.WriteFile(filepath.Join(h.Root, unified), []byte("cpuset cpu io pids\n"), 0o644)
		}, api.CheckFail, "without memory: no session", "cgroup_disable="},
		{"no control groups", "control groups", func(h *Host) { legacy(h) }, api.CheckFail, "without cpu, devices, memory, pids", "restart the host"},
		{"a plugin is missing", "CNI plugins", func(h *Host) { _ = os.Remove(filepath.Join(h.Root, "cni/host-local")) }, api.CheckFail, "host-local not found", "containernetworking-plugins"},
		{"a plugin cannot run", "CNI plugins", func(h *Host) { _ = os.Chmod(filepath.Join(h.Root, "cni/bridge"), 0o644) }, api.CheckFail, "bridge not found", "containernetworking-plugins"},
		{"no driver", "NVIDIA driver", func(h *Host) { h.Root = "/nowhere" }, api.CheckFail, "not loaded", "simulated"},
		{"no driver needed", "NVIDIA driver", func(h *Host) { h.Root, h.Simulated = "/nowhere", true }, api.CheckOK, "simulated", ""},
		{"no names", "host names", func(h *Host) {
			h.Lookup = func(_ context.Context, host string) ([]string, error) {
				if strings.HasPrefix(host, "s-") {
					return nil, gone
				}
				return []string{"192.0.2.7"}, nil
			}
		}, api.CheckFail, "not found: s-aaaaaaaa.medforge.example.org", "*.medforge.example.org"},
		{"localhost", "host names", func(h *Host) {
			h.Domain = "localhost"
			h.Lookup = func(context.Context, string) ([]string, error) { return nil, gone }
		}, api.CheckOK, "browsers", ""},
		{"clock runs free", "clock", func(h *Host) { h.Clock = func() (bool, bool) { return false, true } }, api.CheckWarn, "not synchronised", "set-ntp"},
		{"clock unknown", "clock", func(h *Host) { h.Clock = func() (bool, bool) { return false, false } }, api.CheckWarn, "cannot be seen", ""},
		{"disk full", "disk space", func(h *Host) {
			h.Space = func(string) (uint64, uint64, error) { return 1 << 30, 1000 << 30, nil }
		}, api.CheckFail, "1 GiB of 1000 GiB", "free some space"},
		{"disk nearly full", "disk space", func(h *Host) {
			h.Space = func(string) (uint64, uint64, error) { return 5 << 30, 1000 << 30, nil }
		}, api.CheckWarn, "5 GiB", "free some space"},
		{"disk unknown", "disk space", func(h *Host) {
			h.Space = func(string) (uint64, uint64, error) { return 0, 0, gone }
		}, api.CheckWarn, "cannot be seen", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := well(t)
			c.spoil(&h)
			got := find(t, h.Checks(context.Background()), c.check)
			if got.Status != c.status || !strings.Contains(got.Detail, c.detail) || !strings.Contains(got.Fix, c.fix) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestSpaceIsAskedWhereTheDataWillBe(t *testing.T) {
	t.Parallel()
	h := well(t)
	var asked string
	h.Space = func(path string) (uint64, uint64, error) { asked = path; return 500 << 30, 1000 << 30, nil }
	h.disk(context.Background())
	if asked != h.Root {
		t.Errorf("asked at %s, want %s", asked, h.Root)
	}
}

func TestTheRealSystemAnswers(t *testing.T) {
	t.Parallel()
	h := Host{}.System()
	if free, total, err := h.Space("/"); err != nil || free > total || total == 0 {
		t.Errorf("%d of %d, %v", free, total, err)
	}
	if out, err := h.Run(context.Background(), "sh", "-c", "echo hello"); out != "hello\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	h.Clock() // either answer is one
}
