package beneath

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// MaxDepth is how deep a tree may be. It bounds a Cursor's memory (about
// 350 bytes a level at worst); no tool that takes paths reaches a hundredth.
const MaxDepth = 100_000

// window is how many levels keep their descriptor open. The levels above are
// closed and opened again, half a window at a time, on the way back.
const window = 128

var (
	// ErrTooDeep is a tree deeper than MaxDepth.
	ErrTooDeep = errors.New("directories are nested too deep")
	// ErrMoved is a directory that a Cursor came from and that is no longer
	// where it was: a stranger moved or removed it meanwhile.
	ErrMoved = errors.New("the directory was moved or removed meanwhile")
)

// Cursor is a position in the tree below a Dir. It moves one level at a time,
// by descriptors, holds at most a window of them however deep it is, never
// follows a link and never crosses into another mount. One goroutine uses it.
type Cursor struct {
	root   *Dir
	levels []level // the root's own is first
	open   int     // levels[open:] have a descriptor, and so has levels[0]
	spare  [][]byte
}

type level struct {
	name     string
	dev, ino uint64
	fd       int // -1: closed
	entries  stream
	read     bool // entries are in use
}

// NewCursor starts at d, which must stay open as long as the cursor is used.
func NewCursor(d *Dir) (*Cursor, error) {
	fd, err := openat2(d.Fd(), ".", unix.O_RDONLY|unix.O_DIRECTORY, 0, 0)
	if err != nil {
		return nil, d.fail("openat2", ".", err)
	}
	c := &Cursor{root: d, open: 1}
	if err := c.push(".", fd); err != nil {
		return nil, err
	}
	return c, nil
}

// Close gives the descriptors back.
func (c *Cursor) Close() {
	for i := range c.levels {
		c.shut(i)
	}
	c.levels = nil
}

// Fd is the current directory's descriptor, valid until the next move.
func (c *Cursor) Fd() int { return c.levels[len(c.levels)-1].fd }

// Depth is 0 at the start.
func (c *Cursor) Depth() int { return len(c.levels) - 1 }

// Name is the current directory's name in the one above.
func (c *Cursor) Name() string { return c.levels[len(c.levels)-1].name }

// Next returns the current directory's next entry, io.EOF after the last.
func (c *Cursor) Next() (Entry, error) {
	l := &c.levels[len(c.levels)-1]
	l.read = true
	if n := len(c.spare); l.entries.mem == nil && n > 0 {
		l.entries.mem, c.spare = c.spare[n-1], c.spare[:n-1]
	}
	return l.entries.read(l.fd)
}

// Rewind starts the current directory's entries again.
func (c *Cursor) Rewind() error {
	l := &c.levels[len(c.levels)-1]
	return l.entries.rewind(l.fd)
}

// Enter moves into the directory name. Errors: ErrTooDeep, or errno: ENOENT,
// ENOTDIR, ELOOP where it is not, or no longer, a directory; EXDEV for a mount.
func (c *Cursor) Enter(name string) error {
	if len(c.levels) > MaxDepth {
		return ErrTooDeep
	}
	if err := checkName(name); err != nil {
		return err
	}
	fd, err := c.openChild(c.Fd(), name)
	if err != nil {
		return err
	}
	if err := c.push(name, fd); err != nil {
		return err
	}
	c.open = min(c.open, len(c.levels)-1)
	if len(c.levels)-c.open > window {
		c.shut(c.open)
		c.open++
	}
	return nil
}

func (c *Cursor) openChild(fd int, name string) (int, error) {
	return openat2(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0, unix.RESOLVE_NO_XDEV)
}

// Leave moves back to the directory above. ErrMoved means that it is not where
// it was: the cursor stands on it without a descriptor, and all that can be
// done there is to Leave again.
func (c *Cursor) Leave() error {
	last := len(c.levels) - 1
	c.shut(last)
	c.levels[last] = level{}
	c.levels = c.levels[:last]
	if last--; c.levels[last].fd >= 0 {
		return nil
	}
	return c.reopen(last)
}

func (c *Cursor) push(name string, fd int) error {
	var st unix.Statx_t
	if err := StatFd(fd, &st); err != nil {
		unix.Close(fd)
		return err
	}
	dev, ino := id(&st)
	c.levels = append(c.levels, level{name: name, dev: dev, ino: ino, fd: fd})
	return nil
}

func (c *Cursor) shut(i int) {
	l := &c.levels[i]
	if l.fd >= 0 {
		unix.Close(l.fd)
	}
	l.fd = -1
	if mem := l.entries.drop(); mem != nil {
		c.spare = append(c.spare, mem)
	}
}

// reopen opens the half window of levels that ends with last, from the root
// down, and makes sure that each is the directory it was.
func (c *Cursor) reopen(last int) error {
	first := max(1, last-window/2+1)
	c.open = last + 1
	fd, err := c.descend(first)
	if err != nil {
		return err
	}
	for i := first; ; i++ {
		l := &c.levels[i]
		if l.fd, err = fd, c.same(fd, i); err != nil {
			c.shut(i)
			c.closeFrom(first, i)
			return err
		}
		if i == last {
			c.open = first
			return nil
		}
		if fd, err = c.openChild(fd, c.levels[i+1].name); err != nil {
			c.closeFrom(first, i+1)
			return moved(err)
		}
	}
}

func (c *Cursor) closeFrom(first, end int) {
	for i := first; i < end; i++ {
		c.shut(i)
	}
}

// same makes sure that fd is the directory of level i and, if it was being
// read, goes on where that stopped.
func (c *Cursor) same(fd, i int) error {
	l := &c.levels[i]
	var st unix.Statx_t
	if err := StatFd(fd, &st); err != nil {
		return err
	}
	if dev, ino := id(&st); dev != l.dev || ino != l.ino {
		return ErrMoved
	}
	if l.read {
		return l.entries.seek(fd)
	}
	return nil
}

// descend opens level i by the names from the root, as many in one call as a
// path can hold.
func (c *Cursor) descend(i int) (int, error) {
	fd := c.levels[0].fd
	for from := 1; from <= i; {
		var path strings.Builder
		to := from
		for ; to <= i && path.Len()+len(c.levels[to].name)+1 < unix.PathMax; to++ {
			if to > from {
				path.WriteByte('/')
			}
			path.WriteString(c.levels[to].name)
		}
		next, err := c.openChild(fd, path.String())
		if fd != c.levels[0].fd {
			unix.Close(fd)
		}
		if err != nil {
			return -1, moved(err)
		}
		fd, from = next, to
	}
	return fd, nil
}

// moved turns what a replaced directory answers into ErrMoved.
func moved(err error) error {
	for _, e := range []error{unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.EXDEV} {
		if errors.Is(err, e) {
			return ErrMoved
		}
	}
	return err
}

func id(st *unix.Statx_t) (dev, ino uint64) {
	return unix.Mkdev(st.Dev_major, st.Dev_minor), st.Ino
}
