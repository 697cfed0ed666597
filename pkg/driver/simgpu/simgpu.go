// Package simgpu is a host's GPUs where there are none: devices that can be
// given and taken like real ones, and that never reach a session.
package simgpu

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// What an idle data-centre GPU shows, roughly. The numbers stand still: a
// simulated device does nothing.
const (
	name            = "MedForge simulated GPU"
	memoryBytes     = 80 << 30
	temperatureC    = 30
	powerMilliwatts = 50_000
)

// Driver is a session.GPUs of simulated devices. Its methods may be called at
// the same time.
type Driver struct {
	mu      sync.Mutex
	devices []device
}

type device struct {
	gpu  session.GPU
	held string // what Clean says; empty when nobody holds it
}

var _ session.GPUs = (*Driver)(nil)

// New makes count devices. Their UUIDs are the same for the same host name and
// index at every start, so that sessions keep their GPU over a restart. host
// may be empty.
func New(host string, count int) *Driver {
	d := &Driver{}
	for i := range count {
		d.devices = append(d.devices, device{gpu: session.GPU{
			Index:            i,
			UUID:             UUID(host, i),
			Name:             name,
			MemoryTotalBytes: memoryBytes,
			TemperatureC:     temperatureC,
			PowerMilliwatts:  powerMilliwatts,
		}})
	}
	return d
}

// UUID is the UUID of a host's simulated device: version 5 of RFC 9562, written
// as NVML writes those of real ones.
func UUID(host string, index int) string {
	space := uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/medforge/medforge/pkg/driver/simgpu"))
	return "GPU-" + uuid.NewSHA1(space, []byte(host+"/"+strconv.Itoa(index))).String()
}

// Inventory returns the devices by index.
func (d *Driver) Inventory(ctx context.Context) ([]session.GPU, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]session.GPU, 0, len(d.devices))
	for _, dev := range d.devices {
		gpu := dev.gpu
		gpu.Processes = slices.Clone(gpu.Processes)
		all = append(all, gpu)
	}
	return all, nil
}

// CDIDevices returns none: no device reaches a session.
func (d *Driver) CDIDevices(ctx context.Context, uuid string) ([]string, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, err := d.find(uuid)
	return nil, err
}

// Clean says that nobody uses the device, unless Hold or Break said otherwise.
func (d *Driver) Clean(ctx context.Context, uuid string) error {
	if err := ended(ctx); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	dev, err := d.find(uuid)
	switch {
	case err != nil:
		return err
	case dev.gpu.Fault != "":
		return fault.New(fault.Conflict, "gpus/faulty", "GPU %d (%s) cannot be used: %s", dev.gpu.Index, uuid, dev.gpu.Fault)
	case dev.held != "":
		return fault.New(fault.Busy, "gpus/busy", "GPU %d (%s) is still in use: %s", dev.gpu.Index, uuid, dev.held)
	}
	return nil
}

// Hold makes Clean say that something holds the device, for tests; an empty
// reason takes it back.
func (d *Driver) Hold(uuid, reason string) error {
	return d.set(uuid, func(dev *device) { dev.held = reason })
}

// Break gives the device a fault, for tests; an empty one mends it.
func (d *Driver) Break(uuid, why string) error {
	return d.set(uuid, func(dev *device) { dev.gpu.Fault = why })
}

func (d *Driver) set(uuid string, change func(*device)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	dev, err := d.find(uuid)
	if err == nil {
		change(dev)
	}
	return err
}

// find must be called with the lock held.
func (d *Driver) find(uuid string) (*device, error) {
	for i := range d.devices {
		if d.devices[i].gpu.UUID == uuid {
			return &d.devices[i], nil
		}
	}
	return nil, fault.New(fault.NotFound, "gpus/gpu-not-found", "no GPU has the UUID %q; medforge gpu list shows those that are there", uuid)
}

func ended(ctx context.Context) error {
	if ctx.Err() != nil {
		return fault.Wrap(ctx.Err(), fault.Unavailable, "gpus/unavailable", "the GPUs were not read in time")
	}
	return nil
}
