package containerd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/driver/cdi"
	"github.com/medforge/medforge/pkg/driver/containerd"
	"github.com/medforge/medforge/pkg/fault"
)

// cdiSpec is what nvidia-ctk would write, with devices that any host has: one
// is a copy of /dev/zero's numbers, the other of /dev/full's.
const cdiSpec = `{
  "cdiVersion": "0.5.0",
  "kind": "example.com/gpu",
  "devices": [
    {"name": "GPU-one", "containerEdits": {"deviceNodes": [{"path": "/dev/gpu-one", "hostPath": "/dev/zero", "permissions": "rw"}]}},
    {"name": "GPU-two", "containerEdits": {"deviceNodes": [{"path": "/dev/gpu-two", "hostPath": "/dev/full", "permissions": "rw"}]}}
  ],
  "containerEdits": {
    "env": ["GPU_DRIVER=1.2.3", "NVIDIA_VISIBLE_DEVICES=void"],
    "mounts": [{"hostPath": "LIBRARY", "containerPath": "/usr/lib/libgpu.so.1", "options": ["ro", "nosuid", "nodev", "bind"]}]
  }
}`

// TestCDI injects one of two devices.
func TestCDI(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	library := filepath.Join(dir, "libgpu.so.1")
	noErr(t, os.WriteFile(library, []byte("a library"), 0o644))
	specs := filepath.Join(dir, "cdi")
	noErr(t, os.Mkdir(specs, 0o755))
	// One that is broken is no reason to refuse the others.
	noErr(t, os.WriteFile(filepath.Join(specs, "broken.json"), []byte("{"), 0o644))

	h := newHost(t, func(c *containerd.Config) { c.Devices = cdi.New([]string{filepath.Join(dir, "absent"), specs}, "") })
	digest := h.importMini(t)
	// Written after the driver was opened, as the daemon does it.
	noErr(t, os.WriteFile(filepath.Join(specs, "gpu.json"), []byte(strings.ReplaceAll(cdiSpec, "LIBRARY", library)), 0o644))

	s := h.spec(t, digest)
	s.GPUUUID = "GPU-one"
	s.CDIDevices = []string{"example.com/gpu=GPU-one"}
	p := h.start(t, s)
	env, err := p.Env()
	noErr(t, err)
	if env["NVIDIA_VISIBLE_DEVICES"] != "GPU-one" || env["GPU_DRIVER"] != "1.2.3" {
		t.Errorf("environment: %v", env)
	}
	if text, err := p.Read("/usr/lib/libgpu.so.1"); err != nil || text != "a library" {
		t.Errorf("the library is %q, %v", text, err)
	}
	// The stand-in reads a mebibyte of any file: all zeros of /dev/zero.
	if text, err := p.Read("/dev/gpu-one"); err != nil || len(text) != 1<<20 {
		t.Errorf("the device cannot be used: %d bytes, %v", len(text), err)
	}
	names, err := p.List("/dev")
	noErr(t, err)
	if contains(names, "gpu-two") {
		t.Errorf("the other device is there: %v", names)
	}

	gone := h.spec(t, digest)
	gone.CDIDevices = []string{"example.com/gpu=GPU-three"}
	err = h.Driver.Create(t.Context(), gone)
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "GPU-three; make one with nvidia-ctk") {
		t.Errorf("a device that no spec names: %v", err)
	}
}
