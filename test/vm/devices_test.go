package vm_test

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	gpuNode = "/dev/nvidia0"
	// A device node of another driver in the GPU's place: FUSE's, which anybody
	// may open and no container gets by itself.
	gpuMajor, gpuMinor = 10, 229
	gpuLink            = "/dev/char/10:229"
)

// cdiSpec is an operator's, for the GPU of test/vm/nvml.
const cdiSpec = `{"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": [
	{"name": "GPU-5f1a7c2e-0000-4000-8000-000000000001", "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia0"}]}}]}`

// TestDaemonReloadTakesNoDevice: systemd sets the devices of its units anew when
// it is reloaded (https://github.com/NVIDIA/nvidia-container-toolkit/issues/48). A
// session's control group is runc's own and no unit's, so that it keeps its GPU,
// with or without the link in /dev/char. medforged makes the link all the same:
// containers of others are units, and some versions of runc tell systemd only of
// devices that have one.
func TestDaemonReloadTakesNoDevice(t *testing.T) {
	withGPUNode(t)
	p, s, i, pid := session(t)
	if target, err := os.Readlink(gpuLink); err != nil || target != "../nvidia0" {
		t.Errorf("%s: %q, %v", gpuLink, target, err)
	}
	group := controlGroup(t, pid, "devices")
	if strings.Contains(group, ".") { // a unit's has its suffix
		t.Errorf("the session is in a unit of systemd's: %s", group)
	}
	t.Logf("the session's devices: %s", group)
	opens := func(when string) {
		t.Helper()
		if code, errno := i.do("GET", "/probe/open?path="+gpuNode, ""); code != 200 || errno != "" {
			t.Errorf("%s, opening %s in the session: %d %s", when, gpuNode, code, errno)
			return
		}
		t.Logf("%s: the session opens %s", when, gpuNode)
	}
	other := otherContainer(t)
	opens("at the start")
	if err := opensInGroup(t, other); err != nil {
		t.Errorf("before the reload, another's container: %v", err)
	}
	run(t, "systemctl", "daemon-reload")
	opens("after systemctl daemon-reload")
	if err := opensInGroup(t, other); err != nil {
		t.Errorf("after the reload, another's container: %v", err)
	}

	// That the other's container, which is a unit, loses a device that systemd does
	// not know of shows that this test can fail.
	run(t, "systemctl", "set-property", "--runtime", otherScope, "DeviceAllow=")
	run(t, "rm", gpuLink)
	run(t, "systemctl", "daemon-reload")
	opens("after a reload without the link")
	err := opensInGroup(t, other)
	if err == nil {
		t.Error("a reload takes nothing from a unit: this test shows nothing")
	}
	t.Logf("another's container, which is a unit: %v", err)
	unit(t, "restart")
	opens("after medforged's restart")
	well(t)
	lives(t, p, s, i, pid)
}

// withGPUNode makes medforged work on the GPU of test/vm/nvml, until the test ends.
func withGPUNode(t *testing.T) {
	t.Helper()
	run(t, "modprobe", "fuse")
	if err := unix.Mknod(gpuNode, unix.S_IFCHR|0o666, int(unix.Mkdev(gpuMajor, gpuMinor))); err != nil {
		t.Fatal(err)
	}
	run(t, "chmod", "666", gpuNode)
	run(t, "rm", "-f", gpuLink) // udev's
	run(t, "mkdir", "-p", "/etc/cdi")
	const spec = "/etc/cdi/test.json"
	if err := os.WriteFile(spec, []byte(cdiSpec), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		run(t, "rm", "-f", gpuNode, spec, gpuLink)
		if err := os.Symlink("../fuse", gpuLink); err != nil {
			t.Error(err)
		}
	})
	configured(t, `driver = "simulated"`, `driver = "nvml"
library_path = "/mnt/payload/libnvidia-ml.so.1"`)
}

// configured restarts the daemon with one setting changed, until the test ends.
func configured(t *testing.T, from, to string) {
	t.Helper()
	config, err := os.ReadFile(configPath)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(config), from) {
		t.Fatalf("%s has no %s:\n%s", configPath, from, config)
	}
	with := func(text string) {
		t.Helper()
		if err := os.WriteFile(configPath, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		unit(t, "restart")
		well(t)
	}
	t.Cleanup(func() { with(string(config)) })
	with(strings.Replace(string(config), from, to, 1))
}

const otherScope = "other-gpu.scope"

// otherContainer runs a container that is not MedForge's, with the GPU's node, in
// a unit of systemd's, as Docker and Kubernetes do by default. It returns its main
// process.
func otherContainer(t *testing.T) int {
	t.Helper()
	const name = "gpu"
	ctr := func(args ...string) string { return run(t, "ctr", append([]string{"-n", "other"}, args...)...) }
	ctr("images", "import", "/mnt/payload/pack.oci.tar")
	image, _, _ := strings.Cut(ctr("images", "ls", "-q"), "\n")
	ctr("run", "-d", "--runc-systemd-cgroup", "--cgroup", "system.slice:other:"+name, "--device", gpuNode, image, name, "/ide", "child-sleep")
	t.Cleanup(func() {
		try(t, "ctr", "-n", "other", "tasks", "rm", "-f", name) // its exit code is the container's
		ctr("containers", "rm", name)
	})
	for line := range strings.Lines(ctr("tasks", "ls")) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == name {
			pid, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatalf("the container %s does not run", name)
	return 0
}

// opensInGroup opens the GPU's node in another process's control group.
func opensInGroup(t *testing.T, pid int) error {
	t.Helper()
	code, _, stderr := try(t, "sh", "-c", `echo $$ >"$1/cgroup.procs" && exec 3<>"$2"`, "sh", controlGroup(t, pid, "devices"), gpuNode)
	if code != 0 {
		return errors.New(stderr)
	}
	return nil
}
