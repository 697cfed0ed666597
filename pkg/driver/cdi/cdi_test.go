package cdi_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	oci "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	specs "tags.cncf.io/container-device-interface/specs-go"

	"github.com/medforge/medforge/pkg/driver/cdi"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/testkit/promised"
)

const uuid = "GPU-11111111-2222-3333-4444-555555555555"

func write(t *testing.T, path, content string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// operator writes a spec as nvidia-ctk does: a device by index and by UUID.
func operator(t *testing.T, dir, library string) {
	t.Helper()
	write(t, filepath.Join(dir, "nvidia.yaml"), `
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
- name: "0"
  containerEdits: {env: [BY=index]}
- name: `+uuid+`
  containerEdits: {env: [BY=operator]}
- name: all
  containerEdits: {env: [BY=all]}
containerEdits:
  mounts:
  - {hostPath: `+library+`, containerPath: /usr/lib/libcuda.so.1.2.3, options: [ro, bind]}
  - {hostPath: /run/nowhere/daemon.sock, containerPath: /run/nowhere/daemon.sock}
`, 0o644)
}

func own() *specs.Spec {
	return &specs.Spec{
		Version: "0.5.0",
		Kind:    "medforge.local/gpu",
		Devices: []specs.Device{{Name: uuid, ContainerEdits: specs.ContainerEdits{Env: []string{"BY=medforge"}}}},
	}
}

func find(t *testing.T, r *cdi.Registry, uuid string) (string, []string) {
	t.Helper()
	name, passed, err := r.Find(uuid)
	if err != nil {
		t.Fatal(err)
	}
	return name, passed
}

func TestFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	etc, run := filepath.Join(dir, "etc"), filepath.Join(dir, "run")
	library := write(t, filepath.Join(dir, "libcuda.so.1.2.3"), "", 0o644)
	r := cdi.New([]string{etc, filepath.Join(dir, "none")}, run)

	if name, passed := find(t, r, uuid); name != "" || len(passed) > 0 {
		t.Errorf("nothing there: %q %v", name, passed)
	}
	if err := r.Write(own()); err != nil {
		t.Fatal(err)
	}
	if name, _ := find(t, r, uuid); name != "medforge.local/gpu="+uuid {
		t.Errorf("our own: %q", name)
	}
	operator(t, etc, library)
	if name, passed := find(t, r, uuid); name != "nvidia.com/gpu="+uuid || len(passed) > 0 {
		t.Errorf("the operator's comes first: %q %v", name, passed)
	}
	for _, other := range []string{"", "0", "all", "GPU-11111111"} {
		if name, _ := find(t, r, other); other != "0" && other != "all" && name != "" {
			t.Errorf("%q is %q", other, name)
		}
	}
	// The driver was updated, the operator's spec was not.
	if err := os.Remove(library); err != nil {
		t.Fatal(err)
	}
	if name, passed := find(t, r, uuid); name != "medforge.local/gpu="+uuid || len(passed) != 1 || !strings.Contains(passed[0], "libcuda.so.1.2.3") {
		t.Errorf("a spec that names what is gone: %q %v", name, passed)
	}
	write(t, filepath.Join(etc, "broken.json"), "{", 0o644)
	if _, passed := find(t, r, uuid); len(passed) != 2 || !strings.Contains(strings.Join(passed, " "), "broken.json") {
		t.Errorf("a broken spec: %v", passed)
	}
}

func TestInject(t *testing.T) {
	t.Parallel()
	r := cdi.New(nil, t.TempDir())
	if err := r.Write(own()); err != nil {
		t.Fatal(err)
	}
	spec := &oci.Spec{Process: &oci.Process{}}
	if err := r.Inject(spec, []string{"medforge.local/gpu=" + uuid}); err != nil || len(spec.Process.Env) != 1 || spec.Process.Env[0] != "BY=medforge" {
		t.Errorf("%v %+v", err, spec.Process)
	}
	if err := r.Inject(spec, []string{"nvidia.com/gpu=GPU-x"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown: %v", err)
	}
	if err := r.Inject(nil, nil); err != nil {
		t.Errorf("none: %v", err)
	}
}

func TestWriteRefusesOtherKinds(t *testing.T) {
	t.Parallel()
	spec := own()
	spec.Kind = "nvidia.com/gpu"
	if err := cdi.New(nil, t.TempDir()).Write(spec); err == nil {
		t.Error("a spec of another kind was written")
	}
}

func TestFindHook(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := write(t, filepath.Join(dir, "a", cdi.HookName), "#!", 0o755)
	open := write(t, filepath.Join(dir, "b", cdi.HookName), "#!", 0o777)
	plain := write(t, filepath.Join(dir, "c", cdi.HookName), "#!", 0o644)
	if p, err := cdi.FindHook("", filepath.Dir(good)); p != good {
		t.Errorf("beside medforged: %q %v", p, err)
	}
	if p, err := cdi.FindHook(good, filepath.Dir(open)); p != good {
		t.Errorf("configured: %q %v", p, err)
	}
	for path, why := range map[string]string{open: "written by everybody", plain: "not a program", dir: "not a program", dir + "/none": "is not there"} {
		if p, err := cdi.FindHook(path, filepath.Dir(good)); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %q %v; want %q", path, p, err, why)
		}
	}
}

