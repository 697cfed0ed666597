// Package treecopy copies a directory tree that a stranger owns and may be
// changing. The kept libraries for such copies (containerd/continuity's fs,
// otiai10/copy, moby's archive) walk by path, so a directory swapped for a link
// takes them outside, and remember every hard link in memory; this one moves by
// descriptors (pkg/beneath), keeps nothing in memory that grows with the tree,
// and shares blocks where the file system can (FICLONE).
//
// Kept: names byte for byte, modes, owners, times, hard links, symbolic links
// as they are, holes, FIFOs, user.* attributes and POSIX ACLs. Left out:
// sockets, devices, anything mounted in the tree, set-uid and set-gid bits of
// files, file capabilities and every other attribute. A tree that changes
// meanwhile gives each file as it was found; what vanishes is passed over.
package treecopy

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/beneath"
)

// ErrReserve is the end of the space that a copy may take; unix.ENOSPC and
// unix.EDQUOT are the end of what there is.
var ErrReserve = errors.New("the space kept in reserve on the file system is reached")

// Options say how to copy.
type Options struct {
	// Links is an empty directory on the destination's file system, outside
	// the copy. Files with several names leave a name there, by which the next
	// is made; the caller removes it.
	Links *beneath.Dir
	// ReserveBytes stay free on the destination's file system.
	ReserveBytes int64
}

// Stats is what a copy did.
type Stats struct {
	Entries   int64 // names made, directories included
	Cloned    int64 // files that share their blocks with the source
	Copied    int64 // files whose bytes were copied
	Bytes     int64 // bytes copied, holes and shared blocks not counted
	Sockets   int64 // left out
	Devices   int64 // left out
	Mounts    int64 // left out
	Vanished  int64 // changed or gone while they were looked at
	Stripped  int64 // set-uid and set-gid bits and attributes that were left out
	SplitLink int64 // files that had more names than the file system gives one
}

type copier struct {
	ctx      context.Context
	o        Options
	src, dst *beneath.Cursor
	times    [][2]unix.Timespec // of the directories above and the current one
	stats    Stats
	content  content
	attrs    attrs
	checked  int64 // stats.Bytes and entries at the last look at the free space
}

// Copy fills the empty directory dst with what is in src and gives it src's
// owner, mode, times and attributes. Errors: ctx's, ErrReserve, unix.ENOSPC,
// unix.EDQUOT, beneath.ErrTooDeep, *os.PathError. The caller removes what a
// failed copy leaves.
func Copy(ctx context.Context, src, dst *beneath.Dir, o Options) (Stats, error) {
	c := &copier{ctx: ctx, o: o}
	var err error
	if c.src, err = beneath.NewCursor(src); err != nil {
		return c.stats, err
	}
	defer c.src.Close()
	if c.dst, err = beneath.NewCursor(dst); err != nil {
		return c.stats, err
	}
	defer c.dst.Close()
	if err := c.directory(); err != nil {
		return c.stats, err
	}
	err = c.run()
	c.stats.Cloned, c.stats.Copied, c.stats.Bytes = c.content.cloned, c.content.copied, c.content.bytes
	c.stats.Stripped += c.attrs.dropped
	return c.stats, err
}

func (c *copier) run() error {
	for {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		e, err := c.src.Next()
		if err == io.EOF {
			if done, err := c.ascend(); done || err != nil {
				return err
			}
			continue
		}
		if err == nil {
			err = c.entry(e)
		}
		if err == nil {
			err = c.space()
		}
		if err != nil {
			if errors.Is(err, ErrReserve) || c.ctx.Err() != nil {
				return err
			}
			return &os.PathError{Op: "copy", Path: e.Name, Err: err}
		}
	}
}

