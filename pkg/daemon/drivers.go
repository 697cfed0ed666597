package daemon

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/medforge/medforge/pkg/config"
	"github.com/medforge/medforge/pkg/driver/cdi"
	"github.com/medforge/medforge/pkg/driver/containerd"
	"github.com/medforge/medforge/pkg/driver/containerd/network"
	"github.com/medforge/medforge/pkg/driver/dir"
	"github.com/medforge/medforge/pkg/driver/nvml"
	"github.com/medforge/medforge/pkg/driver/simgpu"
	"github.com/medforge/medforge/pkg/driver/sockdir"
	"github.com/medforge/medforge/pkg/driver/zfs"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// drivers are the ports' implementations that the configuration names.
type drivers struct {
	runtime    *containerd.Driver
	workspaces session.Workspaces
	gpus       session.GPUs
	sockets    *sockdir.Sockets
	nvml       *nvml.Driver // nil with simulated GPUs
}

func (d drivers) close() error {
	errs := []error{d.runtime.Close()}
	if d.nvml != nil {
		errs = append(errs, d.nvml.Close())
	}
	return errors.Join(errs...)
}

func openDrivers(ctx context.Context, c config.Config, logger *slog.Logger) (d drivers, err error) {
	devices := cdi.New(c.GPU.CDISpecDirs, c.CDIDir())
	if d.gpus, d.nvml, err = openGPUs(ctx, c, devices, logger); err != nil {
		return d, err
	}
	defer func() {
		if err != nil && d.nvml != nil {
			_ = d.nvml.Close() // err says more
		}
	}()
	if d.workspaces, err = openWorkspaces(ctx, c, logger); err != nil {
		return d, err
	}
	if d.sockets, err = sockdir.New(c.SessionSocketsDir()); err != nil {
		return d, err
	}
	self, err := os.Executable()
	if err != nil {
		return d, err
	}
	d.runtime, err = containerd.Open(containerd.Config{
		Address:     c.Containerd.Address,
		Namespace:   c.Containerd.Namespace,
		Snapshotter: c.Containerd.Snapshotter,
		RunDir:      filepath.Join(c.RunDir, "containers"),
		LogDir:      logDir(c),
		LogMaxBytes: int64(c.Session.LogSize) / 2, // the log and the one before it
		LogProgram:  logProgram(self),
		ShmBytes:    int64(c.Session.SharedMemory),
		CLIPath:     besides(self, "medforge"),
		Devices:     devices,
		Network: network.Config{
			RunDir:       filepath.Join(c.RunDir, "network"),
			LoopbackOnly: c.Network.Mode == config.NetworkNone,
			PluginDirs:   c.Network.CNIBinDirs,
			Bridge:       c.Network.Bridge,
			Subnet:       c.Network.Subnet,
			Deny:         c.Network.Deny,
			Nameservers:  c.Network.DNS,
			Logger:       logger,
		},
		Logger: logger,
	})
	return d, err
}

func openGPUs(ctx context.Context, c config.Config, devices *cdi.Registry, logger *slog.Logger) (session.GPUs, *nvml.Driver, error) {
	if c.GPU.Driver == config.GPUSimulated {
		host, err := os.Hostname()
		if err != nil {
			return nil, nil, err
		}
		return simgpu.New(host, c.GPU.Count), nil, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	d, err := nvml.Open(ctx, nvml.Options{
		LibraryPath:     c.GPU.LibraryPath,
		DriverRoot:      c.GPU.DriverRoot,
		HookPath:        c.GPU.HookPath,
		HookBeside:      filepath.Dir(self),
		Specs:           devices,
		IdleMemoryBytes: int64(c.GPU.IdleMemory),
		Log:             logger,
	})
	if err != nil {
		return nil, nil, err
	}
	return d, d, nil
}

func openWorkspaces(ctx context.Context, c config.Config, logger *slog.Logger) (session.Workspaces, error) {
	if c.Workspace.Driver == config.WorkspaceZFS {
		return zfs.New(zfs.Config{
			Parent:       c.Workspace.ZFSParent,
			QuotaBytes:   int64(c.Workspace.Quota),
			MinFreeBytes: int64(c.Workspace.MinFree),
			Logger:       logger,
		})
	}
	w, err := dir.New(dir.Config{Root: c.WorkspaceDir(), MinFreeBytes: int64(c.Workspace.MinFree), Logger: logger})
	if err != nil {
		return nil, err
	}
	if err := w.CleanUp(ctx); err != nil {
		logger.Warn("what interrupted copies left cannot be removed", "error", err)
	}
	return w, nil
}

// logProgram keeps sessions' output: medforge-log, beside this program or where
// the package has it; else this program, which can do the same.
func logProgram(self string) string {
	for _, folder := range []string{"", "../lib/medforge"} {
		if path := besides(self, filepath.Join(folder, "medforge-log")); path != "" {
			return path
		}
	}
	return self
}

// besides is a program in the folder of this one; empty when it is not there.
func besides(self, name string) string {
	path := filepath.Join(filepath.Dir(self), name)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}

// retryUnavailable tries again while something does not answer.
func retryUnavailable[T any](ctx context.Context, most time.Duration, logger *slog.Logger, f func() (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for wait := 250 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		v, err := f()
		if err == nil || !fault.Is(err, fault.Unavailable) {
			return v, err
		}
		logger.Warn("not there yet, trying again", "wait", wait, "error", err)
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return v, err
		case <-t.C:
		}
	}
}
