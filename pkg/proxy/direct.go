package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/auth"
)

// Most of what an IDE is asked for has no body. Such a request is carried on
// the goroutine that serves it, over a connection of the backend's own: no
// hand-over between goroutines and no copies of headers, which halves what a
// request costs against http.Transport. Everything else goes by ReverseProxy.

const (
	idleConns = 64
	// idleLife is short: Node ends idle connections after five seconds anyhow.
	idleLife = 30 * time.Second
	maxHints = 8 // 1xx answers to one request
)

// line is one connection to the IDE.
type line struct {
	net.Conn
	head  io.LimitedReader
	br    *bufio.Reader // made when it is first needed
	out   []byte
	since time.Time // idle since
	used  bool      // it has answered before
	asking
}

// lines are a backend's idle connections, the latest used last.
type lines struct {
	mu     sync.Mutex
	idle   []*line
	closed bool
}

func (l *lines) take() *line {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.idle)
	if n == 0 {
		return nil
	}
	c := l.idle[n-1]
	l.idle[n-1] = nil
	l.idle = l.idle[:n-1]
	return c
}

func (l *lines) put(c *line, now time.Time) {
	c.since, c.used = now, true
	l.mu.Lock()
	if !l.closed && len(l.idle) < idleConns {
		l.idle = append(l.idle, c)
		c = nil
	}
	l.mu.Unlock()
	if c != nil {
		c.Close()
	}
}

// reap closes what has been idle since before then.
func (l *lines) reap(before time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.idle) && l.idle[n].since.Before(before) {
		l.idle[n].Close()
		n++
	}
	rest := copy(l.idle, l.idle[n:])
	clear(l.idle[rest:])
	l.idle = l.idle[:rest]
}

func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, c := range l.idle {
		c.Close()
	}
	l.idle = nil
}

func (b *backend) newLine(ctx context.Context) (*line, error) {
	conn, err := b.dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &line{Conn: conn}
	c.head.R = c
	if raw, ok := rawConn(conn); ok {
		c.raw, c.step = raw, c.trip
	}
	return c, nil
}

// simple reports a request that direct can carry.
func simple(r *http.Request) bool {
	if (r.Method != http.MethodGet && r.Method != http.MethodHead) || r.ContentLength != 0 || len(r.TransferEncoding) != 0 {
		return false
	}
	for _, v := range r.Header["Connection"] {
		if v != "keep-alive" && v != "close" && v != "Keep-Alive" {
			return false // it may name headers
		}
	}
	return r.Header["Expect"] == nil && r.Header["Upgrade"] == nil
}

var errIdleEnded = errors.New("the connection had ended")

// direct carries a simple request.
func (b *backend) direct(w http.ResponseWriter, r *http.Request, pass auth.Pass) {
	c := b.lines.take()
	for {
		if c == nil {
			var err error
			if c, err = b.newLine(r.Context()); err != nil {
				b.failed(w, r, err)
				return
			}
		}
		again, err := b.exchange(w, r, c, pass)
		if err == nil {
			return
		}
		c.Close()
		if !again {
			b.failed(w, r, err)
			return
		}
		c = b.lines.take()
	}
}

// exchange sends the request and carries the answer. It owns the connection
// unless it returns an error, which it does only before anything was answered;
// again says that the connection had been idle and had ended, and that another
// should be tried.
func (b *backend) exchange(w http.ResponseWriter, r *http.Request, c *line, pass auth.Pass) (again bool, err error) {
	c.out = b.appendHead(c.out[:0], r)
	defer c.giveBack(b.p.buffers)
	if err := c.ask(b.p.buffers); err != nil {
		return c.used, err
	}
	if b.short(w, r, c, pass) {
		return false, nil
	}
	return b.long(w, r, c, pass)
}

// short carries an answer that has come whole, or reports that it is not one.
func (b *backend) short(w http.ResponseWriter, r *http.Request, c *line, pass auth.Pass) bool {
	if r.Method != http.MethodGet || len(c.got) == 0 {
		return false
	}
	header := make(http.Header, 8)
	status, whole, ok := shortAnswer(c.got, header)
	if !ok {
		return false
	}
	if in := (body{session: b.view.Done, pass: pass}); in.ended() {
		c.Close()
		panic(http.ErrAbortHandler)
	}
	cleanResponse(header)
	maps.Copy(w.Header(), header)
	w.WriteHeader(status)
	if _, err := w.Write(whole); err != nil {
		c.Close()
		panic(http.ErrAbortHandler)
	}
	c.giveBack(b.p.buffers)
	b.lines.put(c, b.p.o.Now())
	return true
}

