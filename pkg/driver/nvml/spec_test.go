//go:build cgo

package nvml_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	oci "github.com/opencontainers/runtime-spec/specs-go"

	gonvml "github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/medforge/medforge/pkg/driver/nvml"
	"github.com/medforge/medforge/pkg/fault"
)

// inject gives a device to a container and returns its spec.
func inject(t *testing.T, d *nvml.Driver, o nvml.Options, uuid string) *oci.Spec {
	t.Helper()
	names, err := d.CDIDevices(t.Context(), uuid)
	if err != nil {
		t.Fatal(err)
	}
	spec := &oci.Spec{Process: &oci.Process{Env: []string{"NVIDIA_VISIBLE_DEVICES=" + uuid}}, Linux: &oci.Linux{Resources: &oci.LinuxResources{}}}
	if err := o.Specs.Inject(spec, names); err != nil {
		t.Fatal(err)
	}
	return spec
}

func ownSpec(t *testing.T, h host) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(h.run, "medforge.local-gpu.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A container gets its own device, the control nodes, the driver's libraries
// and the hooks, and no other device.
func TestOwnSpec(t *testing.T) {
	t.Parallel()
	h, b := newHost(t, 8), newBench(t, 8)
	o := h.options()
	d := open(t, b, o)
	spec := inject(t, d, o, b.uuids[3])
	var nodes []string
	for _, dev := range spec.Linux.Devices {
		nodes = append(nodes, dev.Path)
	}
	got := strings.Join(nodes, " ")
	if !strings.Contains(got, "/dev/nvidia3") || !strings.Contains(got, "/dev/nvidiactl") || !strings.Contains(got, "/dev/nvidia-uvm") || len(nodes) != 3 {
		t.Errorf("device nodes: %s", got)
	}
	if len(spec.Linux.Resources.Devices) != 3 {
		t.Errorf("allowed devices: %+v", spec.Linux.Resources.Devices)
	}
	mounts := map[string]string{}
	for _, m := range spec.Mounts {
		mounts[m.Destination] = m.Source
	}
	for _, want := range []string{"/usr/lib/x86_64-linux-gnu/libcuda.so." + driverVersion, "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so." + driverVersion, "/usr/bin/nvidia-smi"} {
		if !strings.HasPrefix(mounts[want], h.root) {
			t.Errorf("%s is not mounted: %v", want, mounts)
		}
	}
	if spec.Hooks == nil || len(spec.Hooks.CreateContainer) == 0 || spec.Hooks.CreateContainer[0].Path != h.hook {
		t.Errorf("hooks: %+v", spec.Hooks)
	}
	if env := strings.Join(spec.Process.Env, " "); !strings.Contains(env, "NVIDIA_VISIBLE_DEVICES="+b.uuids[3]) || strings.Contains(env, "void") {
		t.Errorf("environment: %s", env)
	}
	if link, err := os.Readlink(filepath.Join(h.root, "dev/char/195:3")); link != "../nvidia3" {
		t.Errorf("/dev/char/195:3: %q %v", link, err)
	}
}

// Our own spec is made anew when the driver or the devices change, and not
// otherwise.
func TestOwnSpecIsRefreshed(t *testing.T) {
	t.Parallel()
	h, b := newHost(t, 2), newBench(t, 2)
	o := h.options()
	d := open(t, b, o)
	inject(t, d, o, b.uuids[0])
	file := filepath.Join(h.run, "medforge.local-gpu.json")
	first, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	inject(t, d, o, b.uuids[1])
	if again, err := os.Stat(file); err != nil || !os.SameFile(first, again) {
		t.Errorf("made anew without a reason: %v", err)
	}
	// The driver is updated: other libraries, another version.
	libs := filepath.Join(h.root, "usr/lib/x86_64-linux-gnu")
	for _, lib := range []string{"libcuda.so.", "libnvidia-ml.so.", "libnvidia-ptxjitcompiler.so."} {
		if err := os.Rename(filepath.Join(libs, lib+driverVersion), filepath.Join(libs, lib+"570.1.2")); err != nil {
			t.Fatal(err)
		}
	}
	b.with(func() {
		b.server.SystemGetDriverVersionFunc = func() (string, gonvml.Return) { return "570.1.2", gonvml.SUCCESS }
	})
	inject(t, d, o, b.uuids[0])
	if spec := ownSpec(t, h); !strings.Contains(spec, "libcuda.so.570.1.2") || strings.Contains(spec, driverVersion) {
		t.Errorf("not refreshed for the new driver: %s", spec)
	}
	b.breakDevice(b.uuids[1], gonvml.ERROR_GPU_IS_LOST)
	inject(t, d, o, b.uuids[0])
	if spec := ownSpec(t, h); strings.Contains(spec, b.uuids[1]) || !strings.Contains(spec, b.uuids[0]) {
		t.Errorf("the lost device is still in it: %s", spec)
	}
}

func TestOperatorsSpecComesFirst(t *testing.T) {
	t.Parallel()
	h, b := newHost(t, 1), newBench(t, 1)
	d := open(t, b, h.options())
	if err := os.MkdirAll(h.etc, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.etc, "nvidia.yaml"), []byte("cdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices:\n- name: "+b.uuids[0]+"\n  containerEdits: {env: [A=1]}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if names, err := d.CDIDevices(t.Context(), b.uuids[0]); err != nil || len(names) != 1 || names[0] != "nvidia.com/gpu="+b.uuids[0] {
		t.Errorf("%v %v", names, err)
	}
	if _, err := os.Stat(filepath.Join(h.run, "medforge.local-gpu.json")); !os.IsNotExist(err) {
		t.Errorf("our own spec was made though the operator has one: %v", err)
	}
}

func TestNoHook(t *testing.T) {
	t.Parallel()
	h, b := newHost(t, 1), newBench(t, 1)
	d := open(t, b, h.options())
	if err := os.Remove(h.hook); err != nil {
		t.Fatal(err)
	}
	if names, err := d.CDIDevices(t.Context(), b.uuids[0]); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), h.hook) {
		t.Errorf("%v %v", names, err)
	}
}

func TestNoLibraries(t *testing.T) {
	t.Parallel()
	h, b := newHost(t, 1), newBench(t, 1)
	d := open(t, b, h.options())
	if err := os.RemoveAll(filepath.Join(h.root, "usr/lib")); err != nil {
		t.Fatal(err)
	}
	if names, err := d.CDIDevices(t.Context(), b.uuids[0]); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "nvidia-ctk cdi generate") {
		t.Errorf("%v %v", names, err)
	}
}

// The driver stands in a folder of its own, which no loader knows.
func TestLibrariesInAnUnusualPlace(t *testing.T) {
	t.Parallel()
	h, b := newHost(t, 1), newBench(t, 1)
	place := filepath.Join(h.root, "usr/local/nvidia")
	if err := os.MkdirAll(place, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(h.root, "usr/lib/x86_64-linux-gnu"), filepath.Join(place, "lib64")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(h.root, "usr/bin"), filepath.Join(place, "bin")); err != nil {
		t.Fatal(err)
	}
	o := h.options()
	o.LibraryPath = filepath.Join(place, "lib64", "libnvidia-ml.so.1")
	spec := inject(t, open(t, b, o), o, b.uuids[0])
	mounts := map[string]string{}
	for _, m := range spec.Mounts {
		mounts[m.Destination] = m.Source
	}
	if mounts["/usr/local/nvidia/lib64/libcuda.so."+driverVersion] == "" || mounts["/usr/bin/nvidia-smi"] != filepath.Join(place, "bin/nvidia-smi") {
		t.Errorf("%v", mounts)
	}
}
