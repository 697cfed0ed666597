//go:build cgo

package nvml

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// Driver is the host's NVIDIA GPUs. Its methods may be called at the same time.
type Driver struct {
	o Options
	w *worker

	// What follows belongs to the worker's goroutine alone.
	lib         nvml.Interface
	libraryDir  string // where the library was loaded from; empty when not known
	known       []*known
	xids        nvml.EventSet // nil where the driver reports none
	fingerprint string        // of what our own CDI spec was made from
}

// known is a device that was seen once: it stays listed, at its index, when it
// can no longer be reached.
type known struct {
	gpu     session.GPU // as it was read first
	nvml    int         // NVML's index when it was seen last, -1 when another has it now
	watched bool        // its Xids are reported
	xid     string      // the fault that an Xid has put on it
}

var _ session.GPUs = (*Driver)(nil)

// Open loads NVML and reads the devices once. Errors: Unavailable (no driver,
// or no device, and what to do).
func Open(ctx context.Context, o Options) (*Driver, error) {
	o = o.filled()
	configured := o.LibraryPath
	for _, path := range libraryCandidates(configured, o.DriverRoot) {
		o.LibraryPath = path
		d, err := OpenWith(ctx, nvml.New(nvml.WithLibraryPath(path)), o)
		if fault.CodeOf(err) == codeNoLibrary {
			continue
		}
		if err != nil {
			return nil, err
		}
		o.Log.Info("NVML loaded", "library", path, "folder", d.libraryDir)
		return d, nil
	}
	return nil, noLibrary(configured)
}

// OpenWith is Open with a library that the caller has chosen; LibraryPath says
// where it stands.
func OpenWith(ctx context.Context, lib nvml.Interface, o Options) (*Driver, error) {
	o = o.filled()
	d := &Driver{o: o, w: newWorker(), lib: lib}
	gpus, err := do(ctx, d.w, o.CallTimeout, func() ([]session.GPU, error) {
		if ret := lib.Init(); ret != nvml.SUCCESS {
			return nil, initFault(ret)
		}
		if d.libraryDir = loadedFrom("/proc/self/maps"); filepath.IsAbs(o.LibraryPath) {
			d.libraryDir = filepath.Dir(o.LibraryPath)
		}
		d.watchXids()
		return d.read()
	})
	if err == nil && len(gpus) == 0 {
		err = fault.New(fault.Unavailable, "gpus/no-device", "the NVIDIA driver is loaded and lists no GPU; see nvidia-smi and dmesg, or choose gpu.driver = \"simulated\"")
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Close lets NVML go. It waits a few seconds for a call that is under way.
func (d *Driver) Close() error {
	_, err := do(context.Background(), d.w, 5*time.Second, func() (struct{}, error) {
		if d.xids != nil {
			d.xids.Free()
		}
		d.lib.Shutdown() // not initialised is the only failure that is not the end's
		return struct{}{}, nil
	})
	d.w.close()
	return err
}

// Version is the NVIDIA driver's version, "550.54.15".
func (d *Driver) Version(ctx context.Context) (string, error) {
	return do(ctx, d.w, d.o.CallTimeout, d.version)
}

func (d *Driver) version() (string, error) {
	v, ret := d.lib.SystemGetDriverVersion()
	if ret != nvml.SUCCESS {
		return "", callFault("driver version", ret)
	}
	return v, nil
}

// Inventory reads every device. One that was there once and cannot be read any
// more stays in the list, with its Fault.
func (d *Driver) Inventory(ctx context.Context) ([]session.GPU, error) {
	return do(ctx, d.w, d.o.CallTimeout, d.read)
}

func (d *Driver) read() ([]session.GPU, error) {
	n, ret := d.lib.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return nil, callFault("number of devices", ret)
	}
	d.takeXids()
	all := make([]session.GPU, 0, n)
	for i := range n {
		all = append(all, d.readAt(i))
	}
	for _, k := range d.known {
		if !slices.ContainsFunc(all, func(g session.GPU) bool { return g.UUID == k.gpu.UUID }) {
			lost := k.gpu
			lost.Fault = "the NVIDIA driver no longer lists it: it fell off the bus or was taken out; see dmesg for Xid, and restart the host"
			all = append(all, lost)
		}
	}
	slices.SortFunc(all, func(a, b session.GPU) int { return cmp.Compare(a.Index, b.Index) })
	return all, nil
}

// readAt reads the device that NVML has at an index, and remembers it.
func (d *Driver) readAt(i int) session.GPU {
	dev, ret := d.lib.DeviceGetHandleByIndex(i)
	uuid := ""
	if ret == nvml.SUCCESS {
		uuid, ret = dev.GetUUID()
	}
	if ret != nvml.SUCCESS {
		lost := session.GPU{Index: i}
		if at := slices.IndexFunc(d.known, func(k *known) bool { return k.nvml == i }); at >= 0 {
			lost = d.known[at].gpu
		}
		lost.Fault = deviceFault(ret, lost.Index)
		return lost
	}
	k := d.remember(uuid, i)
	gpu := session.GPU{Index: k.gpu.Index, UUID: uuid}
	readDevice(d.lib, dev, &gpu)
	if gpu.Name == "" {
		gpu.Name = k.gpu.Name
	}
	if gpu.MemoryTotalBytes == 0 {
		gpu.MemoryTotalBytes = k.gpu.MemoryTotalBytes
	}
	k.gpu.Name, k.gpu.MemoryTotalBytes = gpu.Name, gpu.MemoryTotalBytes
	if k.xid != "" {
		gpu.Fault = k.xid
	}
	d.watch(k, dev)
	return gpu
}

// remember finds a device by its UUID, or adds it. An index stays a device's
// own as long as the daemon runs, even when NVML counts anew.
func (d *Driver) remember(uuid string, i int) *known {
	for _, k := range d.known {
		if k.nvml == i {
			k.nvml = -1 // unless it is this one, or stands further on
		}
	}
	for _, k := range d.known {
		if k.gpu.UUID == uuid {
			k.nvml = i
			return k
		}
	}
	index := i
	for slices.ContainsFunc(d.known, func(k *known) bool { return k.gpu.Index == index }) {
		index++
	}
	k := &known{gpu: session.GPU{Index: index, UUID: uuid}, nvml: i}
	d.known = append(d.known, k)
	return k
}

// Clean says whether the device is idle: the hand-back check.
func (d *Driver) Clean(ctx context.Context, uuid string) error {
	gpu, err := d.one(ctx, uuid)
	if err != nil {
		return err
	}
	if gpu.Fault != "" {
		return fault.New(fault.Conflict, "gpus/faulty", "GPU %d (%s) cannot be used: %s", gpu.Index, uuid, gpu.Fault)
	}
	if holds := holds(gpu, d.o.IdleMemoryBytes); holds != "" {
		return fault.New(fault.Busy, "gpus/busy", "GPU %d (%s) is still in use: %s", gpu.Index, uuid, holds)
	}
	return nil
}

// one reads the devices and returns the one of the UUID. Errors: NotFound.
func (d *Driver) one(ctx context.Context, uuid string) (session.GPU, error) {
	all, err := d.Inventory(ctx)
	if err != nil {
		return session.GPU{}, err
	}
	if i := slices.IndexFunc(all, func(g session.GPU) bool { return g.UUID == uuid && uuid != "" }); i >= 0 {
		return all[i], nil
	}
	return session.GPU{}, fault.New(fault.NotFound, "gpus/gpu-not-found", "no GPU has the UUID %q; medforge gpu list shows those that are there", uuid)
}
