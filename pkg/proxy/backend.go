package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

// dialTimeout is for connecting to a unix socket on this host.
const dialTimeout = 10 * time.Second

// backend is one running session's IDE: its connections are its own, kept by
// the session's id, so that a connection can never serve another session, and
// they end with it.
type backend struct {
	p     *Proxy
	view  View
	proxy httputil.ReverseProxy // for requests with a body and other rare ones
	lines lines                 // for the rest
}

// backend returns the session's, made at its first request.
func (p *Proxy) backend(v View) *backend {
	p.mu.RLock()
	b := p.backends[v.ID]
	p.mu.RUnlock()
	if b != nil {
		return b
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if b = p.backends[v.ID]; b != nil {
		return b
	}
	b = &backend{p: p, view: v}
	transport := &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return b.dial(ctx) },
		DisableCompression:  true, // the IDE and the browser agree between them
		MaxIdleConns:        128,
		MaxIdleConnsPerHost: 128,
		IdleConnTimeout:     90 * time.Second,
		ReadBufferSize:      8 << 10,
		WriteBufferSize:     8 << 10,

		MaxResponseHeaderBytes: maxHead,
	}
	b.proxy = httputil.ReverseProxy{
		Rewrite: b.rewrite, Transport: transport, BufferPool: p.buffers,
		ModifyResponse: b.modify, ErrorHandler: b.failed, ErrorLog: quiet,
	}
	p.backends[v.ID] = b
	go func() {
		b.wait()
		p.mu.Lock()
		delete(p.backends, v.ID)
		p.mu.Unlock()
		b.lines.close()
		transport.CloseIdleConnections()
	}()
	return b
}

// wait returns when the session or the proxy ends.
func (b *backend) wait() {
	tick := time.NewTicker(idleLife)
	defer tick.Stop()
	for {
		select {
		case <-b.view.Done:
			return
		case <-b.p.ctx.Done():
			return
		case <-tick.C:
			b.lines.reap(b.p.o.Now().Add(-idleLife))
		}
	}
}

// dial connects to this session's IDE, unless the session is over.
func (b *backend) dial(ctx context.Context) (net.Conn, error) {
	select {
	case <-b.view.Done:
		return nil, errNoSession
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return b.p.o.Dialer.DialIDE(ctx, b.view.Slug)
}

type grantKey struct{}

// forward carries one request, of any kind but a WebSocket's, to the IDE.
func (b *backend) forward(w http.ResponseWriter, r *http.Request, g auth.Grant) {
	if simple(r) {
		b.direct(w, r, g.Pass)
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), grantKey{}, g.Pass))
	b.proxy.ServeHTTP(final{w}, r)
}

// final keeps the IDE's 1xx answers back: their headers would reach the
// browser without having been cleaned.
type final struct{ http.ResponseWriter }

func (f final) WriteHeader(code int) {
	if code >= 200 {
		f.ResponseWriter.WriteHeader(code)
	}
}

// Unwrap is for http.ResponseController.
func (f final) Unwrap() http.ResponseWriter { return f.ResponseWriter }

func (b *backend) rewrite(pr *httputil.ProxyRequest) {
	out := pr.Out
	out.URL.Scheme, out.URL.Host = "http", b.view.Slug
	out.URL.RawQuery = pr.In.URL.RawQuery // the IDE reads it itself, oddities and all
	out.Host = pr.In.Host                 // the IDE compares it with Origin
	b.dress(out, pr.In)
	delete(out.Header, "Upgrade") // only WebSockets are upgraded, elsewhere
	delete(out.Header, "Connection")
}

// dress gives a request to the IDE the headers it may have.
func (b *backend) dress(out, in *http.Request) {
	cleanRequest(out.Header)
	if a := b.p.o.ClientAddr(in); a.IsValid() {
		out.Header["X-Forwarded-For"] = []string{a.String()}
	}
	out.Header["X-Forwarded-Host"] = []string{in.Host}
	out.Header["X-Forwarded-Proto"] = []string{b.p.o.Hosts.scheme()}
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = []string{""} // none is sent, instead of Go's own
	}
}

func (b *backend) modify(res *http.Response) error {
	cleanResponse(res.Header)
	if res.StatusCode == http.StatusSwitchingProtocols {
		return errBadGateway // nobody asked for it
	}
	pass, _ := res.Request.Context().Value(grantKey{}).(auth.Pass)
	res.Body = &body{ReadCloser: res.Body, session: b.view.Done, pass: pass}
	return nil
}

// body ends a long answer when the session or the visitor's sign-in does.
type body struct {
	io.ReadCloser
	session <-chan struct{}
	pass    auth.Pass
}

var errEnded = errors.New("the session or the sign-in has ended")

// Read looks afterwards as well: what came while it waited is not for somebody
// who was signed out meanwhile.
func (b *body) Read(p []byte) (int, error) {
	if b.ended() {
		return 0, errEnded
	}
	n, err := b.ReadCloser.Read(p)
	if b.ended() {
		return 0, errEnded
	}
	return n, err
}

func (b *body) ended() bool {
	select {
	case <-b.session:
		return true
	default:
	}
	if b.pass == nil {
		return false
	}
	select {
	case <-b.pass.Done():
		return true
	default:
		return false
	}
}

// failed answers when the IDE could not be reached or did not answer.
func (b *backend) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		w.WriteHeader(http.StatusBadGateway) // nobody reads it
		return
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		b.p.refuse(w, r, fault.New(fault.TooLarge, "request/too-large", "the request is larger than is taken here"))
		return
	}
	level := b.p.o.Logger.Info
	if fault.Is(err, fault.Denied) {
		level = b.p.o.Logger.Warn // the session put something else in its socket's place
	}
	level("a session's IDE does not answer", "slug", b.view.Slug, "error", err)
	if navigation(r) {
		b.p.page(w, r, http.StatusBadGateway, pageBadGateway, b.view.Slug)
		return
	}
	b.p.refuse(w, r, errBadGateway)
}

// bufferPool is what ReverseProxy copies with.
type bufferPool struct{ sync.Pool }

// bufferSize: a unix socket's default buffer holds some 200 KiB; 32 KiB a copy
// is within a few per cent of larger ones and keeps many transfers small.
const bufferSize = 32 << 10

type buffer [bufferSize]byte

func newBufferPool() *bufferPool {
	return &bufferPool{sync.Pool{New: func() any { return new(buffer) }}}
}

// Get and Put are httputil.BufferPool.
func (p *bufferPool) Get() []byte { return p.Pool.Get().(*buffer)[:] }

// Put takes a buffer back.
func (p *bufferPool) Put(b []byte) { p.Pool.Put((*buffer)(b[:bufferSize])) }
