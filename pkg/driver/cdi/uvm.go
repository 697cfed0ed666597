package cdi

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// UVMName is the node of NVIDIA's unified memory. No CUDA program starts
// without it.
const UVMName = "nvidia-uvm"

// UVM makes the nodes of NVIDIA's unified memory where they are missing.
// Nothing makes them when a host boots: the kernel module's first user does, by
// the set-uid program nvidia-modprobe, which a container does not have.
type UVM struct {
	// Devices is the kernel's list of device numbers; empty is /proc/devices.
	Devices string
	// Load loads the kernel module; nil runs modprobe.
	Load func(ctx context.Context) error
}

// Make makes what is missing of nvidia-uvm and nvidia-uvm-tools in devDir, and
// returns how many nodes that were.
func (u UVM) Make(ctx context.Context, devDir string) (made int, err error) {
	// The minors are nvidia-modprobe's, which has them from the module.
	for minor, name := range []string{UVMName, UVMName + "-tools"} {
		path := filepath.Join(devDir, name)
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			if err != nil {
				return made, err
			}
			continue
		}
		major, err := u.major(ctx)
		if err != nil {
			return made, err
		}
		err = unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(major, uint32(minor))))
		if errors.Is(err, unix.EEXIST) {
			continue // nvidia-modprobe was quicker
		}
		if err == nil {
			err = os.Chmod(path, 0o666) // whatever the umask
		}
		if err != nil {
			return made, fmt.Errorf("making %s: %w", path, err)
		}
		made++
	}
	return made, nil
}

// major is the module's device number; it is loaded where it is not.
func (u UVM) major(ctx context.Context) (uint32, error) {
	major, err := u.listed()
	if err != nil || major != 0 {
		return major, err
	}
	load := u.Load
	if load == nil {
		load = modprobe
	}
	if err := load(ctx); err != nil {
		return 0, fmt.Errorf("the kernel module %s is not loaded, and modprobe cannot load it: %w", UVMName, err)
	}
	if major, err = u.listed(); err == nil && major == 0 {
		err = fmt.Errorf("the kernel module %s was loaded and has no device number", UVMName)
	}
	return major, err
}

// listed reads the kernel's list: lines "238 nvidia-uvm" (proc_devices(5)). 0:
// it is not there.
func (u UVM) listed() (uint32, error) {
	path := u.Devices
	if path == "" {
		path = "/proc/devices"
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 2 && f[1] == UVMName {
			major, err := strconv.ParseUint(f[0], 10, 32)
			return uint32(major), err
		}
	}
	return 0, nil
}

func modprobe(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "modprobe", UVMName).CombinedOutput()
	if err != nil && len(out) > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return err
}
