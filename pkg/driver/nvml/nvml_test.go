//go:build cgo

package nvml_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gonvml "github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/medforge/medforge/pkg/driver/cdi"
	"github.com/medforge/medforge/pkg/driver/nvml"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/porttest"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/testkit/nvmltest"
)

func TestGPUs(t *testing.T) {
	t.Parallel()
	porttest.GPUs(t, func(t *testing.T) porttest.GPUsKit {
		b := nvmltest.NewBench(t, 8)
		return porttest.GPUsKit{
			GPUs:    nvmltest.Open(t, b, nvmltest.NewHost(t, 8).Options()),
			Injects: true,
			Hold: func(t *testing.T, uuid, what string) {
				b.With(func() {
					b.Processes[uuid], b.Used[uuid] = nil, 0
					if what != "" {
						b.Processes[uuid], b.Used[uuid] = []gonvml.ProcessInfo{{Pid: 4711, UsedGpuMemory: 1 << 30}}, 1<<30
					}
				})
			},
			Break: func(t *testing.T, uuid, why string) {
				ret := gonvml.SUCCESS
				if why != "" {
					ret = gonvml.ERROR_GPU_IS_LOST
				}
				b.BreakDevice(uuid, ret)
			},
		}
	})
}

// On a host with an NVIDIA driver the suite runs on the devices themselves.
func TestRealGPUs(t *testing.T) {
	if _, err := os.Stat("/dev/nvidiactl"); err != nil {
		t.Skip("this host has no NVIDIA driver; make test-gpu runs on one that has")
	}
	porttest.GPUs(t, func(t *testing.T) porttest.GPUsKit {
		d, err := nvml.Open(t.Context(), nvml.Options{Specs: cdi.New([]string{"/etc/cdi", "/var/run/cdi"}, t.TempDir()), IdleMemoryBytes: 256 << 20})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		return porttest.GPUsKit{GPUs: d, Injects: true}
	})
}

