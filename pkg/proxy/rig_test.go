package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/porttest/fakeaccounts"
	"github.com/medforge/medforge/pkg/proxy"
)

const (
	domain = "example.test"
	slugA  = "aaaaaaaa" // ada's
	slugB  = "bbbbbbbb" // bob's
	pass   = "correct horse"
)

// sessions is the table that pkg/session keeps in memory.
type sessions struct {
	mu   sync.RWMutex
	rows map[string]proxy.View
	ends map[string]func()
}

func (s *sessions) BySlug(slug string) (proxy.View, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	v, ok := s.rows[slug]
	return v, ok
}

func (s *sessions) run(slug, userID string) {
	done := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[slug] = proxy.View{ID: "id-" + slug, UserID: userID, Slug: slug, Running: true, Status: "running", Done: done}
	s.ends[slug] = sync.OnceFunc(func() { close(done) })
}

func (s *sessions) stop(slug string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends[slug]()
	delete(s.rows, slug)
}

func (s *sessions) set(slug string, change func(*proxy.View)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.rows[slug]
	change(&v)
	s.rows[slug] = v
}

// ide is a session's server on its unix socket; it keeps all it receives.
type ide struct {
	mu       sync.Mutex
	received []string // raw bytes of each connection so far
	handler  http.Handler
}

func (u *ide) all() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return strings.Join(u.received, "\n")
}

// spy keeps what a connection reads.
type spy struct {
	net.Conn
	ide *ide
	i   int
}

func (c spy) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.ide.mu.Lock()
	c.ide.received[c.i] += string(p[:n])
	c.ide.mu.Unlock()
	return n, err
}

type spyListener struct {
	net.Listener
	ide *ide
}

func (l spyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.ide.mu.Lock()
	defer l.ide.mu.Unlock()
	l.ide.received = append(l.ide.received, "")
	return spy{c, l.ide, len(l.ide.received) - 1}, nil
}

type rig struct {
	t        testing.TB
	proxy    *proxy.Proxy
	accounts *account.Service
	sessions *sessions
	dir      string
	ide      *ide // slugA's
	addr     string
	port     string
	secure   bool
	ada, bob account.SignIn
	admin    auth.Actor
	now      func() time.Time
	skew     time.Duration
	skewMu   sync.Mutex
	dials    int
}

// DialIDE is session.Sockets' without its checks of the folder.
func (r *rig) DialIDE(ctx context.Context, slug string) (net.Conn, error) {
	r.skewMu.Lock()
	r.dials++
	r.skewMu.Unlock()
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(r.dir, slug))
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "sessions/ide-unreachable", "refused")
	}
	return c, nil
}

// dialled is how often the IDEs were dialled.
func (r *rig) dialled() int {
	r.skewMu.Lock()
	defer r.skewMu.Unlock()
	return r.dials
}

func (r *rig) later(d time.Duration) {
	r.skewMu.Lock()
	defer r.skewMu.Unlock()
	r.skew += d
}

type option func(*proxy.Options)

func open(t testing.TB, opts ...option) *rig {
	t.Helper()
	r := &rig{t: t, sessions: &sessions{rows: map[string]proxy.View{}, ends: map[string]func(){}}, ide: &ide{}}
	r.now = func() time.Time {
		r.skewMu.Lock()
		defer r.skewMu.Unlock()
		return time.Now().Add(r.skew)
	}
	dir, err := os.MkdirTemp("", "mfp") // a unix socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r.dir = dir
	r.accounts, err = account.New(context.Background(), account.Options{Store: &fakeaccounts.Store{}, SignUp: account.SignUpOpen, Now: r.now,
		Password: account.PasswordParams{MemoryKiB: 8, Passes: 1, Threads: 1, Slots: 1}})
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]*account.SignIn{"ada": &r.ada, "bob": &r.bob} {
		*in, err = r.accounts.SignUp(context.Background(), account.NewAccount{Email: name + "@example.org", Password: pass}, account.Origin{})
		if err != nil {
			t.Fatal(err)
		}
	}
	if r.admin, err = r.accounts.UnixUser(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	r.sessions.run(slugA, r.ada.User.ID)
	r.sessions.run(slugB, r.bob.User.ID)
	r.serveIDE(slugA, r.ide)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = l.Addr().String()
	_, r.port, _ = net.SplitHostPort(r.addr)
	o := proxy.Options{
		Hosts: proxy.Hosts{Domain: domain, Port: r.port}, Sessions: r.sessions, Dialer: r, Keys: r.accounts, Now: r.now,
		Main: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if q.URL.Path == "/open" {
				g, _ := r.accounts.Authenticate(q, r.secure)
				r.proxy.Open(w, q, g.Actor)
				return
			}
			fmt.Fprintf(w, "medforge itself: %s", q.URL.Path)
		}),
	}
	for _, f := range opts {
		f(&o)
	}
	r.secure = o.Hosts.Secure
	r.proxy = proxy.New(o)
	srv := &http.Server{Handler: r.proxy, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute} // as the daemon's
	go srv.Serve(proxy.Quick(srv, l, r.proxy.Plain))
	t.Cleanup(func() {
		srv.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := r.proxy.Close(ctx); err != nil {
			t.Errorf("WebSockets are left: %v", err)
		}
	})
	return r
}

