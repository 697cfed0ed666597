package zfs

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxHolders are named in a message; the rest is only counted.
const maxHolders = 5

// holders names who keeps a dataset busy: mounts of it in other mount
// namespaces, which zfs cannot see, and processes with a file of it open.
func holders(proc, dataset string) []string {
	own, _ := os.Readlink(filepath.Join(proc, "self/ns/mnt"))
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil
	}
	var found []string
	spaces := map[string]bool{own: true}
	var pids []string
	devices := map[string]bool{}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		pids = append(pids, e.Name())
		space, err := os.Readlink(filepath.Join(proc, e.Name(), "ns/mnt"))
		if err != nil || spaces[space] && space != own { // gone, or seen
			continue
		}
		where, device := mountOf(filepath.Join(proc, e.Name(), "mountinfo"), dataset)
		if device == "" {
			continue
		}
		devices[device] = true
		if !spaces[space] {
			spaces[space] = true
			found = append(found, fmt.Sprintf("the mount namespace of process %s (%s), at %s", e.Name(), command(proc, e.Name()), where))
		}
	}
	for _, pid := range pids {
		if what := opened(filepath.Join(proc, pid), devices); what != "" {
			found = append(found, fmt.Sprintf("process %s (%s), which has %s", pid, command(proc, pid), what))
		}
	}
	if more := len(found) - maxHolders; more > 0 {
		found = append(found[:maxHolders], fmt.Sprintf("and %d more", more))
	}
	return found
}

// mountOf finds a dataset in a mountinfo file: where, and the device's number.
// The fields are in proc_pid_mountinfo(5).
func mountOf(path, dataset string) (where, device string) {
	f, err := os.Open(path)
	if err != nil {
		return "", ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if ok && len(left) >= 5 && len(right) >= 2 && right[0] == "zfs" && right[1] == dataset {
			return left[4], left[2]
		}
	}
	return "", ""
}

// opened says what a process has of the devices: its folder, its root, or a
// file.
func opened(dir string, devices map[string]bool) string {
	if len(devices) == 0 {
		return ""
	}
	for _, link := range []string{"cwd", "root"} {
		if on(filepath.Join(dir, link), devices) {
			return "its " + link + " there"
		}
	}
	fds, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return ""
	}
	for _, fd := range fds {
		path := filepath.Join(dir, "fd", fd.Name())
		if on(path, devices) {
			name, _ := os.Readlink(path)
			return fmt.Sprintf("%q open", name)
		}
	}
	return ""
}

// on reports whether what a link of /proc leads to is on one of the devices. It
// asks no server: a mount that hangs elsewhere must not hang us.
func on(path string, devices map[string]bool) bool {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_STATX_DONT_SYNC|unix.AT_NO_AUTOMOUNT, 0, &st)
	return err == nil && devices[fmt.Sprintf("%d:%d", st.Dev_major, st.Dev_minor)]
}

func command(proc, pid string) string {
	name, err := os.ReadFile(filepath.Join(proc, pid, "comm"))
	if err != nil {
		return "gone"
	}
	return strings.TrimSpace(string(name))
}
