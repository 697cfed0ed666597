package nvml

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const libraryName = "libnvidia-ml.so.1"

// libraryDirs are where distributions, NVIDIA's installer, cloud images, WSL
// and NixOS put the driver's libraries, below the driver's root.
func libraryDirs() []string {
	return []string{
		"usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib64", "usr/lib", "lib64",
		"usr/lib/x86_64-linux-gnu/nvidia/current", "usr/lib/aarch64-linux-gnu/nvidia/current",
		"usr/local/nvidia/lib64", "usr/local/nvidia/lib", "usr/local/nvidia*/lib64", "usr/local/nvidia*/lib", "usr/local/nvidia*",
		"usr/local/lib", "opt/nvidia/lib64", "home/kubernetes/bin/nvidia/lib64", "usr/lib/wsl/lib", "run/opengl-driver/lib",
		"run/nvidia/driver/usr/lib/x86_64-linux-gnu", "run/nvidia/driver/usr/lib/aarch64-linux-gnu", "run/nvidia/driver/usr/lib64",
	}
}

// libraryCandidates are the files to load, in this order: the configured one
// and no other; or with the root "/" the loader's own choice, which is the bare
// name, and then what is found where drivers are known to be put.
func libraryCandidates(configured, root string) []string {
	if configured != "" {
		return []string{configured}
	}
	var found []string
	if filepath.Clean(root) == "/" {
		found = append(found, libraryName)
	}
	for _, dir := range libraryDirs() {
		// The patterns are our own, so that Glob cannot fail.
		matches, _ := filepath.Glob(filepath.Join(root, dir, libraryName))
		for _, m := range matches {
			if !slices.Contains(found, m) {
				found = append(found, m)
			}
		}
	}
	return found
}

// loadedFrom is the folder of the NVML library that this process has mapped
// (proc_pid_maps(5)), or "": the loader may have found it by LD_LIBRARY_PATH.
func loadedFrom(maps string) string {
	data, err := os.ReadFile(maps)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if at := strings.IndexByte(line, '/'); at >= 0 {
			if path := strings.TrimSpace(line[at:]); strings.HasPrefix(filepath.Base(path), "libnvidia-ml.so") {
				return filepath.Dir(path)
			}
		}
	}
	return ""
}
