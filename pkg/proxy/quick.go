package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Nearly all that an IDE is asked for is a GET without a body, one after the
// other on a connection. What net/http's server does around such a request
// (a goroutine that reads in the background, contexts, timers, buffers) costs
// as much as the rest of it. Quick answers these without it, and nothing else.
//
// It sits where the server reads from the connection: between two requests the
// server asks for bytes, and the visitor's Read serves plain requests for as
// long as there come such, before it returns anything else, untouched, to the
// server. What is plain is a strict subset of what HTTP/1.1 allows, and it is
// read by http.ReadRequest like the server's own. The same handler answers, with
// all that is wrapped around it.
type quick struct {
	srv    *http.Server
	note   func(net.Conn, http.ConnState)
	plain  func(*http.Request) bool
	closed atomic.Bool // the listener: the rest is the server's
	out    *bufferPool
	parser sync.Pool // *parser
}

// Quick lets srv answer quickly what is plain on l, and returns the listener
// that srv is to serve; only connections of plain TCP are concerned. It wraps
// srv.ConnState, which must be set before. srv has no ReadTimeout and no
// WriteTimeout. plain is asked about GET requests without a body; what it takes
// must do without hijacking, 1xx answers and the values that net/http's server
// keeps in a request's context.
//
// Once the listener is closed every request is net/http's again, so a server
// that closes its listener first can end gracefully as ever.
func Quick(srv *http.Server, l net.Listener, plain func(*http.Request) bool) net.Listener {
	q := &quick{srv: srv, note: srv.ConnState, plain: plain, out: newBufferPool(),
		parser: sync.Pool{New: func() any { return newParser() }}}
	if q.note == nil {
		q.note = func(net.Conn, http.ConnState) {}
	}
	srv.ConnState = q.state
	return quickListener{l, q}
}

type quickListener struct {
	net.Listener
	q *quick
}

// Accept is net.Listener.
func (l quickListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		return &visitor{TCPConn: tcp, q: l.q, addr: tcp.RemoteAddr().String()}, nil
	}
	return c, err
}

// Close is net.Listener.
func (l quickListener) Close() error {
	l.q.closed.Store(true)
	return l.Listener.Close()
}

// state is http.Server.ConnState: a connection is between two requests when it
// is new and when it is idle.
func (q *quick) state(c net.Conn, s http.ConnState) {
	if v, ok := c.(*visitor); ok {
		v.between = s == http.StateNew || s == http.StateIdle
	}
	q.note(c, s)
}

// visitor is a connection from a visitor. Its fields are those of the goroutine
// that serves it.
type visitor struct {
	*net.TCPConn
	q    *quick
	addr string

	between bool // the server waits for a request, and has not got a byte of it
	room    int  // the server's buffer, in bytes
	fresh   time.Time
}

// Read is net.Conn, for the server. A request begins in p only if the server
// holds no bytes that it has not looked at (of a request sent before it was
// due), and then p is its whole buffer, as at the connection's first Read.
func (v *visitor) Read(p []byte) (int, error) {
	if !v.between {
		return v.TCPConn.Read(p)
	}
	v.between = false
	if v.room == 0 {
		v.room = len(p)
	}
	if len(p) < v.room {
		return v.TCPConn.Read(p)
	}
	return v.serve(p)
}

// serve answers plain requests, and returns what else comes.
func (v *visitor) serve(p []byte) (int, error) {
	for served := false; ; served = true {
		n, err := v.TCPConn.Read(p)
		if err != nil {
			return n, err
		}
		r := v.q.request(p[:n], v.addr)
		if r != nil {
			v.q.note(v, http.StateActive)
			if v.q.closed.Load() {
				r = nil
			}
		}
		if r == nil {
			if served {
				err = v.deadline(time.Now(), v.q.srv.ReadHeaderTimeout)
			}
			return n, err
		}
		if !v.answer(r) {
			return 0, io.EOF
		}
		v.q.note(v, http.StateIdle)
		// Within a second it stays: setting one costs.
		if now := time.Now(); now.Sub(v.fresh) > time.Second {
			v.fresh = now
			if err := v.deadline(now, v.q.srv.IdleTimeout); err != nil {
				return 0, err
			}
		}
	}
}