func inventory(t *testing.T, d *nvml.Driver) []session.GPU {
	t.Helper()
	all, err := d.Inventory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestReadings(t *testing.T) {
	t.Parallel()
	b := nvmltest.NewBench(t, 2)
	b.With(func() {
		b.Used[b.UUIDs[1]] = 3 << 30
		b.Processes[b.UUIDs[1]] = []gonvml.ProcessInfo{{Pid: 1 << 30, UsedGpuMemory: 2 << 30}, {Pid: 1<<30 + 1, UsedGpuMemory: ^uint64(0)}}
	})
	d := nvmltest.Open(t, b, nvmltest.NewHost(t, 2).Options())
	g := inventory(t, d)[1]
	if g.Index != 1 || g.UUID != b.UUIDs[1] || !strings.Contains(g.Name, "A100") || g.MemoryTotalBytes != 40960<<20 || g.MemoryUsedBytes != 3<<30 ||
		g.UtilisationPct != 42 || g.TemperatureC != 33 || g.PowerMilliwatts != 51_234 || g.Fault != "" {
		t.Errorf("%+v", g)
	}
	// The mock shows each process as computing and as drawing.
	if len(g.Processes) != 2 || g.Processes[0] != (session.GPUProcess{PID: 1 << 30, MemoryUsedBytes: 2 << 30}) || g.Processes[1].MemoryUsedBytes != 0 {
		t.Errorf("processes %+v", g.Processes)
	}
	if v, err := d.Version(t.Context()); v != nvmltest.DriverVersion || err != nil {
		t.Errorf("%q %v", v, err)
	}
}

// What a model does not offer is no fault.
func TestReadingsNotOffered(t *testing.T) {
	t.Parallel()
	b := nvmltest.NewBench(t, 1)
	b.BreakDevice(b.UUIDs[0], gonvml.ERROR_NOT_SUPPORTED)
	d := nvmltest.Open(t, b, nvmltest.NewHost(t, 1).Options())
	if g := inventory(t, d)[0]; g.Fault != "" || g.PowerMilliwatts != 0 || g.MemoryTotalBytes != 40960<<20 {
		t.Errorf("%+v", g)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for ret, want := range map[gonvml.Return]string{
		gonvml.ERROR_GPU_IS_LOST:    "lost",
		gonvml.ERROR_RESET_REQUIRED: "--gpu-reset -i 1",
		gonvml.ERROR_UNKNOWN:        "cannot be read",
		gonvml.ERROR_IRQ_ISSUE:      "interrupt",
	} {
		b := nvmltest.NewBench(t, 3)
		d := nvmltest.Open(t, b, nvmltest.NewHost(t, 3).Options())
		b.BreakDevice(b.UUIDs[1], ret)
		all := inventory(t, d)
		if len(all) != 3 || all[1].UUID != b.UUIDs[1] || all[1].Index != 1 || !strings.Contains(all[1].Fault, want) {
			t.Errorf("%v: %+v", ret, all)
			continue
		}
		if all[0].Fault != "" || all[2].Fault != "" {
			t.Errorf("%v: the others have a fault too: %+v", ret, all)
		}
		if names, err := d.CDIDevices(t.Context(), b.UUIDs[1]); !fault.Is(err, fault.Conflict) {
			t.Errorf("%v: a broken device is given: %v %v", ret, names, err)
		}
		if names, err := d.CDIDevices(t.Context(), b.UUIDs[2]); err != nil || names[0] != "medforge.local/gpu="+b.UUIDs[2] {
			t.Errorf("%v: a sound device is not given: %v %v", ret, names, err)
		}
	}
}

func TestLostFromTheStart(t *testing.T) {
	t.Parallel()
	b := nvmltest.NewBench(t, 2)
	b.BreakDevice(b.UUIDs[0], gonvml.ERROR_GPU_IS_LOST)
	d := nvmltest.Open(t, b, nvmltest.NewHost(t, 2).Options())
	if all := inventory(t, d); len(all) != 2 || all[0].Fault == "" || all[0].UUID != "" || all[1].Fault != "" || all[1].UUID != b.UUIDs[1] {
		t.Errorf("%+v", all)
	}
}

// A device that NVML no longer counts stays listed, and no other takes its
// index.
func TestVanished(t *testing.T) {
	t.Parallel()
	b := nvmltest.NewBench(t, 3)
	d := nvmltest.Open(t, b, nvmltest.NewHost(t, 3).Options())
	b.With(func() {
		b.Count = 2
		b.Server.Devices = b.Server.Devices[1:]
		b.UUIDs = b.UUIDs[1:]
	})
	all := inventory(t, d)
	if len(all) != 3 || !strings.Contains(all[0].Fault, "no longer lists it") || all[1].Fault != "" || all[1].Index != 1 || all[1].UUID != b.UUIDs[0] || all[2].Index != 2 {
		t.Errorf("%+v", all)
	}
	// NVML has counted anew: what it has at 0 is our device 1.
	b.BreakDevice(b.UUIDs[0], gonvml.ERROR_GPU_IS_LOST)
	if all := inventory(t, d); len(all) != 3 || !strings.Contains(all[0].Fault, "no longer lists it") || all[1].UUID != b.UUIDs[0] || !strings.Contains(all[1].Fault, "lost") || all[2].Fault != "" {
		t.Errorf("%+v", all)
	}
}

func TestMIGIsRefused(t *testing.T) {
	t.Parallel()
	b := nvmltest.NewBench(t, 2)
	if _, ret := b.Server.Devices[1].SetMigMode(gonvml.DEVICE_MIG_ENABLE); ret != gonvml.SUCCESS {
		t.Fatal(ret)
	}
	d := nvmltest.Open(t, b, nvmltest.NewHost(t, 2).Options())
	all := inventory(t, d)
	if !strings.Contains(all[1].Fault, "MIG mode is on") || !strings.Contains(all[1].Fault, "nvidia-smi -i 1 -mig 0") || all[0].Fault != "" {
		t.Errorf("%+v", all)
	}
	if err := d.Clean(t.Context(), b.UUIDs[1]); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "MIG") {
		t.Errorf("%v", err)
	}
}

func TestXids(t *testing.T) {
	t.Parallel()
	b := nvmltest.NewBench(t, 3)
	d := nvmltest.Open(t, b, nvmltest.NewHost(t, 3).Options())
	b.Xid(0, 13) // a program's own mistake
	b.Xid(1, 79)
	b.Xid(2, 31)
	all := inventory(t, d)
	if all[0].Fault != "" || !strings.Contains(all[1].Fault, "Xid 79") || all[2].Fault != "" {
		t.Errorf("%+v", all)
	}
	if again := inventory(t, d); !strings.Contains(again[1].Fault, "Xid 79") {
		t.Errorf("the Xid was forgotten: %+v", again[1])
	}
}

func TestMemoryWithoutProcess(t *testing.T) {
	t.Parallel()
	b := nvmltest.NewBench(t, 1)
	d := nvmltest.Open(t, b, nvmltest.NewHost(t, 1).Options())
	for used, busy := range map[uint64]bool{0: false, 256 << 20: false, 257 << 20: true} {
		b.With(func() { b.Used[b.UUIDs[0]] = used })
		if err := d.Clean(t.Context(), b.UUIDs[0]); fault.Is(err, fault.Busy) != busy {
			t.Errorf("%d bytes: %v", used, err)
		}
	}
}

func TestOpenFailures(t *testing.T) {
	t.Parallel()
	for ret, want := range map[gonvml.Return]string{
		gonvml.ERROR_LIBRARY_NOT_FOUND:       `gpu.driver = "simulated"`,
		gonvml.ERROR_DRIVER_NOT_LOADED:       "modprobe nvidia",
		gonvml.ERROR_LIB_RM_VERSION_MISMATCH: "restart the host",
		gonvml.ERROR_NO_PERMISSION:           "run as root",
		gonvml.ERROR_UNKNOWN:                 "does not start",
	} {
		b := nvmltest.NewBench(t, 1)
		b.Server.InitFunc = func() gonvml.Return { return ret }
		if _, err := nvml.OpenWith(t.Context(), b.Server, nvml.Options{}); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", ret, err)
		}
	}
	if _, err := nvml.OpenWith(t.Context(), nvmltest.NewBench(t, 0).Server, nvml.Options{}); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "lists no GPU") {
		t.Errorf("no device: %v", err)
	}
	missing := filepath.Join(t.TempDir(), "libnvidia-ml.so.1")
	if _, err := nvml.Open(t.Context(), nvml.Options{LibraryPath: missing}); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), "simulated") {
		t.Errorf("a configured library that is not there: %v", err)
	}
	if _, err := nvml.Open(t.Context(), nvml.Options{DriverRoot: t.TempDir()}); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "simulated") {
		t.Errorf("no driver below the root: %v", err)
	}
}

