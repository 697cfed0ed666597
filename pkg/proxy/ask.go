package proxy

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// askPatience is how long the beginning of an answer is waited for without
// noticing that the visitor goes away; at most twice that.
const askPatience = 100 * time.Millisecond

// asking is what ask needs of a line, kept there so that asking allocates
// nothing.
type asking struct {
	raw      syscall.RawConn // nil: not the kernel's
	step     func(fd uintptr) bool
	patience time.Time // the deadline for reading, as far as ask has set one

	sent    bool
	rest    []byte // of the request
	failed  error
	buffers *bufferPool
	buf     []byte // what was read stands in
	got     []byte // what of it nobody has taken yet
}

// ask sends what is in out and waits for the beginning of the answer, which it
// leaves in got. An ordinary Read would ask the kernel at once, always in vain:
// the IDE has only just been asked. When nothing comes in time, or where the
// connection is not the kernel's, got stays empty and the caller reads on.
func (c *line) ask(buffers *bufferPool) error {
	if c.raw == nil {
		_, err := c.Write(c.out)
		return err
	}
	// A deadline that is late enough stays: setting one costs.
	if now := time.Now(); c.patience.Before(now.Add(askPatience)) {
		c.patience = now.Add(2 * askPatience)
		if err := c.SetReadDeadline(c.patience); err != nil {
			return err
		}
	}
	c.sent, c.rest, c.failed, c.buffers = false, c.out, nil, buffers
	switch err := c.raw.Read(c.step); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case err != nil:
		return err
	case c.failed != nil:
		return c.failed
	}
	if len(c.rest) > 0 {
		_, err := c.Write(c.rest)
		return err
	}
	return nil
}

// trip is for syscall.RawConn.Read, which calls it at once, and again whenever
// there may be something to read, until it reports that it is done. What comes
// after the first call wakes it; what had come before, on a connection that
// should have been silent, is found when ask's patience ends.
func (c *line) trip(fd uintptr) bool {
	if !c.sent {
		c.sent = true
		n, err := uninterrupted(syscall.Write, fd, c.rest)
		switch {
		case err == syscall.EAGAIN:
			return true // it is written where it can be waited for
		case err != nil:
			c.failed = os.NewSyscallError("write", err)
			return true
		}
		c.rest = c.rest[n:]
		return len(c.rest) > 0
	}
	if c.buf == nil {
		c.buf = c.buffers.Get()
	}
	n, err := uninterrupted(syscall.Read, fd, c.buf)
	switch {
	case err == syscall.EAGAIN:
		return false
	case err != nil:
		c.failed = os.NewSyscallError("read", err)
	default:
		c.got = c.buf[:n]
	}
	return true
}

func uninterrupted(call func(int, []byte) (int, error), fd uintptr, p []byte) (int, error) {
	for {
		n, err := call(int(fd), p)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// Read hands out what ask has read, then what follows.
func (c *line) Read(p []byte) (int, error) {
	if len(c.got) > 0 {
		n := copy(p, c.got)
		c.got = c.got[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// endPatience ends ask's deadline.
func (c *line) endPatience() error {
	if c.patience.IsZero() {
		return nil
	}
	c.patience = time.Time{}
	return c.SetReadDeadline(time.Time{})
}

// giveBack lets ask's buffer go.
func (c *line) giveBack(buffers *bufferPool) {
	c.got = nil
	if c.buf != nil {
		buffers.Put(c.buf)
		c.buf = nil
	}
}