func TestLinkDevices(t *testing.T) {
	t.Parallel()
	dev := t.TempDir()
	char := filepath.Join(dev, "char")
	if made, err := cdi.LinkDevices(dev, char); made != 0 || err != nil {
		t.Errorf("no devices: %d %v", made, err)
	}
	for name, minor := range map[string]uint32{"nvidia0": 0, "nvidia11": 11, "nvidiactl": 255, "nvidia-caps/nvidia-cap1": 1, "null": 3} {
		path := filepath.Join(dev, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(195+uint32(len(filepath.Dir(name)))-1, minor))); err != nil {
			promised.Missing(t, "this user cannot make device nodes: %v", err)
		}
	}
	write(t, filepath.Join(dev, "nvidia-modeset"), "a file, no device", 0o644)
	if err := os.MkdirAll(char, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../gone", filepath.Join(char, "195:11")); err != nil {
		t.Fatal(err)
	}
	if made, err := cdi.LinkDevices(dev, char); made != 4 || err != nil {
		t.Errorf("%d %v; want 4 links", made, err)
	}
	for link, want := range map[string]string{"195:0": "../nvidia0", "195:11": "../nvidia11", "195:255": "../nvidiactl", "205:1": "../nvidia-caps/nvidia-cap1"} {
		if got, err := os.Readlink(filepath.Join(char, link)); got != want {
			t.Errorf("%s: %q %v; want %q", link, got, err, want)
		}
	}
	if made, err := cdi.LinkDevices(dev, char); made != 0 || err != nil {
		t.Errorf("again: %d %v", made, err)
	}
	if entries, err := os.ReadDir(char); err != nil || len(entries) != 4 {
		t.Errorf("left behind: %v %v", entries, err)
	}
	if err := os.Remove(filepath.Join(char, "195:0")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(char, "195:0"), "somebody's", 0o644)
	if _, err := cdi.LinkDevices(dev, char); err == nil || !strings.Contains(err.Error(), "195:0") {
		t.Errorf("what is no link is left and said: %v", err)
	}
}

func TestMakeUVM(t *testing.T) {
	t.Parallel()
	dev := t.TempDir()
	if err := unix.Mknod(filepath.Join(dev, "try"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))); err != nil {
		promised.Missing(t, "this user cannot make device nodes: %v", err)
	}
	devices := write(t, filepath.Join(t.TempDir(), "devices"), "Character devices:\n  1 mem\n195 nvidia\n", 0o644)
	loads := 0
	u := cdi.UVM{Devices: devices, Load: func(context.Context) error {
		loads++
		return errors.New("no such module")
	}}
	if made, err := u.Make(t.Context(), dev); made != 0 || err == nil || !strings.Contains(err.Error(), "no such module") {
		t.Errorf("a module that cannot be loaded: %d, %v", made, err)
	}
	u.Load = func(context.Context) error {
		loads++
		write(t, devices, "Character devices:\n195 nvidia\n238 nvidia-uvm\n\nBlock devices:\n", 0o644)
		return nil
	}
	if made, err := u.Make(t.Context(), dev); made != 2 || err != nil || loads != 2 {
		t.Errorf("%d, %v, loaded %d times", made, err, loads)
	}
	for minor, name := range []string{"nvidia-uvm", "nvidia-uvm-tools"} {
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(dev, name), &st); err != nil || st.Rdev != unix.Mkdev(238, uint32(minor)) || st.Mode != unix.S_IFCHR|0o666 {
			t.Errorf("%s: %v, %d:%d, mode %o", name, err, unix.Major(st.Rdev), unix.Minor(st.Rdev), st.Mode)
		}
	}
	if made, err := u.Make(t.Context(), dev); made != 0 || err != nil {
		t.Errorf("again: %d, %v", made, err)
	}
}