// NVML hangs: every caller gets an answer in its time, one call alone is under
// way, and when it ends all is as before.
func TestHang(t *testing.T) {
	t.Parallel()
	b := nvmltest.NewBench(t, 1)
	d := nvmltest.Open(t, b, nvmltest.NewHost(t, 1).Options())
	release, entered := make(chan struct{}), make(chan struct{}, 100)
	count := b.Server.DeviceGetCountFunc
	// The worker stands still between calls, and sees this with the next one.
	b.Server.DeviceGetCountFunc = func() (int, gonvml.Return) {
		entered <- struct{}{}
		<-release
		return count()
	}
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := d.Inventory(ctx)
		first <- err
	}()
	<-entered
	cancel()
	if err := <-first; !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("the caller that hung: %v", err)
	}
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if _, err := d.Inventory(ctx); !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a caller after it: %v", err)
		}
		cancel()
	}
	if len(entered) != 0 {
		t.Errorf("%d calls were made beside the one that hangs", len(entered))
	}
	close(release)
	inventory(t, d)
}

// The driver's own limit holds for callers without a deadline.
func TestCallTimeout(t *testing.T) {
	t.Parallel()
	b := nvmltest.NewBench(t, 1)
	b.Server.InitFunc = func() gonvml.Return {
		time.Sleep(2 * time.Second) // far longer than the limit; Close waits for its end
		return gonvml.SUCCESS
	}
	o := nvmltest.NewHost(t, 1).Options()
	o.CallTimeout = time.Millisecond
	if _, err := nvml.OpenWith(context.Background(), b.Server, o); !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	b := nvmltest.NewBench(t, 1)
	d, err := nvml.OpenWith(t.Context(), b.Server, nvmltest.NewHost(t, 1).Options())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil || b.Shutdowns != 1 {
		t.Errorf("%v, %d shutdowns", err, b.Shutdowns)
	}
	if _, err := d.Inventory(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("after Close: %v", err)
	}
}
