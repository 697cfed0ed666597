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
	"github.com/medforge/medforge/pkg/testkit/nvmltest"
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

func ownSpec(t *testing.T, h nvmltest.Host) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(h.Run, "medforge.local-gpu.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A container gets its own device, the control nodes, the driver's libraries
// and the hooks, and no other device.
func TestOwnSpec(t *testing.T) {
	t.Parallel()
	h, b := nvmltest.NewHost(t, 8), nvmltest.NewBench(t, 8)
	o := h.Options()
	d := nvmltest.Open(t, b, o)
	spec := inject(t, d, o, b.UUIDs[3])
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
	for _, want := range []string{"/usr/lib/x86_64-linux-gnu/libcuda.so." + nvmltest.DriverVersion, "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so." + nvmltest.DriverVersion, "/usr/bin/nvidia-smi"} {
		if !strings.HasPrefix(mounts[want], h.Root) {
			t.Errorf("%s is not mounted: %v", want, mounts)
		}
	}
	if spec.Hooks == nil || len(spec.Hooks.CreateContainer) == 0 || spec.Hooks.CreateContainer[0].Path != h.Hook {
		t.Errorf("hooks: %+v", spec.Hooks)
	}
	if env := strings.Join(spec.Process.Env, " "); !strings.Contains(env, "NVIDIA_VISIBLE_DEVICES="+b.UUIDs[3]) || strings.Contains(env, "void") {
		t.Errorf("environment: %s", env)
	}
	if link, err := os.Readlink(filepath.Join(h.Root, "dev/char/195:3")); link != "../nvidia3" {
		t.Errorf("/dev/char/195:3: %q %v", link, err)
	}
}

// Our own spec is made anew when the driver or the devices change, and not
// otherwise.
func TestOwnSpecIsRefreshed(t *testing.T) {
	t.Parallel()
	h, b := nvmltest.NewHost(t, 2), nvmltest.NewBench(t, 2)
	o := h.Options()
	d := nvmltest.Open(t, b, o)
	inject(t, d, o, b.UUIDs[0])
	file := filepath.Join(h.Run, "medforge.local-gpu.json")
	first, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	inject(t, d, o, b.UUIDs[1])
	if again, err := os.Stat(file); err != nil || !os.SameFile(first, again) {
		t.Errorf("made anew without a reason: %v", err)
	}
	// The driver is updated: other libraries, another version.
	libs := filepath.Join(h.Root, "usr/lib/x86_64-linux-gnu")
	for _, lib := range []string{"libcuda.so.", "libnvidia-ml.so.", "libnvidia-ptxjitcompiler.so."} {
		if err := os.Rename(filepath.Join(libs, lib+nvmltest.DriverVersion), filepath.Join(libs, lib+"570.1.2")); err != nil {
			t.Fatal(err)
		}
	}
	b.With(func() {
		b.Server.SystemGetDriverVersionFunc = func() (string, gonvml.Return) { return "570.1.2", gonvml.SUCCESS }
	})
	inject(t, d, o, b.UUIDs[0])
	if spec := ownSpec(t, h); !strings.Contains(spec, "libcuda.so.570.1.2") || strings.Contains(spec, nvmltest.DriverVersion) {
		t.Errorf("not refreshed for the new driver: %s", spec)
	}
	b.BreakDevice(b.UUIDs[1], gonvml.ERROR_GPU_IS_LOST)
	inject(t, d, o, b.UUIDs[0])
	if spec := ownSpec(t, h); strings.Contains(spec, b.UUIDs[1]) || !strings.Contains(spec, b.UUIDs[0]) {
		t.Errorf("the lost device is still in it: %s", spec)
	}
}

// A node that comes later, as nvidia-uvm does when the first CUDA program runs,
// comes into the spec.
func TestOwnSpecHasLaterNodes(t *testing.T) {
	t.Parallel()
	h, b := nvmltest.NewHost(t, 1), nvmltest.NewBench(t, 1)
	o := h.Options()
	d := nvmltest.Open(t, b, o)
	modeset := filepath.Join(h.Root, "dev/nvidia-modeset")
	for _, want := range []bool{false, true} {
		spec := inject(t, d, o, b.UUIDs[0])
		got := false
		for _, dev := range spec.Linux.Devices {
			got = got || dev.Path == "/dev/nvidia-modeset"
		}
		if got != want {
			t.Errorf("the node is in the spec: %v, want %v", got, want)
		}
		if err := os.Rename(filepath.Join(h.Root, "dev/nvidia-uvm"), modeset); err != nil && !want {
			t.Fatal(err)
		}
	}
}

func TestOperatorsSpecComesFirst(t *testing.T) {
	t.Parallel()
	h, b := nvmltest.NewHost(t, 1), nvmltest.NewBench(t, 1)
	d := nvmltest.Open(t, b, h.Options())
	if err := os.MkdirAll(h.Etc, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.Etc, "nvidia.yaml"), []byte("cdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices:\n- name: "+b.UUIDs[0]+"\n  containerEdits: {env: [A=1]}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if names, err := d.CDIDevices(t.Context(), b.UUIDs[0]); err != nil || len(names) != 1 || names[0] != "nvidia.com/gpu="+b.UUIDs[0] {
		t.Errorf("%v %v", names, err)
	}
	if _, err := os.Stat(filepath.Join(h.Run, "medforge.local-gpu.json")); !os.IsNotExist(err) {
		t.Errorf("our own spec was made though the operator has one: %v", err)
	}
}

func TestNoHook(t *testing.T) {
	t.Parallel()
	h, b := nvmltest.NewHost(t, 1), nvmltest.NewBench(t, 1)
	d := nvmltest.Open(t, b, h.Options())
	if err := os.Remove(h.Hook); err != nil {
		t.Fatal(err)
	}
	if names, err := d.CDIDevices(t.Context(), b.UUIDs[0]); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), h.Hook) {
		t.Errorf("%v %v", names, err)
	}
}

func TestNoLibraries(t *testing.T) {
	t.Parallel()
	h, b := nvmltest.NewHost(t, 1), nvmltest.NewBench(t, 1)
	d := nvmltest.Open(t, b, h.Options())
	if err := os.RemoveAll(filepath.Join(h.Root, "usr/lib")); err != nil {
		t.Fatal(err)
	}
	if names, err := d.CDIDevices(t.Context(), b.UUIDs[0]); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "nvidia-ctk cdi generate") {
		t.Errorf("%v %v", names, err)
	}
}

// The driver stands in a folder of its own, which no loader knows.
func TestLibrariesInAnUnusualPlace(t *testing.T) {
	t.Parallel()
	h, b := nvmltest.NewHost(t, 1), nvmltest.NewBench(t, 1)
	place := filepath.Join(h.Root, "usr/local/nvidia")
	if err := os.MkdirAll(place, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(h.Root, "usr/lib/x86_64-linux-gnu"), filepath.Join(place, "lib64")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(h.Root, "usr/bin"), filepath.Join(place, "bin")); err != nil {
		t.Fatal(err)
	}
	o := h.Options()
	o.LibraryPath = filepath.Join(place, "lib64", "libnvidia-ml.so.1")
	spec := inject(t, nvmltest.Open(t, b, o), o, b.UUIDs[0])
	mounts := map[string]string{}
	for _, m := range spec.Mounts {
		mounts[m.Destination] = m.Source
	}
	if mounts["/usr/local/nvidia/lib64/libcuda.so."+nvmltest.DriverVersion] == "" || mounts["/usr/bin/nvidia-smi"] != filepath.Join(place, "bin/nvidia-smi") {
		t.Errorf("%v", mounts)
	}
}