// serveIDE serves echo, streams and whatever u.handler does.
func (r *rig) serveIDE(slug string, u *ide) {
	l, err := net.Listen("unix", filepath.Join(r.dir, slug))
	if err != nil {
		r.t.Fatal(err)
	}
	if u.handler == nil {
		u.handler = http.HandlerFunc(echo)
	}
	srv := &http.Server{Handler: u.handler}
	go srv.Serve(spyListener{l, u})
	r.t.Cleanup(func() { srv.Close() })
}

func echo(w http.ResponseWriter, q *http.Request) {
	if q.URL.Path == "/ws" {
		c, err := websocket.Accept(w, q, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		for {
			typ, b, err := c.Read(q.Context())
			if err != nil {
				return
			}
			if err := c.Write(q.Context(), typ, b); err != nil {
				return
			}
		}
	}
	body, _ := io.ReadAll(q.Body)
	w.Header().Set("X-Seen", q.URL.RequestURI())
	fmt.Fprintf(w, "ide %s %s %s", q.Method, q.URL.RequestURI(), body)
}

func (r *rig) host(slug string) string {
	return fmt.Sprintf("s-%s.medforge.%s:%s", slug, domain, r.port)
}

func (r *rig) mainHost() string { return "medforge." + domain + ":" + r.port }

// raw sends bytes as they are and returns the first answer.
func (r *rig) raw(text string) *http.Response {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, text)
	method, _, _ := strings.Cut(text, " ")
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		r.t.Fatalf("no answer to %.80q: %v", text, err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatalf("half an answer to %.80q: %v", text, err)
	}
	res.Body = io.NopCloser(strings.NewReader(string(body)))
	return res
}

// second sends one request, waits for its answer, sends another on the same
// connection and returns that one's answer.
func (r *rig) second(first, text string) *http.Response {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	br := bufio.NewReader(c)
	var res *http.Response
	for _, text := range []string{first, text} {
		io.WriteString(c, text)
		method, _, _ := strings.Cut(text, " ")
		if res, err = http.ReadResponse(br, &http.Request{Method: method}); err != nil {
			r.t.Fatalf("no answer to %.80q: %v", text, err)
		}
		if text != first {
			break
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			r.t.Fatalf("half an answer to %.80q: %v", text, err)
		}
	}
	return res
}

// get asks for a path with further header lines.
func (r *rig) get(host, path string, lines ...string) *http.Response {
	r.t.Helper()
	return r.do("GET", host, path, lines...)
}

func (r *rig) do(method, host, path string, lines ...string) *http.Response {
	r.t.Helper()
	text := method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\n"
	for _, l := range lines {
		text += l + "\r\n"
	}
	return r.raw(text + "\r\n")
}

func text(res *http.Response) string {
	b, _ := io.ReadAll(res.Body)
	return string(b)
}

// enter walks the one-time link and returns the cookie's line.
func (r *rig) enter(a auth.Actor, slug string) string {
	r.t.Helper()
	secret := r.secret(a, slug)
	return "Cookie: " + auth.IDECookie(r.secure) + "=" + secret
}

func (r *rig) secret(a auth.Actor, slug string) string {
	r.t.Helper()
	v, _ := r.sessions.BySlug(slug)
	ticket, _, err := r.accounts.Ticket(r.t.Context(), a, v.ID, v.UserID)
	if err != nil {
		r.t.Fatal(err)
	}
	res := r.get(r.host(slug), "/.medforge/enter?ticket="+ticket)
	for _, c := range res.Cookies() {
		if c.Name == auth.IDECookie(r.secure) && res.StatusCode == http.StatusSeeOther {
			return c.Value
		}
	}
	r.t.Fatalf("no cookie: %d %s", res.StatusCode, text(res))
	return ""
}
