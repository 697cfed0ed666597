package proxy

import (
	"io"
	"net"
	"syscall"
)

// rawConn is for plain TCP and unix sockets: their readiness can be waited for
// without a buffer.
func rawConn(c net.Conn) (syscall.RawConn, bool) {
	switch c := c.(type) {
	case *visitor:
		return rawConn(c.TCPConn)
	case *net.TCPConn:
		raw, err := c.SyscallConn()
		return raw, err == nil
	case *net.UnixConn:
		raw, err := c.SyscallConn()
		return raw, err == nil
	}
	return nil, false
}

// relayRaw reads when there is something to read, into a buffer that goes back
// as soon as there is nothing more.
func (p *Proxy) relayRaw(to io.Writer, from syscall.RawConn) {
	var buf []byte
	var n int
	var failed error
	read := func(fd uintptr) bool {
		if buf == nil {
			buf = p.buffers.Get()
		}
		for {
			n, failed = syscall.Read(int(fd), buf)
			if failed != syscall.EINTR {
				break
			}
		}
		if failed == syscall.EAGAIN {
			p.buffers.Put(buf)
			buf = nil
			return false // wait until it is ready
		}
		return true
	}
	defer func() {
		if buf != nil {
			p.buffers.Put(buf)
		}
	}()
	for {
		if err := from.Read(read); err != nil || failed != nil || n <= 0 {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
