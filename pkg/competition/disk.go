package competition

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/medforge/medforge/pkg/fault"
)

// diskFault is the kind of an error of writing to our own disk.
func diskFault(err error) error {
	switch {
	case err == nil || fault.As(err) != nil:
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.Wrap(err, fault.OutOfSpace, "competitions/disk-full", "MedForge's disk is full; nothing was kept. Tell an admin.")
	}
	return readFault(err)
}

// syncDir makes the names in a folder last.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// syncTree makes folders last, the deepest first; their files were synced as
// they were written.
func syncTree(path string) error {
	var dirs []string
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, p)
		}
		return err
	})
	for i := len(dirs) - 1; i >= 0 && err == nil; i-- {
		err = syncDir(dirs[i])
	}
	return err
}

// place moves a whole folder to its final name, which holds the digest of what
// is in it: if it is there already it is the same.
func place(tmp, final string) error {
	if err := syncTree(tmp); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(final), 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(final); err == nil {
		return os.RemoveAll(tmp)
	}
	if err := os.Rename(tmp, final); err != nil {
		return err
	}
	return syncDir(filepath.Dir(final))
}

// keep closes a file that was written whole, so that it outlives a power cut.
func keep(f *os.File) error {
	if err := f.Sync(); err != nil {
		_ = f.Close() // err says more
		return err
	}
	return f.Close()
}
