package daemon

import (
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/medforge/medforge/pkg/config"
	"github.com/medforge/medforge/pkg/session"
)

// The least a session gets, however many may run: code-server alone needs
// about so much to be pleasant.
const (
	leastCPUMillis   = 2000
	leastMemoryBytes = 2 << 30
	leastPIDs        = 2048
	// keptMemoryShare is the part of the host's memory, in percent, that stays
	// for the host itself: containerd, the database, ZFS's cache.
	keptMemoryShare = 10
)

// sessionLimits is what each container gets at most: what the operator
// configured, else the host divided by the sessions it may run. On a small
// host the least share is more than that division: idle sessions cost nothing,
// and an IDE that starts at a crawl helps nobody.
func sessionLimits(c config.Session, host hostSize) session.Limits {
	n := int64(c.MaxConcurrent)
	l := session.Limits{CPUMillis: c.CPUMillis, MemoryBytes: int64(c.Memory), PIDs: c.PIDs}
	if l.CPUMillis == 0 {
		l.CPUMillis = share(host.cpuMillis, n, leastCPUMillis)
	}
	if l.MemoryBytes == 0 {
		l.MemoryBytes = share(host.memoryBytes*(100-keptMemoryShare)/100, n, leastMemoryBytes)
	}
	if l.PIDs == 0 {
		l.PIDs = share(host.pids/2, n, leastPIDs)
	}
	return l
}

// share divides, gives at least the least, and never more than there is.
func share(total, n, least int64) int64 {
	return min(max(total/n, least), total)
}

// hostSize is what the host has.
type hostSize struct {
	cpuMillis   int64
	memoryBytes int64
	pids        int64
}

// thisHost reads the host's size; what cannot be read counts as unbounded for
// the division and so ends at the least share.
func thisHost() hostSize {
	h := hostSize{cpuMillis: int64(runtime.NumCPU()) * 1000, pids: 32768}
	if raw, err := os.ReadFile("/proc/sys/kernel/pid_max"); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64); err == nil {
			h.pids = n
		}
	}
	raw, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return h
	}
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) >= 2 && f[0] == "MemTotal:" {
			if kib, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				h.memoryBytes = kib << 10
			}
		}
	}
	return h
}
