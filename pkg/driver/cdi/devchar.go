package cdi

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// LinkDevices makes charDir/MAJOR:MINOR links to NVIDIA's device nodes below
// devDir, usually /dev and /dev/char. systemd knows a device that a container
// may use by that name; udev makes no link for these nodes, and without it
// "systemctl daemon-reload" takes the GPU from containers that run
// (https://github.com/NVIDIA/nvidia-container-toolkit/issues/48). Links that
// are right stay; it returns how many were made.
func LinkDevices(devDir, charDir string) (made int, err error) {
	nodes := Nodes(devDir)
	if len(nodes) == 0 {
		return 0, nil
	}
	if err := os.MkdirAll(charDir, 0o755); err != nil {
		return 0, err
	}
	var wrong []error
	for _, node := range nodes {
		done, err := linkDevice(node, charDir)
		if done {
			made++
		}
		wrong = append(wrong, err)
	}
	return made, errors.Join(wrong...)
}

// Nodes are the paths of NVIDIA's device nodes below devDir, usually /dev.
func Nodes(devDir string) []string {
	var nodes []string
	for _, pattern := range []string{"nvidia[0-9]*", "nvidiactl", UVMName, UVMName + "-tools", "nvidia-modeset", "nvidia-caps/*"} {
		// The patterns are our own, so that Glob cannot fail.
		found, _ := filepath.Glob(filepath.Join(devDir, pattern))
		nodes = append(nodes, found...)
	}
	return nodes
}

func linkDevice(node, charDir string) (made bool, err error) {
	var st unix.Stat_t
	if err := unix.Lstat(node, &st); err != nil {
		return false, fmt.Errorf("%s: %w", node, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return false, nil
	}
	link := filepath.Join(charDir, fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev)))
	var there unix.Stat_t
	if err := unix.Stat(link, &there); err == nil && there.Mode&unix.S_IFMT == unix.S_IFCHR && there.Rdev == st.Rdev {
		return false, nil
	}
	if info, err := os.Lstat(link); err == nil && info.Mode()&os.ModeSymlink == 0 {
		return false, fmt.Errorf("%s is not a link, and is left as it is", link)
	}
	target, err := filepath.Rel(charDir, node)
	if err != nil {
		target = node
	}
	next := link + ".medforge"
	if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	if err := os.Symlink(target, next); err != nil {
		return false, err
	}
	if err := os.Rename(next, link); err != nil {
		return false, errors.Join(err, os.Remove(next))
	}
	return true, nil
}
