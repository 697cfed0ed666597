//go:build cgo

package nvml

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/NVIDIA/nvidia-container-toolkit/pkg/nvcdi"
	specs "tags.cncf.io/container-device-interface/specs-go"

	"github.com/medforge/medforge/pkg/driver/cdi"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// CDIDevices returns the device's name in the operator's CDI specs, or in our
// own, which is made when there is none, and made anew when the driver or the
// devices have changed. Errors: NotFound, Conflict (it has a Fault),
// Unavailable.
func (d *Driver) CDIDevices(ctx context.Context, uuid string) ([]string, error) {
	gpu, err := d.one(ctx, uuid)
	if err != nil {
		return nil, err
	}
	if gpu.Fault != "" {
		return nil, fault.New(fault.Conflict, "gpus/faulty", "GPU %d (%s) cannot be used: %s", gpu.Index, uuid, gpu.Fault)
	}
	dev := filepath.Join(d.o.DevRoot, "dev")
	if made, err := (cdi.UVM{}).Make(ctx, dev); err != nil {
		d.o.Log.Warn("CUDA programs will not start: the node nvidia-uvm is missing", "folder", dev, "error", err)
	} else if made > 0 {
		d.o.Log.Info("made the device nodes of NVIDIA's unified memory", "nodes", made)
	}
	if made, err := cdi.LinkDevices(dev, filepath.Join(dev, "char")); err != nil {
		d.o.Log.Warn("some NVIDIA devices have no link in /dev/char; systemctl daemon-reload can take them from sessions", "error", err)
	} else if made > 0 {
		d.o.Log.Info("linked NVIDIA devices in /dev/char", "links", made)
	}
	name, err := do(ctx, d.w, d.o.SpecTimeout, func() (string, error) { return d.device(uuid) })
	if err != nil {
		return nil, err
	}
	return []string{name}, nil
}

// device finds the name, and sees to our own spec when it is the one.
func (d *Driver) device(uuid string) (string, error) {
	name, passed, err := d.o.Specs.Find(uuid)
	if err != nil {
		return "", err
	}
	for _, p := range passed {
		d.o.Log.Warn("a CDI spec was passed over", "why", p)
	}
	ours := strings.HasPrefix(name, cdi.Vendor+"/")
	if name != "" && !ours {
		return name, nil
	}
	now, healthy, err := d.state()
	if err != nil {
		return "", err
	}
	if ours && now == d.fingerprint {
		return name, nil
	}
	spec, err := d.generate(healthy)
	if err != nil {
		return "", err
	}
	if err := d.o.Specs.Write(spec); err != nil {
		return "", err
	}
	d.fingerprint = now
	if name, passed, err = d.o.Specs.Find(uuid); err != nil || name != "" {
		return name, err
	}
	return "", fault.New(fault.Unavailable, "gpus/no-cdi-device", "no CDI spec in %s names the GPU %s, and the one that was made does not either: %s; make one with nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml --device-name-strategy=uuid",
		strings.Join(d.o.Specs.Dirs(), ", "), uuid, strings.Join(passed, "; "))
}

// state is what a spec depends on: the driver, the devices that can be given,
// their nodes, and the hook program.
func (d *Driver) state() (fingerprint string, healthy []string, err error) {
	version, err := d.version()
	if err != nil {
		return "", nil, err
	}
	gpus, err := d.read()
	if err != nil {
		return "", nil, err
	}
	for _, g := range slices.DeleteFunc(gpus, func(g session.GPU) bool { return g.Fault != "" }) {
		healthy = append(healthy, g.UUID)
	}
	nodes := cdi.Nodes(filepath.Join(d.o.DevRoot, "dev"))
	return strings.Join(slices.Concat([]string{version, d.o.HookPath}, healthy, nodes), " "), healthy, nil
}

