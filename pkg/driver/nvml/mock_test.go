//go:build cgo

package nvml_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	gonvml "github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxa100"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/gpus"
	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/driver/cdi"
	"github.com/medforge/medforge/pkg/driver/nvml"
)

// bench is a DGX A100 of go-nvml's mock whose devices can be given work, be
// broken and be changed while the driver reads them.
type bench struct {
	server *dgxa100.Server
	uuids  []string

	mu        sync.Mutex
	ret       map[string]gonvml.Return // what every reading of a device returns
	processes map[string][]gonvml.ProcessInfo
	used      map[string]uint64
	events    []gonvml.EventData
	count     int
	shutdowns int
}

func newBench(t *testing.T, devices int) *bench {
	t.Helper()
	b := &bench{
		server:    dgxa100.NewWithGPUs(gpus.Multiple(devices, gpus.A100_SXM4_40GB)...),
		ret:       map[string]gonvml.Return{},
		processes: map[string][]gonvml.ProcessInfo{},
		used:      map[string]uint64{},
		count:     devices,
	}
	b.server.DeviceGetCountFunc = func() (int, gonvml.Return) {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.count, gonvml.SUCCESS
	}
	b.server.ShutdownFunc = func() gonvml.Return {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.shutdowns++
		return gonvml.SUCCESS
	}
	b.server.EventSetCreateFunc = func() (gonvml.EventSet, gonvml.Return) {
		return &mock.EventSet{WaitFunc: b.wait, FreeFunc: func() gonvml.Return { return gonvml.SUCCESS }}, gonvml.SUCCESS
	}
	byIndex := b.server.DeviceGetHandleByIndexFunc
	b.server.DeviceGetHandleByIndexFunc = func(i int) (gonvml.Device, gonvml.Return) {
		if ret := b.of(b.uuids[i]); ret == gonvml.ERROR_GPU_IS_LOST {
			return nil, ret
		}
		return byIndex(i)
	}
	for _, dev := range b.server.Devices {
		b.equip(dev.(*dgxa100.Device))
	}
	return b
}

// equip gives a device the readings that the mock leaves out.
func (b *bench) equip(dev *dgxa100.Device) {
	uuid := dev.UUID
	b.uuids = append(b.uuids, uuid)
	dev.GetMemoryInfo_v2Func = func() (gonvml.Memory_v2, gonvml.Return) {
		b.mu.Lock()
		defer b.mu.Unlock()
		total := dev.Config.MemoryMB << 20
		return gonvml.Memory_v2{Total: total, Reserved: 600 << 20, Used: b.used[uuid], Free: total - b.used[uuid] - 600<<20}, b.ret[uuid]
	}
	dev.GetUtilizationRatesFunc = func() (gonvml.Utilization, gonvml.Return) {
		return gonvml.Utilization{Gpu: 42, Memory: 7}, b.of(uuid)
	}
	dev.GetTemperatureFunc = func(gonvml.TemperatureSensors) (uint32, gonvml.Return) { return 33, b.of(uuid) }
	dev.GetPowerUsageFunc = func() (uint32, gonvml.Return) { return 51_234, b.of(uuid) }
	dev.GetComputeRunningProcessesFunc = func() ([]gonvml.ProcessInfo, gonvml.Return) {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.processes[uuid], b.ret[uuid]
	}
	dev.GetGraphicsRunningProcessesFunc = dev.GetComputeRunningProcessesFunc // it draws as well
	dev.GetMPSComputeRunningProcessesFunc = func() ([]gonvml.ProcessInfo, gonvml.Return) {
		return nil, gonvml.ERROR_NOT_SUPPORTED
	}
	dev.RegisterEventsFunc = func(uint64, gonvml.EventSet) gonvml.Return { return gonvml.SUCCESS }
	dev.IsMigDeviceHandleFunc = func() (bool, gonvml.Return) { return false, gonvml.SUCCESS }
	dev.GetPciInfoFunc = func() (gonvml.PciInfo, gonvml.Return) {
		info := gonvml.PciInfo{}
		for i, c := range []byte(dev.PciBusID) {
			info.BusId[i] = int8(c)
		}
		return info, gonvml.SUCCESS
	}
}

func (b *bench) of(uuid string) gonvml.Return {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ret[uuid]
}

func (b *bench) wait(uint32) (gonvml.EventData, gonvml.Return) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.events) == 0 {
		return gonvml.EventData{}, gonvml.ERROR_TIMEOUT
	}
	e := b.events[0]
	b.events = b.events[1:]
	return e, gonvml.SUCCESS
}

// with changes the bench while the driver may be reading it.
func (b *bench) with(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func (b *bench) breakDevice(uuid string, ret gonvml.Return) { b.with(func() { b.ret[uuid] = ret }) }

func (b *bench) xid(i int, xid uint64) {
	b.with(func() {
		b.events = append(b.events, gonvml.EventData{Device: b.server.Devices[i], EventType: gonvml.EventTypeXidCriticalError, EventData: xid})
	})
}

// host is a driver's files in a folder: libraries, device nodes, hook program.
type host struct {
	root, hook, etc, run string
}

const driverVersion = "550.54.15"

func newHost(t *testing.T, devices int) host {
	t.Helper()
	dir := t.TempDir()
	h := host{root: filepath.Join(dir, "root"), hook: filepath.Join(dir, cdi.HookName), etc: filepath.Join(dir, "etc"), run: filepath.Join(dir, "run")}
	put(t, h.hook, 0o755)
	for _, lib := range []string{"libcuda.so.", "libnvidia-ml.so.", "libnvidia-ptxjitcompiler.so."} {
		put(t, filepath.Join(h.root, "usr/lib/x86_64-linux-gnu", lib+driverVersion), 0o755)
	}
	put(t, filepath.Join(h.root, "usr/bin/nvidia-smi"), 0o755)
	h.node(t, "nvidiactl", 255)
	h.node(t, "nvidia-uvm", 254)
	for i := range devices {
		h.node(t, fmt.Sprintf("nvidia%d", i), uint32(i))
	}
	return h
}

func (h host) node(t *testing.T, name string, minor uint32) {
	t.Helper()
	path := filepath.Join(h.root, "dev", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(195, minor))); err != nil {
		t.Skipf("this user cannot make device nodes: %v", err)
	}
}

func put(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, mode); err != nil {
		t.Fatal(err)
	}
}

func (h host) options() nvml.Options {
	return nvml.Options{
		DriverRoot: h.root, DevRoot: h.root, HookPath: h.hook,
		Specs: cdi.New([]string{h.etc}, h.run), IdleMemoryBytes: 256 << 20,
		Log: slog.New(slog.DiscardHandler),
	}
}

// open opens a driver on the bench and closes it at the end.
func open(t *testing.T, b *bench, o nvml.Options) *nvml.Driver {
	t.Helper()
	d, err := nvml.OpenWith(t.Context(), b.server, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return d
}