// deadline is for reading; none for 0.
func (v *visitor) deadline(now time.Time, d time.Duration) error {
	if d <= 0 {
		return v.SetReadDeadline(time.Time{})
	}
	return v.SetReadDeadline(now.Add(d))
}

// answer reports whether the connection can go on. A handler's panic is the
// server's, which closes the connection.
func (v *visitor) answer(r *http.Request) bool {
	w := &quickWriter{v: v, header: make(http.Header, 8)}
	defer w.wire.release()
	v.handle(w, r)
	return w.finish()
}

// handle ends the request's context before the visitor has the end of the
// answer, as net/http does.
func (v *visitor) handle(w http.ResponseWriter, r *http.Request) {
	ctx := &presence{v: v}
	defer ctx.end()
	v.q.srv.Handler.ServeHTTP(w, r.WithContext(ctx))
}

// parser reads one request.
type parser struct {
	text strings.Reader
	br   *bufio.Reader
}

func newParser() *parser {
	p := &parser{}
	p.br = bufio.NewReaderSize(&p.text, 4<<10)
	return p
}

// request returns the plain request that head is, or nil.
func (q *quick) request(head []byte, addr string) *http.Request {
	if len(head) < 4 || string(head[:4]) != "GET " {
		return nil
	}
	text := string(head)
	if !plainHead(text) {
		return nil
	}
	p := q.parser.Get().(*parser)
	p.text.Reset(text)
	p.br.Reset(&p.text)
	r, err := http.ReadRequest(p.br)
	p.text.Reset("") // it holds a cookie
	q.parser.Put(p)
	if err != nil || r.Body != http.NoBody || r.Close {
		return nil
	}
	if r.RemoteAddr = addr; !q.plain(r) {
		return nil
	}
	return r
}

// plainHead reports whether text is the head of one GET for a path, whole and
// with nothing after it, whose fields are what net/http's server lets pass and
// say nothing about a body or the connection.
func plainHead(text string) bool {
	line, rest, _ := strings.Cut(text, "\r\n")
	target, get := strings.CutPrefix(line, "GET /")
	target, http11 := strings.CutSuffix(target, " HTTP/1.1")
	if !get || !http11 {
		return false
	}
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c >= 0x7f {
			return false
		}
	}
	for hosts := 0; ; {
		var whole bool
		if line, rest, whole = strings.Cut(rest, "\r\n"); !whole {
			return false
		}
		if line == "" {
			return rest == "" && hosts == 1
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if len(name) == len(line) || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) || !plainField(name, value) {
			return false
		}
		if strings.EqualFold(name, "Host") {
			hosts++
		}
	}
}

func plainField(name, value string) bool {
	switch len(name) {
	case len("Host"):
		return !strings.EqualFold(name, "Host") || value != "" && httpguts.ValidHostHeader(value)
	case len("Expect"):
		return !strings.EqualFold(name, "Expect")
	case len("Upgrade"): // and Trailer
		return !strings.EqualFold(name, "Upgrade") && !strings.EqualFold(name, "Trailer")
	case len("Connection"):
		return !strings.EqualFold(name, "Connection") || strings.EqualFold(value, "keep-alive")
	case len("Content-Length"):
		return !strings.EqualFold(name, "Content-Length")
	case len("Transfer-Encoding"):
		return !strings.EqualFold(name, "Transfer-Encoding")
	}
	return true
}

// Plain reports what Quick may take: requests for an IDE that go by direct.
func (p *Proxy) Plain(r *http.Request) bool {
	kind, _ := p.o.Hosts.Parse(r.Host)
	return kind == Session && simple(r) && !reserved(r.URL.Path) && !internal(r.URL.Path)
}