// generate makes a spec of the devices with NVIDIA's own library.
func (d *Driver) generate(uuids []string) (*specs.Spec, error) {
	hook, err := cdi.FindHook(d.o.HookPath, d.o.HookBeside)
	if err != nil {
		return nil, err
	}
	namer, err := nvcdi.NewDeviceNamer(nvcdi.DeviceNameStrategyUUID)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "gpus/cdi", "the CDI spec cannot be made")
	}
	options := []nvcdi.Option{
		nvcdi.WithMode(nvcdi.ModeNvml),
		nvcdi.WithNvmlLib(d.lib),
		nvcdi.WithDriverRoot(d.o.DriverRoot),
		nvcdi.WithDevRoot(d.o.DevRoot),
		nvcdi.WithDeviceNamers(namer),
		nvcdi.WithNVIDIACDIHookPath(hook),
		nvcdi.WithVendor(cdi.Vendor),
		nvcdi.WithClass(cdi.Class),
		nvcdi.WithLogger(toolkitLog{d.o.Log}),
		// The sandbox library would be a second way to ask the driver, and a
		// session has no business with the sockets of the host's daemons.
		nvcdi.WithFeatureFlags(nvcdi.FeatureDisableNvsandboxUtils, nvcdi.FeatureDisableIPCDiscoverer),
	}
	spec, err := makeSpec(uuids, options)
	if err != nil && d.libraryDir != "" {
		// The toolkit looks where distributions put libraries. Ours was loaded
		// from elsewhere, and the driver's others stand beside it.
		d.o.Log.Info("the driver's libraries are not in the usual places", "searched", d.libraryDir, "why", err)
		spec, err = makeSpec(uuids, append(options, nvcdi.WithLibrarySearchPaths([]string{d.libraryDir})))
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "gpus/cdi", "no CDI spec can be made for this host's GPUs (%v); see whether nvidia-ctk cdi generate works, and put its output in /etc/cdi", err)
	}
	d.addTool(spec)
	return spec, nil
}

func makeSpec(uuids []string, options []nvcdi.Option) (*specs.Spec, error) {
	lib, err := nvcdi.New(options...)
	if err != nil {
		return nil, err
	}
	made, err := lib.GetSpec(uuids...)
	if err != nil {
		return nil, err
	}
	return made.Raw(), nil
}

// addTool mounts nvidia-smi where a session's PATH has it, when the driver
// stands in a folder of its own.
func (d *Driver) addTool(spec *specs.Spec) {
	const tool, want = "nvidia-smi", "/usr/bin/nvidia-smi"
	host := ""
	for _, m := range spec.ContainerEdits.Mounts {
		if m.ContainerPath == want {
			return
		}
		if filepath.Base(m.ContainerPath) == tool {
			host = m.HostPath
		}
	}
	if host == "" && d.libraryDir != "" {
		for _, dir := range []string{d.libraryDir, filepath.Join(d.libraryDir, "bin"), filepath.Join(d.libraryDir, "..", "bin")} {
			if info, err := os.Stat(filepath.Join(dir, tool)); err == nil && info.Mode().IsRegular() {
				host = filepath.Join(dir, tool)
				break
			}
		}
	}
	if host != "" {
		spec.ContainerEdits.Mounts = append(spec.ContainerEdits.Mounts, &specs.Mount{
			HostPath: host, ContainerPath: want, Options: []string{"ro", "nosuid", "nodev", "rbind", "rprivate"},
		})
	}
}

// toolkitLog is the toolkit's logger. What it finds missing is mostly what a
// host does not need, so that all of it is for debugging.
type toolkitLog struct{ log *slog.Logger }

func (l toolkitLog) say(format string, args []any) {
	l.log.Debug(fmt.Sprintf(format, args...), "from", "nvidia-container-toolkit")
}
func (l toolkitLog) Debugf(format string, args ...any)   { l.say(format, args) }
func (l toolkitLog) Errorf(format string, args ...any)   { l.say(format, args) }
func (l toolkitLog) Infof(format string, args ...any)    { l.say(format, args) }
func (l toolkitLog) Warningf(format string, args ...any) { l.say(format, args) }
func (l toolkitLog) Tracef(format string, args ...any)   { l.say(format, args) }