// entry copies one name.
func (c *copier) entry(e beneath.Entry) error {
	var st unix.Statx_t
	kind := e.Type
	if kind != unix.DT_DIR && kind != unix.DT_REG {
		if err := beneath.StatAt(c.src.Fd(), e.Name, &st); err != nil {
			return c.gone(err)
		}
		kind = uint8(st.Mode & unix.S_IFMT >> 12) // the DT_ values are the mode's
	}
	var err error
	switch kind {
	case unix.DT_DIR:
		return c.enter(e.Name)
	case unix.DT_REG:
		err = c.regular(e.Name)
	case unix.DT_LNK, unix.DT_FIFO:
		err = c.special(e.Name, &st)
	case unix.DT_SOCK:
		c.stats.Sockets++
		return nil
	default:
		c.stats.Devices++
		return nil
	}
	if errors.Is(err, unix.EEXIST) { // a directory that changes can list a name twice
		return nil
	}
	if err == nil {
		c.stats.Entries++
	}
	return err
}

// gone counts what is no longer what it was; other errors stay.
func (c *copier) gone(err error) error {
	if beneath.Gone(err) {
		c.stats.Vanished++
		return nil
	}
	return err
}

// enter makes the directory name and moves both cursors into it.
func (c *copier) enter(name string) error {
	err := c.src.Enter(name)
	if errors.Is(err, unix.EXDEV) {
		c.stats.Mounts++
		return nil
	}
	if err != nil {
		return c.gone(err)
	}
	err = unix.Mkdirat(c.dst.Fd(), name, 0o700)
	if errors.Is(err, unix.EEXIST) {
		return c.src.Leave()
	}
	if err != nil {
		return err
	}
	if err := c.dst.Enter(name); err != nil {
		return err
	}
	c.stats.Entries++
	return c.directory()
}

// directory gives the current directory its owner and mode, and keeps its
// times for when it is full.
func (c *copier) directory() error {
	var st unix.Statx_t
	if err := beneath.StatFd(c.src.Fd(), &st); err != nil {
		return err
	}
	fd := c.dst.Fd()
	if err := unix.Fchown(fd, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	// Set-gid on a directory only passes its group on.
	if err := unix.Fchmod(fd, uint32(st.Mode)&0o3777); err != nil {
		return err
	}
	c.times = append(c.times, timesOf(&st))
	return nil
}

// ascend finishes the current directory and goes back to the one above, and on
// from there if that one has been moved away from the source meanwhile.
func (c *copier) ascend() (done bool, err error) {
	lost := false
	for {
		if !lost { // attributes come last: a default ACL would reach what is made inside
			if err := c.attrs.copy(c.src.Fd(), c.dst.Fd()); err != nil {
				return false, err
			}
		}
		last := len(c.times) - 1
		if err := unix.UtimesNanoAt(c.dst.Fd(), ".", c.times[last][:], 0); err != nil {
			return false, err
		}
		c.times = c.times[:last]
		if last == 0 {
			return true, nil
		}
		if err := c.dst.Leave(); err != nil {
			return false, err
		}
		err := c.src.Leave()
		if !errors.Is(err, beneath.ErrMoved) {
			return false, err
		}
		c.stats.Vanished++
		lost = true
	}
}

// space looks at the reserve every 64 MiB and every 4096 names.
func (c *copier) space() error {
	const often, perEntry = 64 << 20, 64 << 20 / 4096
	done := c.content.bytes + c.stats.Entries*perEntry
	if c.o.ReserveBytes <= 0 || done-c.checked < often {
		return nil
	}
	c.checked = done
	var fs unix.Statfs_t
	if err := unix.Fstatfs(c.dst.Fd(), &fs); err != nil {
		return err
	}
	if int64(fs.Bavail)*fs.Bsize < c.o.ReserveBytes {
		return ErrReserve
	}
	return nil
}

func timesOf(st *unix.Statx_t) [2]unix.Timespec {
	return [2]unix.Timespec{
		{Sec: st.Atime.Sec, Nsec: int64(st.Atime.Nsec)},
		{Sec: st.Mtime.Sec, Nsec: int64(st.Mtime.Nsec)},
	}
}