// long carries any answer, of which ask may have read the beginning, and ends
// when the visitor goes away.
func (b *backend) long(w http.ResponseWriter, r *http.Request, c *line, pass auth.Pass) (again bool, err error) {
	if err := c.endPatience(); err != nil {
		return c.used, err
	}
	stop := context.AfterFunc(r.Context(), func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if c.br == nil {
		c.br = bufio.NewReaderSize(&c.head, 4<<10)
	}
	c.head.N = maxHead
	if _, err := c.br.Peek(1); err != nil {
		return c.used && r.Context().Err() == nil, errors.Join(errIdleEnded, err)
	}
	res, err := c.answer(r)
	if err != nil {
		return false, err
	}
	c.head.N = math.MaxInt64
	keep := !res.Close
	dropHopByHop(res.Header)
	cleanResponse(res.Header)
	maps.Copy(w.Header(), res.Header)
	if len(res.Trailer) > 0 {
		delete(w.Header(), "Content-Length")
	}
	w.WriteHeader(res.StatusCode)
	if err := b.carryBody(w, res, pass); err != nil {
		c.Close()
		panic(http.ErrAbortHandler) // the visitor must not take half for the whole
	}
	if stop() && keep && c.br.Buffered() == 0 && len(c.got) == 0 {
		c.giveBack(b.p.buffers)
		b.lines.put(c, b.p.o.Now())
	} else {
		c.Close()
	}
	return false, nil
}

// answer reads the head of the IDE's answer; its 1xx are not for the visitor.
func (c *line) answer(r *http.Request) (*http.Response, error) {
	for range maxHints {
		res, err := http.ReadResponse(c.br, r)
		if err != nil {
			return nil, err
		}
		switch {
		case res.StatusCode >= 200:
			return res, nil
		case res.StatusCode == http.StatusSwitchingProtocols:
			return nil, errBadGateway // nobody asked for it
		}
	}
	return nil, errBadGateway
}

// carryBody copies the answer's body and hands on at once what has come, for
// as long as session and sign-in last.
func (b *backend) carryBody(w http.ResponseWriter, res *http.Response, pass auth.Pass) error {
	if res.Body == http.NoBody {
		return nil
	}
	flush := http.NewResponseController(w).Flush
	if len(res.Trailer) > 0 {
		flush() // makes net/http use chunks, which trailers need
	}
	in := body{ReadCloser: res.Body, session: b.view.Done, pass: pass}
	buf := b.p.buffers.Get()
	defer b.p.buffers.Put(buf)
	left := res.ContentLength
	for {
		n, err := in.Read(buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return werr
			}
			// The last of a known length goes out by itself.
			if left -= int64(n); left != 0 && err == nil {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if err == io.EOF {
			for name, values := range res.Trailer {
				w.Header()[http.TrailerPrefix+name] = values
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// appendHead writes the request's head as the IDE gets it.
func (b *backend) appendHead(out []byte, r *http.Request) []byte {
	out = append(out, r.Method...)
	out = append(out, ' ')
	out = append(out, r.URL.RequestURI()...)
	out = append(out, " HTTP/1.1\r\nHost: "...)
	out = append(out, r.Host...)
	out = append(out, "\r\n"...)
	for name, values := range r.Header {
		if hopByHop(name) || !mayPass(name) {
			continue
		}
		for _, v := range values {
			switch name {
			case "Cookie":
				if v = cleanCookieLine(v); v == "" {
					continue
				}
			case "Authorization":
				if _, own := ownToken(v); own {
					continue
				}
			}
			out = appendField(out, name, v)
		}
	}
	if a := b.p.o.ClientAddr(r); a.IsValid() {
		out = append(out, "X-Forwarded-For: "...)
		out = a.AppendTo(out)
		out = append(out, "\r\n"...)
	}
	out = appendField(out, "X-Forwarded-Host", r.Host)
	out = appendField(out, "X-Forwarded-Proto", b.p.o.Hosts.scheme())
	return append(out, "\r\n"...)
}

// appendField relies on net/http's server, which takes no line ends in names
// and values.
func appendField(out []byte, name, value string) []byte {
	out = append(out, name...)
	out = append(out, ": "...)
	out = append(out, value...)
	return append(out, "\r\n"...)
}
