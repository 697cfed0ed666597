package proxy

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
)

// presence is a quick request's context. It is done when the visitor goes away,
// and when the request is over; the connection is watched from when somebody
// asks for Done, which nobody does while all goes quickly.
type presence struct {
	v *visitor

	mu      sync.Mutex
	done    chan struct{}
	err     error
	watched chan struct{} // closed when nobody watches any more
}

// Deadline is context.Context.
func (*presence) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value is context.Context.
func (*presence) Value(any) any { return nil }

// Err is context.Context.
func (c *presence) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Done is context.Context.
func (c *presence) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done != nil {
		return c.done
	}
	c.done = make(chan struct{})
	if c.err != nil {
		close(c.done)
		return c.done
	}
	c.watched = make(chan struct{})
	go func() {
		defer close(c.watched)
		if c.v.leaves() {
			c.cancel()
		}
	}()
	return c.done
}

func (c *presence) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = context.Canceled
	if c.done != nil {
		close(c.done)
	}
}

// end is for when the handler has returned.
func (c *presence) end() {
	c.cancel()
	c.mu.Lock()
	watched := c.watched
	c.mu.Unlock()
	if watched != nil {
		_ = c.v.SetReadDeadline(time.Unix(1, 0)) // a closed connection is not watched
		<-watched
		c.v.fresh = time.Time{} // serve sets the deadline anew
	}
}

// leaves waits until the visitor has gone away, which it reports, or has sent
// something, or the deadline for reading passes. It takes no byte.
func (v *visitor) leaves() bool {
	raw, err := v.SyscallConn()
	if err != nil {
		return true
	}
	var gone bool
	var one [1]byte
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			switch err {
			case syscall.EINTR:
				continue
			case syscall.EAGAIN:
				return false
			}
			gone = err != nil || n == 0
			return true
		}
	})
	return gone || err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}
