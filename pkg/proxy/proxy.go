package proxy

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

// The paths on a session's host that are MedForge's own. Everything else there
// is the IDE's.
const (
	ownPrefix   = "/.medforge"
	enterPath   = ownPrefix + "/enter"   // ?ticket=...&to=/path
	arrivedPath = ownPrefix + "/arrived" // ?to=/path: is the cookie kept?
)

// forwardAuthPath is for proxies in front; it is never served on a session's
// host, where every visitor could ask it.
const forwardAuthPath = "/api/v1/auth/session-proxy"

func reserved(p string) bool {
	return p == ownPrefix || strings.HasPrefix(p, ownPrefix+"/")
}

// Proxy is the handler of the public listener.
type Proxy struct {
	o       Options
	cop     *http.CrossOriginProtection
	buffers *bufferPool
	ctx     context.Context // ends with Close
	quit    context.CancelFunc

	mu       sync.RWMutex
	backends map[string]*backend // by session id
	tunnels  sync.WaitGroup
}

// New makes a Proxy. Close ends it.
func New(o Options) *Proxy {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.API == nil {
		o.API = o.Main
	}
	if o.ClientAddr == nil {
		o.ClientAddr = func(r *http.Request) netip.Addr {
			a, _ := netip.ParseAddrPort(r.RemoteAddr)
			return a.Addr()
		}
	}
	p := &Proxy{o: o, cop: http.NewCrossOriginProtection(), buffers: newBufferPool(), backends: map[string]*backend{}}
	p.ctx, p.quit = context.WithCancel(context.Background())
	return p
}

// Close ends every WebSocket and every connection to an IDE, and returns when
// they are gone or ctx ends.
func (p *Proxy) Close(ctx context.Context) error {
	p.quit()
	gone := make(chan struct{})
	go func() {
		p.tunnels.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ServeHTTP splits by host.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, slug := p.o.Hosts.Parse(r.Host)
	switch kind {
	case Main:
		p.o.Main.ServeHTTP(w, r)
	case API:
		p.o.API.ServeHTTP(w, r)
	case Session:
		p.serveSession(w, r, slug)
	default:
		p.refuse(w, r, fault.New(fault.Misdirected, errHost.Code,
			"the host name %q is not served here; MedForge is at %s", clip(r.Host), p.o.Hosts.MainOrigin()))
	}
}

// noter is a ResponseWriter that wants to know what it carries and who asks: the
// daemon's access log and its metrics.
type noter interface {
	NoteRequest(route, userID, via string)
}

// The routes on a session's host.
const (
	routeOwn     = "session-host" // MedForge's own pages, and whom the gate turned away
	routeForward = "ide"
)

func note(w http.ResponseWriter, route string, a auth.Actor) {
	if n, ok := w.(noter); ok {
		n.NoteRequest(route, a.UserID, string(a.Via))
	}
}

func (p *Proxy) serveSession(w http.ResponseWriter, r *http.Request, slug string) {
	note(w, routeOwn, auth.Actor{})
	switch {
	case r.Method == http.MethodConnect || r.URL.Path == "" || r.URL.Path[0] != '/':
		p.refuse(w, r, fault.New(fault.Invalid, "request/malformed", "the request does not name a path"))
		return
	case reserved(r.URL.Path):
		p.serveOwn(w, r, slug)
		return
	case internal(r.URL.Path):
		p.refuse(w, r, errInternal)
		return
	}
	v := p.gate(r.Header, slug)
	note(w, routeOwn, v.grant.Actor)
	if v.err != nil {
		p.turnAway(w, r, slug, v)
		return
	}
	if !p.sameOrigin(r, &v, slug) {
		p.refuse(w, r, errOrigin)
		return
	}
	note(w, routeForward, v.grant.Actor)
	b := p.backend(v.view)
	if isWebSocket(r.Header) {
		b.tunnel(w, r, v.grant)
		return
	}
	b.forward(w, r, v.grant)
}

// internal reports the forward-auth route, however it is spelled.
func internal(p string) bool {
	if len(p) < len(forwardAuthPath) {
		return false
	}
	return strings.EqualFold(path.Clean(p), forwardAuthPath)
}

// turnAway answers whom the gate did not let in: a browser that wanted a page
// gets one, or the way to sign in; everybody else gets a problem.
func (p *Proxy) turnAway(w http.ResponseWriter, r *http.Request, slug string, v verdict) {
	if v.stale {
		http.SetCookie(w, p.cookie("", -1))
	}
	if !navigation(r) {
		p.refuse(w, r, v.err)
		return
	}
	switch {
	case v.err.Kind == fault.Unauthenticated && p.o.OpenPath != "" && r.Method == http.MethodGet:
		target := p.o.Hosts.SessionOrigin(slug) + cleanTarget(r.URL)
		p.redirect(w, r, p.o.Hosts.MainOrigin()+p.o.OpenPath+"?"+query("return", target))
	case v.err.Kind == fault.Unauthenticated:
		p.page(w, r, status(v.err), pageSignIn, slug)
	case v.err.Kind == fault.NotFound && v.view.Status == "starting":
		p.page(w, r, status(v.err), pageStarting, slug)
	case v.err.Kind == fault.NotFound:
		p.page(w, r, status(v.err), pageNotRunning, slug)
	default:
		p.page(w, r, status(v.err), pageNotYours, slug)
	}
}

// navigation reports a browser that wants to show a page to a person.
func navigation(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

func clip(s string) string {
	if len(s) > 80 {
		s = s[:80] + "..."
	}
	return s
}
