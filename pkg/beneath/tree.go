package beneath

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// Walk calls visit for everything below d, a directory before what is in it,
// with the directory that holds it, its name and what it is. What vanishes
// meanwhile is passed over. Memory and descriptors stay bounded, whatever the
// tree. Errors: ctx's, ErrTooDeep, visit's, errno.
func Walk(ctx context.Context, d *Dir, visit func(dirfd int, name string, st *unix.Statx_t) error) error {
	c, err := NewCursor(d)
	if err != nil {
		return err
	}
	defer c.Close()
	var st unix.Statx_t
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		e, err := c.Next()
		if err == io.EOF {
			if done, err := Ascend(c); done || err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := StatAt(c.Fd(), e.Name, &st); err != nil {
			if Gone(err) {
				continue
			}
			return err
		}
		if err := visit(c.Fd(), e.Name, &st); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			continue
		}
		if err := c.Enter(e.Name); err != nil && !Gone(err) {
			return err
		}
	}
}

// Ascend leaves the directory that was read to its end, and every one above it
// that was moved away meanwhile. done means that the cursor was at its start.
func Ascend(c *Cursor) (done bool, err error) {
	for {
		if c.Depth() == 0 {
			return true, nil
		}
		if err = c.Leave(); !errors.Is(err, ErrMoved) {
			return false, err
		}
	}
}

// Gone reports whether an error says that a thing is not, or no longer, what it
// was a moment ago: removed, replaced by another kind, or mounted over.
func Gone(err error) bool { return err != nil && errors.Is(moved(err), ErrMoved) }

// removals bounds how often RemoveAll starts a directory again that a stranger
// keeps filling.
const removals = 100

// RemoveAll removes name, one part, and everything in it. Links are removed,
// never followed; not there is no error. It stops at a mount (EBUSY).
func (d *Dir) RemoveAll(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return d.fail("unlinkat", name, err)
	}
	for try := 0; ; try++ {
		err := d.removeOnce(ctx, name)
		again := errors.Is(err, unix.ENOTEMPTY) || Gone(err)
		if !again || try == removals {
			if err != nil && ctx.Err() == nil {
				return d.fail("unlinkat", name, err)
			}
			return err
		}
	}
}

func (d *Dir) removeOnce(ctx context.Context, name string) error {
	if isDir, err := unlink(d.Fd(), name); !isDir {
		return err
	}
	top, err := openat2(d.Fd(), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0, unix.RESOLVE_NO_XDEV)
	if err != nil {
		return busyMount(err, d.Fd(), name)
	}
	dir := newDir(top, name)
	defer dir.Close()
	if err := empty(ctx, dir); err != nil {
		return err
	}
	return rmdir(d.Fd(), name)
}

// empty removes everything in dir.
func empty(ctx context.Context, dir *Dir) error {
	c, err := NewCursor(dir)
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		e, err := c.Next()
		if err == io.EOF {
			name := c.Name()
			if c.Depth() == 0 {
				return nil
			}
			if err := c.Leave(); err != nil {
				return err
			}
			if err := rmdir(c.Fd(), name); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		isDir := e.Type == unix.DT_DIR
		if !isDir {
			if isDir, err = unlink(c.Fd(), e.Name); err != nil {
				return err
			}
		}
		if isDir {
			if err := c.Enter(e.Name); err != nil && !errors.Is(err, unix.ENOENT) {
				return busyMount(err, c.Fd(), e.Name)
			}
		}
	}
}

// unlink removes what is not a directory; isDir says that it is one.
func unlink(fd int, name string) (isDir bool, err error) {
	err = unix.Unlinkat(fd, name, 0)
	switch {
	case err == nil || errors.Is(err, unix.ENOENT):
		return false, nil
	case errors.Is(err, unix.EISDIR):
		return true, nil
	case errors.Is(err, unix.EPERM): // POSIX's answer for a directory
		var st unix.Statx_t
		if StatAt(fd, name, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return true, nil
		}
	}
	return false, err
}

// busyMount names a mount in the way as unlinkat(2) does. openat2 says EXDEV
// for a mount and for a directory that was moved while it looked.
func busyMount(err error, fd int, name string) error {
	var st unix.Statx_t
	if errors.Is(err, unix.EXDEV) && StatAt(fd, name, &st) == nil && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		return unix.EBUSY
	}
	return err
}

func rmdir(fd int, name string) error {
	if err := unix.Unlinkat(fd, name, unix.AT_REMOVEDIR); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}
