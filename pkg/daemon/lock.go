package daemon

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/fault"
)

// lockDataDir makes sure that one daemon works on a data directory. The lock
// is the kernel's (flock(2)), so it ends with the process, however that ends.
func lockDataDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "daemon/data-dir", "The data directory %s cannot be made: %v", dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "daemon/data-dir", "The data directory %s cannot be used: %v", dir, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fault.New(fault.Conflict, "daemon/already-running",
				"Another medforged works on %s. Stop it first (systemctl stop medforged), or give this one a data_dir of its own.", dir)
		}
		return nil, fault.Wrap(err, fault.Unavailable, "daemon/data-dir", "The data directory %s cannot be locked: %v", dir, err)
	}
	return f, nil
}
