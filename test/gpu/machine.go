package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// snapshotter is overlayfs where it works in dir. A folder that is itself on an
// overlay, as in a container, cannot hold another's upper layer.
func snapshotter(dir string) (name, why string) {
	top := filepath.Join(dir, "overlay-try")
	defer os.RemoveAll(top)
	for _, sub := range []string{"lower", "upper", "work", "merged"} {
		if err := os.MkdirAll(filepath.Join(top, sub), 0o755); err != nil {
			return "native", err.Error()
		}
	}
	merged := filepath.Join(top, "merged")
	options := fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", top)
	if err := unix.Mount("overlay", merged, "overlay", 0, options); err != nil {
		return "native", "overlayfs cannot be mounted in " + dir + ": " + err.Error()
	}
	if err := unix.Unmount(merged, 0); err != nil {
		return "native", err.Error()
	}
	return "overlayfs", ""
}

// networkMode is bridge where this kernel has what a session's network is made
// of: a bridge, veth pairs and nf_tables.
func networkMode() (mode, why string) {
	if err := tryNetwork(); err != nil {
		return "none", err.Error()
	}
	return "bridge", ""
}

func tryNetwork() (err error) {
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "mfgputry0"}}
	if err := netlink.LinkAdd(bridge); err != nil {
		return fmt.Errorf("no bridge can be made: %w", err)
	}
	defer func() { err = errors.Join(err, netlink.LinkDel(bridge)) }()
	pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "mfgputry1"}, PeerName: "mfgputry2"}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("no veth pair can be made: %w", err)
	}
	defer func() { err = errors.Join(err, netlink.LinkDel(pair)) }()
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("no nf_tables: %w", err)
	}
	table := conn.AddTable(&nftables.Table{Name: "medforge-gpu-try", Family: nftables.TableFamilyINet})
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("no nf_tables: %w", err)
	}
	conn.DelTable(table)
	return conn.Flush()
}

// ensureCgroups mounts the unified hierarchy where a bare machine's init has
// mounted none, and hands its controllers on.
func ensureCgroups() (did string, err error) {
	const dir = "/sys/fs/cgroup"
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return "", nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := unix.Mount("cgroup2", dir, "cgroup2", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return "", fmt.Errorf("no control groups are mounted, and none can be: %w", err)
	}
	return "control groups v2 were mounted by the test", nil
}
