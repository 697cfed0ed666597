// Package nvml is the host's NVIDIA GPUs: their inventory and readings by NVML,
// and what puts one of them into a container by CDI. NVML is a C library that
// is loaded when the daemon starts; without cgo the package builds and Open
// says why it cannot work.
package nvml

import (
	"log/slog"
	"time"

	"github.com/medforge/medforge/pkg/driver/cdi"
)

// Options say how the driver is found and judged.
type Options struct {
	// LibraryPath is libnvidia-ml.so.1; empty searches for it.
	LibraryPath string
	// DriverRoot is where the driver's files are installed; empty is "/".
	DriverRoot string
	// DevRoot is the root below which /dev/nvidia* stand; empty is "/".
	DevRoot string
	// HookPath is nvidia-cdi-hook; empty searches for it, HookBeside first.
	HookPath   string
	HookBeside string
	// Specs is where CDI devices are found and our own are written.
	Specs *cdi.Registry
	// IdleMemoryBytes is what a device that nobody uses may hold.
	IdleMemoryBytes int64
	// CallTimeout bounds one inventory; 0 is 10 s. A GPU that falls off the
	// bus can make NVML hang for good.
	CallTimeout time.Duration
	// SpecTimeout bounds the making of a CDI spec; 0 is 60 s.
	SpecTimeout time.Duration
	Log         *slog.Logger // nil: nothing is logged
}

func (o Options) filled() Options {
	if o.DriverRoot == "" {
		o.DriverRoot = "/"
	}
	if o.DevRoot == "" {
		o.DevRoot = "/"
	}
	if o.CallTimeout == 0 {
		o.CallTimeout = 10 * time.Second
	}
	if o.SpecTimeout == 0 {
		o.SpecTimeout = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}
