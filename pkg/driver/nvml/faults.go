//go:build cgo

package nvml

import (
	"fmt"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/medforge/medforge/pkg/fault"
)

const codeNoLibrary = "gpus/no-driver"

const simulated = "choose gpu.driver = \"simulated\" to try MedForge without a GPU"

func noLibrary(configured string) error {
	if configured != "" {
		return fault.New(fault.Unavailable, codeNoLibrary, "gpu.library_path = %q cannot be loaded; name the NVIDIA driver's %s, leave the setting empty to have it searched for, or %s", configured, libraryName, simulated)
	}
	return fault.New(fault.Unavailable, codeNoLibrary, "no NVIDIA driver was found on this host (%s); install it, name the file with gpu.library_path, or %s", libraryName, simulated)
}

// initFault is why NVML did not start.
func initFault(ret nvml.Return) error {
	switch ret {
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return noLibrary("")
	case nvml.ERROR_DRIVER_NOT_LOADED:
		return fault.New(fault.Unavailable, "gpus/driver-not-loaded", "the NVIDIA driver's libraries are there and its kernel module is not loaded; try modprobe nvidia, see dmesg, or %s", simulated)
	case nvml.ERROR_LIB_RM_VERSION_MISMATCH:
		return fault.New(fault.Unavailable, "gpus/driver-mismatch", "the NVIDIA driver was updated and its old kernel module still runs; restart the host")
	case nvml.ERROR_NO_PERMISSION:
		return fault.New(fault.Unavailable, "gpus/no-permission", "the NVIDIA driver refuses this process; medforged must run as root and see /dev/nvidiactl")
	}
	return fault.Wrap(ret, fault.Unavailable, "gpus/driver-failed", "the NVIDIA driver does not start (%s); see nvidia-smi and dmesg, or %s", ret.Error(), simulated)
}

// callFault is a call that failed and that is no single device's.
func callFault(what string, ret nvml.Return) error {
	return fault.Wrap(ret, fault.Unavailable, "gpus/driver-failed", "the NVIDIA driver did not tell the %s (%s); see nvidia-smi and dmesg", what, ret.Error())
}

// notOffered are answers that say nothing bad of a device: its model, or the
// driver's age, lacks the reading.
func notOffered(ret nvml.Return) bool {
	switch ret {
	case nvml.ERROR_NOT_SUPPORTED, nvml.ERROR_FUNCTION_NOT_FOUND, nvml.ERROR_ARGUMENT_VERSION_MISMATCH,
		nvml.ERROR_NO_DATA, nvml.ERROR_NOT_FOUND, nvml.ERROR_NO_PERMISSION, nvml.ERROR_DEPRECATED:
		return true
	}
	return false
}

// deviceFault says why a device cannot be used, and what helps.
func deviceFault(ret nvml.Return, index int) string {
	switch ret {
	case nvml.ERROR_GPU_IS_LOST, nvml.ERROR_GPU_NOT_FOUND:
		return "it is lost: it fell off the bus or does not answer; see dmesg for Xid, and restart the host"
	case nvml.ERROR_RESET_REQUIRED:
		return "it needs a reset: stop medforged, nvidia-smi --gpu-reset -i " + fmt.Sprint(index) + ", start it again"
	case nvml.ERROR_INSUFFICIENT_POWER:
		return "it has no power: see its power cables"
	case nvml.ERROR_IRQ_ISSUE:
		return "it has an interrupt problem: see dmesg, and restart the host"
	case nvml.ERROR_NO_PERMISSION:
		return "this process may not use it; medforged must run as root and see its device node"
	}
	return "it cannot be read (" + ret.Error() + "); see nvidia-smi and dmesg"
}
