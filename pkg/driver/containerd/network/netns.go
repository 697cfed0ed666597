package network

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// undoTime bounds taking back what failed.
const undoTime = 15 * time.Second

func (m *Manager) netnsDir() string                 { return filepath.Join(m.c.RunDir, "netns") }
func exists(path string) bool                       { _, err := os.Lstat(path); return err == nil }
func (m *Manager) addNetNS(f map[string]bool) error { return addNames(m.netnsDir(), f) }

// NetNS returns the path of a session's network namespace, whether it is there
// or not.
func (m *Manager) NetNS(slug string) string { return filepath.Join(m.netnsDir(), slug) }

func addNames(dir string, found map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		found[e.Name()] = true
	}
	return err
}

// createNetNS makes a network namespace and keeps it by a bind mount at path,
// as "ip netns add" does. One that is there is kept.
func createNetNS(path string) error {
	if isNetNS(path) {
		return nil
	}
	if err := removeNetNS(path); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o444)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		// Not unlocked: the thread is in another namespace and must end with
		// this goroutine.
		runtime.LockOSThread()
		done <- newNetNSOnThread(path)
	}()
	if err := <-done; err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func newNetNSOnThread(path string) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := setUp(); err != nil {
		return err
	}
	if err := unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind mount of the namespace: %w", err)
	}
	return nil
}

// setUp prepares the namespace that the calling thread is in.
func setUp() error {
	for name, value := range map[string]string{
		// Absent where the kernel has no IPv6, which is as good.
		"ipv6/conf/all/disable_ipv6":     "1",
		"ipv6/conf/default/disable_ipv6": "1",
		// ping works without a raw socket.
		"ipv4/ping_group_range": "0 2147483647",
	} {
		err := os.WriteFile(filepath.Join("/proc/sys/net", name), []byte(value), 0)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding the loopback interface: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bringing the loopback interface up: %w", err)
	}
	return nil
}

func isNetNS(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == unix.NSFS_MAGIC
}

// removeNetNS lets the namespace go; it ends when no process is in it. Not
// there is no error.
func removeNetNS(path string) error {
	// More than once if several mounts are stacked.
	for isNetNS(path) {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmounting the network namespace %s: %w", path, err)
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
