// Package beneath works on files below an open directory whose contents are
// written by a stranger. Names are resolved by openat2(2) with RESOLVE_BENEATH,
// RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS, so no link, however quickly it
// is put in place of a directory, leads anywhere. The standard library's
// os.Root keeps below its directory too, but follows links that stay inside,
// opens FIFOs and devices as it finds them, and needs a descriptor for every
// level of a tree it removes; a stranger can use each of the three.
//
// Errors are *os.PathError holding the errno, so errors.Is works with
// fs.ErrNotExist, unix.ELOOP and the rest.
package beneath

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// resolve is how every name below a Dir is resolved.
const resolve = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// Dir is an open directory. Its methods are safe for concurrent use.
type Dir struct {
	f    *os.File
	path string // for messages only
}

// OpenRoot opens the directory at a path that is trusted whole, such as one
// from the configuration. Only a link as its last part is refused.
func OpenRoot(path string) (*Dir, error) {
	fd, err := retry(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return newDir(fd, path), nil
}

func newDir(fd int, path string) *Dir { return &Dir{f: os.NewFile(uintptr(fd), path), path: path} }

// Close closes the directory. Closing twice does nothing.
func (d *Dir) Close() error { return d.f.Close() }

// Fd is the directory's descriptor, valid while d is open and referenced.
func (d *Dir) Fd() int { return int(d.f.Fd()) }

// String is the path it was opened by: for messages, never for opening.
func (d *Dir) String() string { return d.path }

// ProcPath is a path of name that resolves through d's descriptor, for system
// calls that take only paths, such as bind(2). d must stay open meanwhile.
func (d *Dir) ProcPath(name string) string { return procPath(d.Fd()) + "/" + name }

func procPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// Open opens name, which may have several parts, with open(2)'s flags. It
// opens whatever is there: a stranger's file is opened with OpenRegular.
func (d *Dir) Open(name string, flags int, perm uint32) (*os.File, error) {
	fd, err := openat2(d.Fd(), name, flags, perm, 0)
	if err != nil {
		return nil, d.fail("openat2", name, err)
	}
	return os.NewFile(uintptr(fd), d.path+"/"+name), nil
}

// OpenDir opens the directory name, which may have several parts.
func (d *Dir) OpenDir(name string) (*Dir, error) {
	fd, err := openat2(d.Fd(), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0, 0)
	if err != nil {
		return nil, d.fail("openat2", name, err)
	}
	return newDir(fd, d.path+"/"+name), nil
}

// OpenRegular opens a regular file for reading and returns what it is. A FIFO
// or a device is refused (EINVAL) without having been opened.
func (d *Dir) OpenRegular(name string) (*os.File, unix.Statx_t, error) {
	var st unix.Statx_t
	fd, err := OpenRegularAt(d.Fd(), name, &st)
	if err != nil {
		return nil, st, d.fail("openat2", name, err)
	}
	return os.NewFile(uintptr(fd), d.path+"/"+name), st, nil
}

// Stat describes name, a link itself and not what it points to. Several parts
// are allowed; "." is the directory itself.
func (d *Dir) Stat(name string) (unix.Statx_t, error) {
	var st unix.Statx_t
	fd, err := openat2(d.Fd(), name, unix.O_PATH|unix.O_NOFOLLOW, 0, 0)
	if err != nil {
		return st, d.fail("openat2", name, err)
	}
	defer unix.Close(fd)
	if err := statx(fd, "", unix.AT_EMPTY_PATH, &st); err != nil {
		return st, d.fail("statx", name, err)
	}
	return st, nil
}

// Mkdir makes the directory name, one part.
func (d *Dir) Mkdir(name string, perm uint32) error {
	return d.single("mkdirat", name, func(fd int) error { return unix.Mkdirat(fd, name, perm) })
}

// Unlink removes name, one part, that is not a directory.
func (d *Dir) Unlink(name string) error {
	return d.single("unlinkat", name, func(fd int) error { return unix.Unlinkat(fd, name, 0) })
}

// Rmdir removes the empty directory name, one part.
func (d *Dir) Rmdir(name string) error {
	return d.single("rmdir", name, func(fd int) error { return unix.Unlinkat(fd, name, unix.AT_REMOVEDIR) })
}

// Rename moves a name, one part, to another in the same directory with
// renameat2(2)'s flags.
func (d *Dir) Rename(from, to string, flags uint) error {
	return d.single("renameat2", from, func(fd int) error {
		if err := checkName(to); err != nil {
			return err
		}
		return unix.Renameat2(fd, from, fd, to, flags)
	})
}

// Sync writes the directory's entries to disk.
func (d *Dir) Sync() error { return d.f.Sync() }

func (d *Dir) single(op, name string, call func(fd int) error) error {
	if err := checkName(name); err != nil {
		return d.fail(op, name, err)
	}
	if _, err := retry(func() (int, error) { return 0, call(d.Fd()) }); err != nil {
		return d.fail(op, name, err)
	}
	return nil
}

func (d *Dir) fail(op, name string, err error) error {
	return &os.PathError{Op: op, Path: d.path + "/" + name, Err: err}
}

// checkName refuses what is not one part of a path: system calls other than
// openat2 would follow links in the parts before the last.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return unix.EINVAL
	}
	return nil
}
