//go:build cgo

package nvmltest

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
	"github.com/medforge/medforge/pkg/testkit/promised"
)

// Bench is a DGX A100 of go-nvml's mock whose devices can be given work, be
// broken and be changed while the driver reads them.
type Bench struct {
	Server *dgxa100.Server
	UUIDs  []string

	// What follows is changed by With alone once a driver is open.
	Processes map[string][]gonvml.ProcessInfo // by UUID
	Used      map[string]uint64               // bytes, by UUID
	Count     int                             // devices that NVML counts
	Shutdowns int

	mu     sync.Mutex
	ret    map[string]gonvml.Return // what every reading of a device returns
	events []gonvml.EventData
}

// NewBench makes one with so many devices, all idle.
func NewBench(t *testing.T, devices int) *Bench {
	t.Helper()
	b := &Bench{
		Server:    dgxa100.NewWithGPUs(gpus.Multiple(devices, gpus.A100_SXM4_40GB)...),
		ret:       map[string]gonvml.Return{},
		Processes: map[string][]gonvml.ProcessInfo{},
		Used:      map[string]uint64{},
		Count:     devices,
	}
	b.Server.DeviceGetCountFunc = func() (int, gonvml.Return) {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.Count, gonvml.SUCCESS
	}
	b.Server.ShutdownFunc = func() gonvml.Return {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.Shutdowns++
		return gonvml.SUCCESS
	}
	b.Server.EventSetCreateFunc = func() (gonvml.EventSet, gonvml.Return) {
		return &mock.EventSet{WaitFunc: b.wait, FreeFunc: func() gonvml.Return { return gonvml.SUCCESS }}, gonvml.SUCCESS
	}
	byIndex := b.Server.DeviceGetHandleByIndexFunc
	b.Server.DeviceGetHandleByIndexFunc = func(i int) (gonvml.Device, gonvml.Return) {
		if ret := b.of(b.UUIDs[i]); ret == gonvml.ERROR_GPU_IS_LOST {
			return nil, ret
		}
		return byIndex(i)
	}
	for _, dev := range b.Server.Devices {
		b.equip(dev.(*dgxa100.Device))
	}
	return b
}

// equip gives a device the readings that the mock leaves out.
func (b *Bench) equip(dev *dgxa100.Device) {
	uuid := dev.UUID
	b.UUIDs = append(b.UUIDs, uuid)
	dev.GetMemoryInfo_v2Func = func() (gonvml.Memory_v2, gonvml.Return) {
		b.mu.Lock()
		defer b.mu.Unlock()
		total := dev.Config.MemoryMB << 20
		return gonvml.Memory_v2{Total: total, Reserved: 600 << 20, Used: b.Used[uuid], Free: total - b.Used[uuid] - 600<<20}, b.ret[uuid]
	}
	dev.GetUtilizationRatesFunc = func() (gonvml.Utilization, gonvml.Return) {
		return gonvml.Utilization{Gpu: 42, Memory: 7}, b.of(uuid)
	}
	dev.GetTemperatureFunc = func(gonvml.TemperatureSensors) (uint32, gonvml.Return) { return 33, b.of(uuid) }
	dev.GetPowerUsageFunc = func() (uint32, gonvml.Return) { return 51_234, b.of(uuid) }
	dev.GetComputeRunningProcessesFunc = func() ([]gonvml.ProcessInfo, gonvml.Return) {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.Processes[uuid], b.ret[uuid]
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

func (b *Bench) of(uuid string) gonvml.Return {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ret[uuid]
}

func (b *Bench) wait(uint32) (gonvml.EventData, gonvml.Return) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.events) == 0 {
		return gonvml.EventData{}, gonvml.ERROR_TIMEOUT
	}
	e := b.events[0]
	b.events = b.events[1:]
	return e, gonvml.SUCCESS
}

// With changes the Bench while the driver may be reading it.
func (b *Bench) With(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// BreakDevice makes every reading of a device return ret; SUCCESS mends it.
func (b *Bench) BreakDevice(uuid string, ret gonvml.Return) { b.With(func() { b.ret[uuid] = ret }) }

// Xid has NVML report an Xid of the device at an index.
func (b *Bench) Xid(i int, xid uint64) {
	b.With(func() {
		b.events = append(b.events, gonvml.EventData{Device: b.Server.Devices[i], EventType: gonvml.EventTypeXidCriticalError, EventData: xid})
	})
}

// Host is a driver's files in a folder: libraries, device nodes, hook program.
type Host struct {
	Root, Hook string
	Etc, Run   string // the folders of the operator's CDI specs and of our own
}

// DriverVersion is the mock's.
const DriverVersion = "550.54.15"

// NewHost makes the files, device nodes for so many devices with them.
func NewHost(t *testing.T, devices int) Host {
	t.Helper()
	dir := t.TempDir()
	h := Host{Root: filepath.Join(dir, "root"), Hook: filepath.Join(dir, cdi.HookName), Etc: filepath.Join(dir, "etc"), Run: filepath.Join(dir, "run")}
	put(t, h.Hook, 0o755)
	for _, lib := range []string{"libcuda.so.", "libnvidia-ml.so.", "libnvidia-ptxjitcompiler.so."} {
		put(t, filepath.Join(h.Root, "usr/lib/x86_64-linux-gnu", lib+DriverVersion), 0o755)
	}
	put(t, filepath.Join(h.Root, "usr/bin/nvidia-smi"), 0o755)
	h.node(t, "nvidiactl", 255)
	h.node(t, "nvidia-uvm", 254)
	for i := range devices {
		h.node(t, fmt.Sprintf("nvidia%d", i), uint32(i))
	}
	return h
}

func (h Host) node(t *testing.T, name string, minor uint32) {
	t.Helper()
	path := filepath.Join(h.Root, "dev", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(195, minor))); err != nil {
		promised.Missing(t, "this user cannot make device nodes: %v", err)
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

// Options are those that make a driver look here.
func (h Host) Options() nvml.Options {
	return nvml.Options{
		DriverRoot: h.Root, DevRoot: h.Root, HookPath: h.Hook,
		Specs: cdi.New([]string{h.Etc}, h.Run), IdleMemoryBytes: 256 << 20,
		Log: slog.New(slog.DiscardHandler),
	}
}

// Open opens a driver on the Bench and closes it at the end.
func Open(t *testing.T, b *Bench, o nvml.Options) *nvml.Driver {
	t.Helper()
	d, err := nvml.OpenWith(t.Context(), b.Server, o)
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
