package daemon

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/api"
)

// hostReadings reads the machine for GET host. Readings are kept for a moment:
// many clients look at them, and the use of the processors is what happened
// between two of them.
type hostReadings struct {
	proc  string // /proc
	now   func() time.Time
	space func(ctx context.Context) (used, total int64, err error)

	mu        sync.Mutex
	at        time.Time
	last      api.Host
	busy, sum uint64 // of /proc/stat, at at
}

// keepReadings is how old a reading may be.
const keepReadings = 3 * time.Second

func (r *hostReadings) read(ctx context.Context) api.Host {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.now(); now.Sub(r.at) < keepReadings && !r.at.IsZero() {
		return r.last
	}
	h := api.Host{CPUs: runtime.NumCPU(), CPUPercent: r.cpu()}
	if total, free, err := memory(r.proc + "/meminfo"); err == nil {
		used := total - free
		h.MemoryTotalBytes, h.MemoryUsedBytes = &total, &used
	}
	// The reading is everybody's: a caller who goes away does not end it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepReadings)
	defer cancel()
	if used, total, err := r.space(ctx); err == nil {
		h.PoolTotalBytes, h.PoolUsedBytes = &total, &used
	}
	r.last, r.at = h, r.now()
	return h
}

// cpu is the use of all processors since the reading before; nil at the first.
func (r *hostReadings) cpu() *float64 {
	raw, err := os.ReadFile(r.proc + "/stat")
	if err != nil {
		return nil
	}
	busy, sum, err := cpuTimes(string(raw))
	if err != nil {
		return nil
	}
	was, before := r.busy, r.sum
	r.busy, r.sum = busy, sum
	if before == 0 || sum <= before || busy < was {
		return nil
	}
	p := 100 * float64(busy-was) / float64(sum-before)
	return &p
}

// cpuTimes reads the first line of /proc/stat (proc_stat(5)): user, nice,
// system, idle, iowait, irq, softirq, steal; guest times are in user already.
func cpuTimes(stat string) (busy, sum uint64, err error) {
	line, _, _ := strings.Cut(stat, "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return 0, 0, fmt.Errorf("%q is not the line of all processors", line)
	}
	for i, s := range f[1:9] {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return 0, 0, err
		}
		sum += n
		if i != 3 && i != 4 { // idle and iowait
			busy += n
		}
	}
	return busy, sum, nil
}

// memory reads /proc/meminfo, in bytes. Available is what programs could get
// without swapping (proc_meminfo(5)).
func memory(path string) (total, available int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	seen := 0
	for s := bufio.NewScanner(f); s.Scan() && seen < 2; {
		fields := strings.Fields(s.Text())
		if len(fields) < 2 {
			continue
		}
		var to *int64
		switch fields[0] {
		case "MemTotal:":
			to = &total
		case "MemAvailable:":
			to = &available
		default:
			continue
		}
		kib, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return 0, 0, err
		}
		*to = kib << 10
		seen++
	}
	if seen < 2 {
		return 0, 0, fmt.Errorf("%s does not tell the memory", path)
	}
	return total, available, nil
}

// spacious is a driver that knows the space for all workspaces.
type spacious interface {
	Space(ctx context.Context) (used, total int64, err error)
}

// host is the machine with its free slots.
func (d *Daemon) host(ctx context.Context) (api.Host, error) {
	h := d.readings.read(ctx)
	h.SlotsTotal, h.SlotsFree = d.cfg.Session.MaxConcurrent, d.cfg.Session.MaxConcurrent
	sample, err := d.sessions.Sample(ctx)
	if err != nil {
		return h, err
	}
	for _, g := range sample.GPUs {
		if g.SessionSlug != "" && h.SlotsFree > 0 {
			h.SlotsFree--
		}
	}
	return h, nil
}

func (d *Daemon) newReadings() *hostReadings {
	r := &hostReadings{proc: "/proc", now: time.Now, space: func(context.Context) (int64, int64, error) {
		return 0, 0, fmt.Errorf("the %s driver does not tell its space", d.cfg.Workspace.Driver)
	}}
	if w, ok := d.drivers.workspaces.(spacious); ok {
		r.space = w.Space
	}
	return r
}
