package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"maps"
	"math"
	"net"
	"net/http"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

const (
	handshakeTimeout = 30 * time.Second
	// closeGrace is how long one side may go on after the other has ended.
	closeGrace = 5 * time.Second
	// maxHead bounds what an IDE, a stranger's program, can make us keep.
	maxHead = 256 << 10
)

// quiet drops ReverseProxy's own log: what matters comes through failed.
var quiet = log.New(io.Discard, "", 0)

// tunnel carries a WebSocket: the handshake to the IDE and back, then bytes
// both ways, for as long as both sides, the session and the visitor's sign-in
// last. There is no limit on silence; TCP's keep-alive notices a dead peer.
func (b *backend) tunnel(w http.ResponseWriter, r *http.Request, g auth.Grant) {
	b.p.tunnels.Add(1)
	defer b.p.tunnels.Done()
	if g.Pass != nil {
		g.Pass.Hold()
		defer g.Pass.Release()
	}
	if r.Method != http.MethodGet || r.ProtoMajor != 1 || r.ContentLength != 0 {
		b.p.refuse(w, r, fault.New(fault.Invalid, "request/malformed", "a WebSocket begins with a GET over HTTP/1.1 without a body"))
		return
	}
	ide, err := b.dial(r.Context())
	if err != nil {
		b.failed(w, r, err)
		return
	}
	defer ide.Close()
	res, early, err := b.handshake(ide, r)
	if err != nil {
		b.failed(w, r, err)
		return
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols {
		b.declined(w, res)
		return
	}
	visitor, late, err := b.accept(w, res)
	if err != nil {
		return // the visitor is gone
	}
	defer visitor.Close()
	if _, err := visitor.Write(early); err != nil {
		return
	}
	if _, err := ide.Write(late); err != nil {
		return
	}
	b.join(visitor, ide, g.Pass)
}

// handshake asks the IDE for the WebSocket. early is what it has sent beyond
// its answer's head.
func (b *backend) handshake(ide net.Conn, r *http.Request) (res *http.Response, early []byte, err error) {
	out := &http.Request{Method: http.MethodGet, URL: r.URL, Host: r.Host, Header: r.Header.Clone(),
		ProtoMajor: 1, ProtoMinor: 1}
	dropHopByHop(out.Header)
	b.dress(out, r)
	out.Header["Connection"], out.Header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	u := *r.URL
	u.Scheme, u.Host, u.User = "http", b.view.Slug, nil
	out.URL = &u
	ide.SetDeadline(time.Now().Add(handshakeTimeout))
	stop := context.AfterFunc(r.Context(), func() { ide.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := out.Write(ide); err != nil {
		return nil, nil, err
	}
	head := &io.LimitedReader{R: ide, N: maxHead}
	br := bufio.NewReaderSize(head, 4<<10)
	for {
		if res, err = http.ReadResponse(br, out); err != nil {
			return nil, nil, err
		}
		if res.StatusCode >= 200 || res.StatusCode == http.StatusSwitchingProtocols {
			break
		}
	}
	if !stop() {
		return nil, nil, r.Context().Err()
	}
	head.N = math.MaxInt64 // the head was bounded; what follows is not
	if res.StatusCode == http.StatusSwitchingProtocols {
		ide.SetDeadline(time.Time{})
		if !isWebSocket(res.Header) {
			return nil, nil, errors.New("the IDE switched to something that is not a WebSocket")
		}
		early, _ = br.Peek(br.Buffered())
	}
	return res, early, nil
}

// declined hands on the IDE's answer when it is not a WebSocket.
func (b *backend) declined(w http.ResponseWriter, res *http.Response) {
	cleanResponse(res.Header)
	h := w.Header()
	dropHopByHop(res.Header)
	maps.Copy(h, res.Header)
	w.WriteHeader(res.StatusCode)
	buf := b.p.buffers.Get()
	defer b.p.buffers.Put(buf)
	io.CopyBuffer(w, res.Body, buf)
}

// accept takes the connection over and gives the visitor the IDE's answer.
// late is what the visitor has sent already.
func (b *backend) accept(w http.ResponseWriter, res *http.Response) (net.Conn, []byte, error) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		b.p.o.Logger.Error("a connection cannot be taken over for a WebSocket", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return nil, nil, err
	}
	conn.SetDeadline(time.Time{})
	cleanResponse(res.Header)
	delete(res.Header, "Content-Security-Policy") // of no use without a page
	dropHopByHop(res.Header)
	delete(res.Header, "Content-Length")
	res.Header["Connection"], res.Header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	rw.Writer.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	if err := res.Header.Write(rw.Writer); err == nil {
		rw.Writer.WriteString("\r\n")
	}
	if err := rw.Writer.Flush(); err != nil {
		conn.Close()
		return nil, nil, err
	}
	late, _ := rw.Reader.Peek(rw.Reader.Buffered())
	return conn, late, nil
}

// join copies both ways until both have ended, or one has and the other's
// grace is over, or there is no right to it any more. Then both are closed.
func (b *backend) join(visitor, ide net.Conn, pass auth.Pass) {
	var revoked <-chan struct{}
	if pass != nil {
		revoked = pass.Done()
	}
	ended := make(chan struct{}, 2)
	copyOne := func(to, from net.Conn) {
		b.p.relay(to, from)
		if half, ok := to.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
		ended <- struct{}{}
	}
	go copyOne(ide, visitor)
	go copyOne(visitor, ide)
	left := 2
	var grace <-chan time.Time
	for left > 0 {
		select {
		case <-ended:
			left--
			if grace == nil {
				grace = time.After(closeGrace)
			}
			continue
		case <-grace:
		case <-revoked:
		case <-b.view.Done:
		case <-b.p.ctx.Done():
		}
		break
	}
	// Both copies end when both connections are closed.
	visitor.Close()
	ide.Close()
	for ; left > 0; left-- {
		<-ended
	}
}

// relay copies until an end or an error. While nothing comes it holds no
// buffer: thousands of silent WebSockets cost little.
func (p *Proxy) relay(to io.Writer, from net.Conn) {
	if raw, ok := rawConn(from); ok {
		p.relayRaw(to, raw)
		return
	}
	// TLS: what has arrived is not what can be read, so a read must wait with
	// a buffer in hand; a small one, until more comes than it holds.
	small := make([]byte, 2<<10)
	for {
		n, err := from.Read(small)
		if n > 0 {
			if _, werr := to.Write(small[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
		if n == len(small) {
			if !p.burst(to, from) {
				return
			}
		}
	}
}

// burst copies with a large buffer until a read no longer fills half of it.
func (p *Proxy) burst(to io.Writer, from io.Reader) bool {
	buf := p.buffers.Get()
	defer p.buffers.Put(buf)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				return false
			}
		}
		if err != nil {
			return false
		}
		if n < len(buf)/2 {
			return true
		}
	}
}
