package cdi

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/medforge/medforge/pkg/fault"
)

// HookName is the program of nvidia-container-toolkit that the runtime calls
// for a container with a GPU: it makes the driver's libraries known inside.
const HookName = "nvidia-cdi-hook"

// FindHook returns the hook program: the configured one, or the first of
// beside (the folder of medforged's own file), PATH, and the folders where
// packages put it, MedForge's own last. Errors: Unavailable, with what to do.
func FindHook(configured, beside string) (string, error) {
	if configured != "" {
		if why := unfit(configured); why != "" {
			return "", fault.New(fault.Unavailable, "gpus/no-hook", "gpu.hook_path = %q %s", configured, why)
		}
		return configured, nil
	}
	var candidates []string
	if beside != "" {
		candidates = append(candidates, filepath.Join(beside, HookName))
	}
	if p, err := exec.LookPath(HookName); err == nil && filepath.IsAbs(p) {
		candidates = append(candidates, p)
	}
	for _, dir := range []string{"/usr/bin", "/usr/local/bin", "/usr/local/nvidia/toolkit", "/usr/local/nvidia/bin", "/run/nvidia/toolkit", "/usr/lib/medforge"} {
		candidates = append(candidates, filepath.Join(dir, HookName))
	}
	var refused []string
	for _, p := range candidates {
		why := unfit(p)
		if why == "" {
			return p, nil
		}
		if why != notThere {
			refused = append(refused, p+" "+why)
		}
	}
	msg := "the program " + HookName + " is not on this host, and without it no container can use the NVIDIA driver; install nvidia-container-toolkit, put the program beside medforged, or name it with gpu.hook_path"
	if len(refused) > 0 {
		msg = "no usable " + HookName + ": " + strings.Join(refused, "; ")
	}
	return "", fault.New(fault.Unavailable, "gpus/no-hook", "%s", msg)
}

const notThere = "is not there"

// unfit says why a file cannot be the hook: runc runs it as root.
func unfit(path string) string {
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return notThere
	case err != nil:
		return "cannot be read"
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		return "is not a program"
	case info.Mode().Perm()&0o002 != 0:
		return "can be written by everybody, and would be run as root; chmod o-w it"
	}
	return ""
}
