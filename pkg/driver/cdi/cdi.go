// Package cdi gives containers their devices by the Container Device Interface
// (https://github.com/cncf-tags/container-device-interface): it finds a GPU in
// the specs that stand on the host, keeps a spec of MedForge's own beside
// them, and puts devices into a container's OCI spec.
package cdi

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	oci "github.com/opencontainers/runtime-spec/specs-go"
	"tags.cncf.io/container-device-interface/pkg/cdi"
	"tags.cncf.io/container-device-interface/pkg/parser"
	specs "tags.cncf.io/container-device-interface/specs-go"

	"github.com/medforge/medforge/pkg/fault"
)

// Vendor and Class are the kind of MedForge's own devices,
// "medforge.local/gpu=GPU-...". The operator's are "nvidia.com/gpu"; with the
// same kind two specs for one device would conflict, and neither would count.
const (
	Vendor = "medforge.local"
	Class  = "gpu"
)

// Registry is the specs in the operator's folders and in MedForge's own.
type Registry struct {
	dirs []string
	own  string
}

// New names the folders: the operator's, a later one stronger, and MedForge's
// own, which is empty for a Registry that only reads. None needs to be there.
func New(dirs []string, own string) *Registry {
	if own != "" {
		own = filepath.Clean(own)
	}
	return &Registry{dirs: slices.Clone(dirs), own: own}
}

// load reads all specs anew; there are few.
func (r *Registry) load() (*cdi.Cache, error) {
	c, err := cdi.NewCache(cdi.WithAutoRefresh(false), cdi.WithSpecDirs(r.weakestFirst()...))
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "gpus/cdi", "the CDI specs cannot be read")
	}
	return c, nil
}

// weakestFirst is the order that CDI wants: a later folder wins.
func (r *Registry) weakestFirst() []string {
	if r.own == "" {
		return r.dirs
	}
	return append([]string{r.own}, r.dirs...)
}

// Find returns the qualified name of the device that is named after the UUID,
// an operator's before our own, or "" when no sound spec has it. passed says
// why specs were passed over: unreadable ones, and those that name files which
// are no longer there, as after an update of the driver.
func (r *Registry) Find(uuid string) (name string, passed []string, err error) {
	c, err := r.load()
	if err != nil {
		return "", nil, err
	}
	for _, path := range slices.Sorted(maps.Keys(c.GetErrors())) {
		for _, e := range c.GetErrors()[path] {
			passed = append(passed, fmt.Sprintf("%s: %v", path, e))
		}
	}
	var ours string
	for _, qualified := range c.ListDevices() {
		_, class, device := parser.ParseDevice(qualified)
		if class != Class || device != uuid || uuid == "" {
			continue
		}
		dev := c.GetDevice(qualified)
		path := dev.GetSpec().GetPath()
		if gone := missing(dev); gone != "" {
			passed = append(passed, fmt.Sprintf("%s: it names %s, which is not there", path, gone))
			continue
		}
		if filepath.Dir(path) == r.own {
			ours = qualified
			continue
		}
		return qualified, passed, nil
	}
	return ours, passed, nil
}

// missing returns a host path that the device needs and that is not there.
func missing(dev *cdi.Device) string {
	for _, e := range []specs.ContainerEdits{dev.GetSpec().ContainerEdits, dev.ContainerEdits} {
		var paths []string
		for _, n := range e.DeviceNodes {
			if n.HostPath == "" {
				n.HostPath = n.Path
			}
			paths = append(paths, n.HostPath)
		}
		for _, m := range e.Mounts {
			// What lives only while a service runs, a socket say, may come and go.
			if !strings.HasPrefix(m.HostPath, "/run/") && !strings.HasPrefix(m.HostPath, "/var/run/") {
				paths = append(paths, m.HostPath)
			}
		}
		for _, h := range e.Hooks {
			paths = append(paths, h.Path)
		}
		for _, p := range paths {
			if _, err := os.Stat(p); err != nil {
				return p
			}
		}
	}
	return ""
}

// Inject puts the named devices into a container's spec. NVIDIA's specs set
// NVIDIA_VISIBLE_DEVICES=void, to keep NVIDIA's own runtime from injecting once
// more; with runc there is no such runtime, and the container's own value
// stays. Errors: NotFound (no spec has one of them).
func (r *Registry) Inject(spec *oci.Spec, names []string) error {
	if len(names) == 0 {
		return nil
	}
	c, err := r.load()
	if err != nil {
		return err
	}
	const visible = "NVIDIA_VISIBLE_DEVICES="
	var before string
	if spec.Process != nil {
		if i := slices.IndexFunc(spec.Process.Env, func(e string) bool { return strings.HasPrefix(e, visible) }); i >= 0 {
			before = spec.Process.Env[i]
		}
	}
	unresolved, err := c.InjectDevices(spec, names...)
	if len(unresolved) > 0 {
		return fault.Wrap(err, fault.NotFound, "gpus/no-cdi-device", "no CDI spec in %s names %s; make one with nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml --device-name-strategy=uuid",
			strings.Join(r.Dirs(), ", "), strings.Join(unresolved, ", "))
	}
	if err != nil {
		return fault.Wrap(err, fault.Internal, "gpus/cdi", "the devices %s cannot be put into the container", strings.Join(names, ", "))
	}
	if before != "" {
		for i, e := range spec.Process.Env {
			if strings.HasPrefix(e, visible) {
				spec.Process.Env[i] = before
			}
		}
	}
	return nil
}

// Write replaces MedForge's own spec, whole or not at all. Its kind must be
// Vendor/Class.
func (r *Registry) Write(spec *specs.Spec) error {
	if spec.Kind != Vendor+"/"+Class {
		return fault.New(fault.Internal, "gpus/cdi", "the CDI spec is of the kind %q", spec.Kind)
	}
	if r.own == "" {
		return fault.New(fault.Internal, "gpus/cdi", "there is no folder for a CDI spec of MedForge's own")
	}
	if err := os.MkdirAll(r.own, 0o755); err != nil {
		return fault.Wrap(err, fault.Unavailable, "gpus/cdi", "the folder %s for CDI specs cannot be made", r.own)
	}
	c, err := cdi.NewCache(cdi.WithAutoRefresh(false), cdi.WithSpecDirs(r.own))
	if err == nil {
		err = c.WriteSpec(spec, cdi.GenerateSpecName(Vendor, Class)+".json")
	}
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "gpus/cdi", "the CDI spec cannot be written in %s", r.own)
	}
	return nil
}

// Dirs are the folders that are searched, the operator's first.
func (r *Registry) Dirs() []string {
	dirs := slices.Clone(r.dirs)
	if r.own != "" {
		dirs = append(dirs, r.own)
	}
	return dirs
}
