package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// device is a GPU as nvidia-smi shows it.
type device struct {
	index     int
	uuid      string
	name      string
	totalMiB  int64
	usedMiB   int64
	processes int
}

// folders are where drivers put their programs and libraries besides the
// system's own.
var folders = []string{"/usr/local/nvidia", "/opt/nvidia", "/run/nvidia/driver/usr", "/usr/lib/wsl"}

// nvidiaSMI finds the driver's program.
func nvidiaSMI() (string, error) {
	if path, err := exec.LookPath("nvidia-smi"); err == nil {
		return path, nil
	}
	for _, dir := range folders {
		for _, sub := range []string{"bin", ".", "lib"} {
			path := filepath.Join(dir, sub, "nvidia-smi")
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("nvidia-smi is neither in PATH nor below %s", strings.Join(folders, ", "))
}

// withCUDA is env with the folders that hold libcuda.so.1 outside the loader's
// own, for a CUDA program on the host.
func withCUDA(env []string) []string {
	dirs := []string{os.Getenv("LD_LIBRARY_PATH")}
	for _, dir := range folders {
		for _, sub := range []string{"lib64", "lib"} {
			if _, err := os.Stat(filepath.Join(dir, sub, "libcuda.so.1")); err == nil {
				dirs = append(dirs, filepath.Join(dir, sub))
			}
		}
	}
	return append(env, "LD_LIBRARY_PATH="+strings.Trim(strings.Join(dirs, ":"), ":"))
}

// devices asks nvidia-smi for every GPU.
func devices(ctx context.Context) ([]device, error) {
	smi, err := nvidiaSMI()
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, smi, "--query-gpu=index,uuid,name,memory.total,memory.used", "--format=csv,noheader,nounits").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("nvidia-smi: %w: %s", err, out)
	}
	var all []device
	for line := range strings.Lines(strings.TrimSpace(string(out))) {
		f := strings.Split(strings.TrimSpace(line), ", ")
		if len(f) != 5 {
			return nil, fmt.Errorf("nvidia-smi printed %q", line)
		}
		d := device{uuid: f[1], name: f[2]}
		if d.index, err = strconv.Atoi(f[0]); err != nil {
			return nil, err
		}
		if d.totalMiB, err = strconv.ParseInt(f[3], 10, 64); err != nil {
			return nil, err
		}
		if d.usedMiB, err = strconv.ParseInt(f[4], 10, 64); err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

var uuidOf = regexp.MustCompile(`UUID: (GPU-[0-9a-f-]+)`)

// listed are the UUIDs that nvidia-smi -L printed.
func listed(text string) []string {
	var all []string
	for _, m := range uuidOf.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// minors are the minor numbers of the device nodes, by UUID, as the kernel
// module tells them.
func minors() (map[string]uint32, error) {
	found, err := filepath.Glob("/proc/driver/nvidia/gpus/*/information")
	if err != nil {
		return nil, err
	}
	all := map[string]uint32{}
	for _, path := range found {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var uuid string
		minor := uint64(0)
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(line, ":")
			value = strings.TrimSpace(value)
			switch strings.TrimSpace(key) {
			case "GPU UUID":
				uuid = value
			case "Device Minor":
				if minor, err = strconv.ParseUint(value, 10, 32); err != nil {
					return nil, fmt.Errorf("%s: %w", path, err)
				}
			}
		}
		all[uuid] = uint32(minor)
	}
	return all, nil
}

// mainProcess is the host's pid of a session's main process: the one with the
// stand-in's name in the session's control group.
func mainProcess(slug string) (int, error) {
	found, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return 0, err
	}
	for _, path := range found {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if inSession(pid, slug) {
			if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && strings.HasPrefix(string(line), "/ide\x00--auth") {
				return pid, nil
			}
		}
	}
	return 0, fmt.Errorf("no process of session %s was found", slug)
}

// inSession reports whether a process is in a session's control group.
func inSession(pid int, slug string) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	return err == nil && strings.Contains(string(text), "mf-session-"+slug)
}
