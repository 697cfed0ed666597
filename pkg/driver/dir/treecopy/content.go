package treecopy

import (
	"errors"

	"golang.org/x/sys/unix"
)

const (
	bufferSize = 256 << 10 // files up to this are read and written at once
	chunkSize  = 16 << 20  // of one copy_file_range, between two looks at ctx
	// cloneTries is how many files may refuse to be cloned before the file
	// system is taken for one that cannot. Some that can refuse single files.
	cloneTries = 8
)

// content copies files' bytes.
type content struct {
	cloned, copied, bytes int64
	refused               int  // clones refused so far
	noRange               bool // copy_file_range does not work here
	buf                   []byte
}

// copy gives the empty file to the bytes of from, st.Size of them at most.
func (k *content) copy(c *copier, from, to int, st *unix.Statx_t) error {
	if st.Size == 0 {
		return nil
	}
	if k.cloned > 0 || k.refused < cloneTries {
		err := unix.IoctlFileClone(to, from)
		if err == nil {
			k.cloned++
			return nil
		}
		if noSpace(err) {
			return err
		}
		k.refused++ // whatever else is wrong, copying says it
	}
	k.copied++
	size := int64(st.Size)
	if int64(st.Blocks)*512 >= size {
		return k.span(c, from, to, 0, size)
	}
	if err := k.sparse(c, from, to, size); err != nil {
		return err
	}
	return unix.Ftruncate(to, size) // a hole at the end
}

// sparse copies the spans that hold data.
func (k *content) sparse(c *copier, from, to int, size int64) error {
	for at := int64(0); at < size; {
		data, err := unix.Seek(from, at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil
		}
		if errors.Is(err, unix.EINVAL) { // the file system knows no holes
			return k.span(c, from, to, at, size)
		}
		if err != nil {
			return err
		}
		hole, err := unix.Seek(from, data, unix.SEEK_HOLE)
		if errors.Is(err, unix.ENXIO) { // cut off meanwhile
			return nil
		}
		if err != nil {
			return err
		}
		if err := k.span(c, from, to, data, min(hole, size)); err != nil {
			return err
		}
		at = hole
	}
	return nil
}

// span copies the bytes from at to end, or to the file's end if that is less.
func (k *content) span(c *copier, from, to int, at, end int64) error {
	for at < end {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		n, err := k.step(from, to, at, end)
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		at += n
		k.bytes += n
		if err := c.space(); err != nil {
			return err
		}
	}
	return nil
}

// step copies some bytes at an offset, none at the file's end.
func (k *content) step(from, to int, at, end int64) (int64, error) {
	if !k.noRange && end-at > bufferSize {
		in, out := at, at
		n, err := again(func() (int, error) {
			return unix.CopyFileRange(from, &in, to, &out, int(min(end-at, chunkSize)), 0)
		})
		switch {
		case err == nil && n > 0:
			return int64(n), nil
		case err == nil: // the end, or a kernel that says so of a file it cannot copy
		case noSpace(err), errors.Is(err, unix.EIO):
			return 0, err
		default:
			k.noRange = true
		}
	}
	if k.buf == nil {
		k.buf = make([]byte, bufferSize)
	}
	n, err := again(func() (int, error) { return unix.Pread(from, k.buf[:min(end-at, bufferSize)], at) })
	for done := 0; err == nil && done < n; {
		var w int
		w, err = again(func() (int, error) { return unix.Pwrite(to, k.buf[done:n], at+int64(done)) })
		done += w
	}
	return int64(n), err
}

func noSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// again repeats a call that a signal interrupted.
func again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
