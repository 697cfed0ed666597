package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestHostReadings(t *testing.T) {
	t.Parallel()
	proc := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(proc, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Unix(1_800_000_000, 0)
	r := &hostReadings{proc: proc, now: func() time.Time { return at }, space: func(context.Context) (int64, int64, error) { return 30, 100, nil }}
	write("stat", "cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 2 3\n")
	write("meminfo", "MemTotal:       1000 kB\nMemFree:         10 kB\nMemAvailable:    250 kB\n")
	h := r.read(t.Context())
	if h.CPUPercent != nil || *h.MemoryTotalBytes != 1000<<10 || *h.MemoryUsedBytes != 750<<10 || *h.PoolUsedBytes != 30 || *h.PoolTotalBytes != 100 || h.CPUs < 1 {
		t.Errorf("first: %+v", h)
	}
	write("stat", "cpu  130 0 100 760 110 0 0 0 90 0\n") // 30 busy of 100
	if h = r.read(t.Context()); h.CPUPercent != nil {
		t.Errorf("a reading of the same moment: %+v", h)
	}
	at = at.Add(keepReadings)
	if h = r.read(t.Context()); h.CPUPercent == nil || *h.CPUPercent != 30 {
		t.Errorf("second: %v", h.CPUPercent)
	}
	at = at.Add(keepReadings)
	r.space = func(ctx context.Context) (int64, int64, error) { return 30, 100, ctx.Err() }
	gone, leave := context.WithCancel(t.Context())
	leave()
	if h = r.read(gone); h.PoolTotalBytes == nil {
		t.Error("a caller who has gone away ended everybody's reading")
	}
	at = at.Add(keepReadings)
	write("stat", "nonsense\n")
	write("meminfo", "MemTotal: 5 kB\n")
	r.space = func(context.Context) (int64, int64, error) { return 0, 0, errors.New("no pool") }
	if h = r.read(t.Context()); h.CPUPercent != nil || h.MemoryTotalBytes != nil || h.PoolTotalBytes != nil {
		t.Errorf("what cannot be read is not told: %+v", h)
	}
}

func TestThisMachineCanBeRead(t *testing.T) {
	t.Parallel()
	if total, available, err := memory("/proc/meminfo"); err != nil || total <= 0 || available <= 0 || available > total {
		t.Errorf("memory: %d, %d, %v", total, available, err)
	}
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	if busy, sum, err := cpuTimes(string(raw)); err != nil || busy > sum || sum == 0 {
		t.Errorf("processors: %d, %d, %v", busy, sum, err)
	}
}
