package treecopy

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/beneath"
)

// regular copies the regular file name.
func (c *copier) regular(name string) error {
	var st unix.Statx_t
	from, err := beneath.OpenRegularAt(c.src.Fd(), name, &st)
	if errors.Is(err, unix.EINVAL) { // no regular file any more
		c.stats.Vanished++
		return nil
	}
	if err != nil {
		return c.gone(err)
	}
	defer unix.Close(from)
	if linked, err := c.link(name, &st); linked || err != nil {
		return err
	}
	to, err := unix.Openat(c.dst.Fd(), name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer unix.Close(to)
	if err := c.content.copy(c, from, to, &st); err != nil {
		return err
	}
	if err := unix.Fchown(to, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	if err := c.attrs.copy(from, to); err != nil {
		return err
	}
	if st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
		c.stats.Stripped++
	}
	if err := unix.Fchmod(to, uint32(st.Mode)&0o1777); err != nil {
		return err
	}
	return c.finish(name, &st)
}

// special copies a symbolic link or a FIFO.
func (c *copier) special(name string, st *unix.Statx_t) error {
	if linked, err := c.link(name, st); linked || err != nil {
		return err
	}
	fd := c.dst.Fd()
	isLink := st.Mode&unix.S_IFMT == unix.S_IFLNK
	if isLink {
		var target [unix.PathMax]byte
		n, err := unix.Readlinkat(c.src.Fd(), name, target[:])
		if errors.Is(err, unix.EINVAL) { // no link any more
			c.stats.Vanished++
			return nil
		}
		if err != nil {
			return c.gone(err)
		}
		if err := unix.Symlinkat(string(target[:n]), fd, name); err != nil {
			return err
		}
	} else if err := unix.Mknodat(fd, name, unix.S_IFIFO|0o600, 0); err != nil {
		return err
	}
	if err := unix.Fchownat(fd, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if !isLink { // ours, made above: no link that chmod could follow
		if err := unix.Fchmodat(fd, name, uint32(st.Mode)&0o1777, 0); err != nil {
			return err
		}
	}
	return c.finish(name, st)
}

// finish sets the times of what was made and, where the source has more names,
// leaves one to make them by.
func (c *copier) finish(name string, st *unix.Statx_t) error {
	times := timesOf(st)
	if err := unix.UtimesNanoAt(c.dst.Fd(), name, times[:], unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Nlink < 2 {
		return nil
	}
	return unix.Linkat(c.dst.Fd(), name, c.o.Links.Fd(), linkKey(st), 0)
}

// link makes name another name of a file that was copied before, if it is one.
// The index is a directory and not a map: it costs no memory, however many
// files of several names a stranger makes.
func (c *copier) link(name string, st *unix.Statx_t) (linked bool, err error) {
	if st.Nlink < 2 {
		return false, nil
	}
	err = unix.Linkat(c.o.Links.Fd(), linkKey(st), c.dst.Fd(), name, 0)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.ENOENT):
		return false, nil
	case errors.Is(err, unix.EMLINK): // with the index's own name it is one too many
		c.stats.SplitLink++
		return false, unix.Unlinkat(c.o.Links.Fd(), linkKey(st), 0)
	}
	return false, err
}

// linkKey tells files apart, also from one that gets a freed inode number.
func linkKey(st *unix.Statx_t) string {
	return fmt.Sprintf("%x.%x.%x.%x.%x", st.Dev_major, st.Dev_minor, st.Ino, st.Btime.Sec, st.Btime.Nsec)
}
