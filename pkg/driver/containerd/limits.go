package containerd

import (
	"context"
	"os"
	"strings"

	"github.com/containerd/cgroups/v3"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/medforge/medforge/pkg/session"
)

// cpuPeriod is the kernel's usual 100 ms, in microseconds.
const cpuPeriod = 100_000

// minCPUQuota is the least that the kernel takes, in microseconds.
const minCPUQuota = 1000

// withLimits sets what the control groups enforce. Zero is no limit.
func withLimits(l session.Limits) oci.SpecOpts {
	return func(_ context.Context, _ oci.Client, _ *containers.Container, spec *oci.Spec) error {
		r := spec.Linux.Resources
		if l.CPUMillis > 0 {
			period := uint64(cpuPeriod)
			quota := max(l.CPUMillis*cpuPeriod/1000, minCPUQuota)
			r.CPU = &specs.LinuxCPU{Quota: &quota, Period: &period}
		}
		if l.MemoryBytes > 0 {
			limit := l.MemoryBytes
			r.Memory = &specs.LinuxMemory{Limit: &limit}
			if limitsSwap() {
				r.Memory.Swap = &limit // memory and swap together: none of it swap
			}
		}
		if l.PIDs > 0 {
			pids := l.PIDs
			r.Pids = &specs.LinuxPids{Limit: &pids}
		}
		return nil
	}
}

// limitsSwap reports whether a limit on swap can be and need be set. A host
// without swap needs none, and a kernel that does not count swap refuses one.
func limitsSwap() bool {
	swaps, err := os.ReadFile("/proc/swaps")
	if err != nil || strings.Count(string(swaps), "\n") < 2 { // its head line only
		return false
	}
	if cgroups.Mode() == cgroups.Unified {
		return true
	}
	_, err = os.Stat("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes")
	return err == nil
}
