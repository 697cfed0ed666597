//go:build cgo

package nvml

import (
	"fmt"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// xidFaults are the Xids after which a GPU can be given to nobody, by NVIDIA's
// list (https://docs.nvidia.com/deploy/xid-errors/). All others are a
// program's own mistakes, or pass.
func xidFaults() map[uint64]string {
	const reset = "it needs a reset: stop medforged, nvidia-smi --gpu-reset, start it again"
	const restart = "restart the host"
	return map[uint64]string{
		48:  "a memory error that could not be corrected; " + reset,
		62:  "its internal controller halted; " + reset,
		64:  "a broken memory row could not be replaced; " + reset,
		79:  "it fell off the bus; " + restart,
		95:  "a memory error that was not contained; " + reset,
		119: "its system processor does not answer; " + reset,
		120: "its system processor failed; " + reset,
		140: "a memory error that was not recovered; " + reset,
		143: "it could not be initialised; " + reset,
	}
}

// watchXids asks NVML to keep errors for us. Where it cannot, a device's state
// is known by its readings alone.
func (d *Driver) watchXids() {
	set, ret := d.lib.EventSetCreate()
	if ret != nvml.SUCCESS {
		d.o.Log.Info("NVML reports no Xids", "why", ret.Error())
		return
	}
	d.xids = set
}

// watch registers a device with the event set, once.
func (d *Driver) watch(k *known, dev nvml.Device) {
	if d.xids == nil || k.watched {
		return
	}
	k.watched = true
	if ret := dev.RegisterEvents(nvml.EventTypeXidCriticalError, d.xids); ret != nvml.SUCCESS {
		d.o.Log.Info("a GPU reports no Xids", "gpu", k.gpu.UUID, "why", ret.Error())
	}
}

// takeXids takes what NVML has kept since the last time, without waiting. The
// number is bounded so that a storm of errors cannot hold an inventory up.
func (d *Driver) takeXids() {
	for range 100 {
		if d.xids == nil {
			return
		}
		event, ret := d.xids.Wait(0)
		if ret != nvml.SUCCESS { // ERROR_TIMEOUT: there is none
			return
		}
		if event.EventType != nvml.EventTypeXidCriticalError {
			continue
		}
		uuid := ""
		if event.Device != nil {
			uuid, _ = event.Device.GetUUID()
		}
		d.o.Log.Warn("the GPU reported an Xid", "gpu", uuid, "xid", event.EventData)
		why, bad := xidFaults()[event.EventData]
		for _, k := range d.known {
			if bad && k.gpu.UUID == uuid {
				k.xid = fmt.Sprintf("Xid %d: %s", event.EventData, why)
			}
		}
	}
}
