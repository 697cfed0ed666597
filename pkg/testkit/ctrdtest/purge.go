package ctrdtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// dirPrefix begins the folders' names; what follows is bridge and namespace.
const dirPrefix = "medforge-ctrd-"

// removeStale takes away what test processes that were killed left: folders
// whose lock nobody holds.
func removeStale() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	for _, dir := range dirs {
		name := strings.TrimPrefix(filepath.Base(dir), dirPrefix)
		f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0)
		if err != nil {
			// Just being made or removed, or half removed long ago.
			if st, err := os.Stat(dir); err == nil && time.Since(st.ModTime()) > waitTime {
				_ = purge(dir, name, name)
			}
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = purge(dir, name, name)
		}
		_ = f.Close()
	}
}

// purge removes everything that can be told to belong to a folder, by force.
func purge(dir, bridge, namespace string) error {
	var errs []error
	deadline := time.Now().Add(waitTime)
	for len(processes(dir)) > 0 && time.Now().Before(deadline) {
		killAll(dir, namespace)
		time.Sleep(5 * time.Millisecond)
	}
	killAll(dir, namespace)
	mounts, err := mountsBelow(dir)
	errs = append(errs, err)
	slices.Reverse(mounts) // the last mounted first
	for _, m := range mounts {
		if err := unix.Unmount(m, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, fmt.Errorf("unmounting %s: %w", m, err))
		}
	}
	if l, err := netlink.LinkByName(bridge); err == nil {
		errs = append(errs, netlink.LinkDel(l))
	}
	errs = append(errs, dropTables(bridge))
	for _, group := range cgroups(namespace) {
		errs = append(errs, removeCgroup(group, deadline))
	}
	if err := errors.Join(errs...); err != nil {
		return err // the folder stays, so that the next run tries again
	}
	return os.RemoveAll(dir)
}

func dropTables(bridge string) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	tables, err := conn.ListTables()
	if err != nil {
		return err
	}
	for _, t := range tables {
		if strings.Contains(t.Name, bridge) {
			conn.DelTable(t)
		}
	}
	return conn.Flush()
}

// removeCgroup removes a control group and those below it, innermost first,
// when their last processes are gone.
func removeCgroup(dir string, deadline time.Time) error {
	for {
		var dirs []string
		_ = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		slices.Reverse(dirs)
		var err error
		for _, d := range dirs {
			if e := unix.Rmdir(d); e != nil && !errors.Is(e, unix.ENOENT) {
				err = fmt.Errorf("removing the control group %s: %w", d, e)
			}
		}
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// mountsBelow lists mount points at or below a folder, in the order of mounting.
func mountsBelow(dir string) ([]string, error) {
	body, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(string(body)) {
		fields := strings.Fields(line)
		if len(fields) > 4 && (fields[4] == dir || strings.HasPrefix(fields[4], dir+"/")) {
			all = append(all, fields[4])
		}
	}
	return all, nil
}
