//go:build cgo

package nvml

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/docker/go-units"

	"github.com/medforge/medforge/pkg/session"
)

// readDevice fills in the readings. What a model does not offer stays zero;
// what says that the device is in trouble becomes its Fault.
func readDevice(lib nvml.Interface, dev nvml.Device, gpu *session.GPU) {
	ok := func(ret nvml.Return) bool {
		if ret == nvml.SUCCESS {
			return true
		}
		if gpu.Fault == "" && !notOffered(ret) {
			gpu.Fault = deviceFault(ret, gpu.Index)
		}
		return false
	}
	if name, ret := dev.GetName(); ok(ret) {
		gpu.Name = name
	}
	if total, used, ret := memory(lib, dev); ok(ret) {
		gpu.MemoryTotalBytes, gpu.MemoryUsedBytes = int64(total), int64(used)
	}
	if mode, _, ret := dev.GetMigMode(); ok(ret) && mode == nvml.DEVICE_MIG_ENABLE {
		gpu.Fault = fmt.Sprintf("MIG mode is on, and MedForge gives whole GPUs; turn it off with nvidia-smi -i %d -mig 0", gpu.Index)
		return
	}
	if u, ret := dev.GetUtilizationRates(); ok(ret) {
		gpu.UtilisationPct = int(u.Gpu)
	}
	if t, ret := dev.GetTemperature(nvml.TEMPERATURE_GPU); ok(ret) {
		gpu.TemperatureC = int(t)
	}
	if p, ret := dev.GetPowerUsage(); ok(ret) {
		gpu.PowerMilliwatts = int(p)
	}
	for _, list := range []func() ([]nvml.ProcessInfo, nvml.Return){
		dev.GetComputeRunningProcesses, dev.GetGraphicsRunningProcesses, dev.GetMPSComputeRunningProcesses,
	} {
		if found, ret := list(); ok(ret) {
			addProcesses(gpu, found)
		}
	}
}

// memory returns total and used bytes. The second version of the call tells
// what the driver itself reserves apart from what is used; drivers before 510
// have the first alone, and calling a symbol that is not there ends the process.
func memory(lib nvml.Interface, dev nvml.Device) (total, used uint64, ret nvml.Return) {
	if lib.Extensions().LookupSymbol("nvmlDeviceGetMemoryInfo_v2") == nil {
		m, ret := dev.GetMemoryInfo_v2()
		if ret == nvml.SUCCESS || !notOffered(ret) {
			return m.Total, m.Used, ret
		}
	}
	m, ret := dev.GetMemoryInfo()
	return m.Total, m.Used, ret
}

// addProcesses adds each process once: one that computes and draws is in two
// lists.
func addProcesses(gpu *session.GPU, found []nvml.ProcessInfo) {
	for _, p := range found {
		used := int64(0)
		if p.UsedGpuMemory != ^uint64(0) { // NVML_VALUE_NOT_AVAILABLE
			used = int64(p.UsedGpuMemory)
		}
		at := slices.IndexFunc(gpu.Processes, func(q session.GPUProcess) bool { return q.PID == int(p.Pid) })
		if at < 0 {
			gpu.Processes = append(gpu.Processes, session.GPUProcess{PID: int(p.Pid), MemoryUsedBytes: used})
			continue
		}
		gpu.Processes[at].MemoryUsedBytes = max(gpu.Processes[at].MemoryUsedBytes, used)
	}
}

// holds says what still uses a device, or "".
func holds(gpu session.GPU, idle int64) string {
	var by []string
	for _, p := range gpu.Processes {
		what := fmt.Sprintf("process %d", p.PID)
		if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", p.PID)); err == nil {
			what += fmt.Sprintf(" %q", strings.TrimSpace(string(name)))
		}
		if p.MemoryUsedBytes > 0 {
			what += " with " + units.BytesSize(float64(p.MemoryUsedBytes))
		}
		by = append(by, what)
	}
	if len(by) == 0 && gpu.MemoryUsedBytes > idle {
		return fmt.Sprintf("%s of its memory is taken, though no process is seen; idle is at most %s",
			units.BytesSize(float64(gpu.MemoryUsedBytes)), units.BytesSize(float64(idle)))
	}
	return strings.Join(by, ", ")
}
