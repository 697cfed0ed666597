package httpapi_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/httpapi"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
	"github.com/medforge/medforge/pkg/proxy"
	"github.com/medforge/medforge/pkg/testkit/nettest"
	"github.com/medforge/medforge/pkg/testkit/promised"
	"github.com/medforge/medforge/pkg/testkit/tlstest"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// front is a proxy of the operator's before MedForge.
type front struct {
	*house
	ide       *byteRecorder
	addr      string // of the proxy
	transport *http.Transport
}

// visitor is where the test's browser comes from; the proxies are on 127.0.0.1.
const visitor = "127.0.0.9"

// openFront starts MedForge on a listener of its own, and a program from Debian
// before it. run gets where MedForge listens and where the program is to.
func openFront(t *testing.T, program string, run func(t *testing.T, f *front, listen, cert, key string) *exec.Cmd) *front {
	t.Helper()
	path := promised.Program(t, program)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{addr: freeAddress(t)}
	trusted := proxy.Trusted{netip.MustParsePrefix("127.0.0.1/32")}
	f.house = openHouse(t, httpapitest.Options{Edit: func(o *httpapi.Options) {
		o.SessionProxy.Upstream, o.TrustedProxy, o.ClientAddr = l.Addr().String(), trusted.Sent, trusted.ClientAddr
	}})
	f.proxy = proxy.New(proxy.Options{Hosts: proxy.Hosts{Domain: "example.org", Secure: true}, Sessions: f.house, Dialer: f.house, Keys: f.Accounts,
		Main: f.API.Public(), API: f.API.PublicAPI(), OpenPath: api.PathOpen, SignInPath: api.PathSignIn, ClientAddr: trusted.ClientAddr})
	f.serveRecorded(t)
	srv := &http.Server{Handler: f.proxy}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })

	cert, key, pool := tlstest.Pair(t, "medforge.example.org", "*.medforge.example.org")
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "chain.pem"), filepath.Join(dir, "key.pem")
	for name, b := range map[string][]byte{certFile: cert, keyFile: key} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := run(t, f, l.Addr().String(), certFile, keyFile)
	cmd.Path = path
	f.start(t, cmd, pool)
	return f
}

func freeAddress(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", nettest.FreePort(t))
}

func (f *front) start(t *testing.T, cmd *exec.Cmd, pool *x509.CertPool) {
	t.Helper()
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-ended
		if t.Failed() {
			t.Logf("%s said: %s", cmd.Path, said.String())
		}
	})
	f.transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DialContext: f.dial}
	t.Cleanup(f.transport.CloseIdleConnections)
	watch.Succeeds(t, cmd.Path+" listens", func() error {
		select {
		case <-ended:
			t.Fatalf("%s ended: %s", cmd.Path, said.String())
		default:
		}
		c, err := f.dial(t.Context(), "", "")
		if err == nil {
			c.Close()
		}
		return err
	})
}

func (f *front) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(visitor)}, Timeout: 10 * time.Second}
	return d.DialContext(ctx, "tcp", f.addr)
}

// serveRecorded serves an IDE that echoes and keeps what it gets.
func (f *front) serveRecorded(t *testing.T) {
	t.Helper()
	f.dir = t.TempDir()
	l, err := net.Listen("unix", filepath.Join(f.dir, "ide.sock"))
	if err != nil {
		t.Fatal(err)
	}
	f.ide = &byteRecorder{Listener: l}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %s for %s", ideAnswer, r.Method, body, r.Header.Get("X-Forwarded-For"))
			return
		}
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, b, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, b) != nil {
				return
			}
		}
	})}
	go func() { _ = srv.Serve(f.ide) }()
	t.Cleanup(func() { _ = srv.Close() })
}

// ask makes a request as a browser does and returns the answer with its body.
func (f *front) ask(t *testing.T, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	resp, err := f.transport.RoundTrip(q)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// TestForwardAuthTakesAnyQuery: some proxies ask with the visitor's query.
func TestForwardAuthTakesAnyQuery(t *testing.T) {
	t.Parallel()
	h := openHouse(t, httpapitest.Options{})
	header := append([]string{"X-Forwarded-Host", h.sessionHost}, h.cookies(t, h.alice, httpapitest.Alice.ID)...)
	if resp := do(t, h.public(), "GET", forwardAuth+"?y=1&y=2", "", header...); resp.StatusCode != 200 || resp.Header.Get("X-Upstream") == "" {
		t.Errorf("%d %s", resp.StatusCode, read(t, resp))
	}
}

func TestBehindNginx(t *testing.T) {
	t.Parallel()
	openFront(t, "nginx", func(t *testing.T, f *front, listen, cert, key string) *exec.Cmd {
		conf, err := os.ReadFile("../../contrib/nginx.conf")
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		site := strings.NewReplacer("127.0.0.1:8080", listen, "/etc/medforge/tls/chain.pem", cert, "/etc/medforge/tls/key.pem", key,
			"listen 443 ", "listen "+f.addr+" ", "listen 80;", "listen "+freeAddress(t)+";").Replace(string(conf))
		main := fmt.Sprintf("daemon off; user root; worker_processes 1; pid %[1]s/pid; error_log stderr;\nevents { worker_connections 512; }\n"+
			"http {\naccess_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;\n%[2]s\n}\n", dir, site)
		file := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(file, []byte(main), 0o600); err != nil {
			t.Fatal(err)
		}
		return exec.Command("nginx", "-p", dir, "-e", "stderr", "-c", file)
	}).try(t)
}

func TestBehindCaddy(t *testing.T) {
	t.Parallel()
	openFront(t, "caddy", func(t *testing.T, f *front, listen, cert, key string) *exec.Cmd {
		example, err := filepath.Abs("../../contrib/Caddyfile")
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		_, port, _ := net.SplitHostPort(f.addr)
		// Caddy tells the ports of redirects by https_port; the example's own has none.
		main := fmt.Sprintf("{\n\tadmin off\n\tgrace_period 1s\n\tauto_https disable_redirects\n\thttps_port %s\n\tdefault_bind 127.0.0.1\n}\nimport %s\n", port, example)
		file := filepath.Join(dir, "Caddyfile")
		if err := os.WriteFile(file, []byte(main), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("caddy", "run", "--adapter", "caddyfile", "--config", file)
		cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir, "MEDFORGE_DOMAIN=example.org",
			"MEDFORGE_LISTEN="+listen, "MEDFORGE_CERT="+cert, "MEDFORGE_KEY="+key)
		return cmd
	}).try(t)
}

// try is what must hold behind every proxy.
func (f *front) try(t *testing.T) {
	t.Helper()
	site, ide := "https://medforge.example.org", "https://"+f.sessionHost
	alice := f.cookies(t, f.alice, httpapitest.Alice.ID)
	bob := []string{"Authorization", "Bearer " + f.Token(t, httpapitest.Bob)}
	page := []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate"}
	for _, tt := range []struct {
		name, method, url, body string
		header                  []string
		status                  int
		want                    string // in the body, or in Location
	}{
		{"the API", "GET", site + "/healthz", "", nil, 200, `"ok"`},
		{"the API's host", "GET", "https://api.medforge.example.org/api/v1/me", "", bob, 200, "bob@example.org"},
		{"who is nobody", "GET", ide + "/x", "", nil, 401, "auth/not-signed-in"},
		{"a browser is sent to sign in", "GET", ide + "/x?y=1", "", page, 303, site + "/open?return="},
		{"the owner", "GET", ide + "/x", "", alice, 200, ideAnswer + " GET  for " + visitor},
		{"with a body", "POST", ide + "/x", "a body", append([]string{"Origin", ide, "Sec-Fetch-Site", "same-origin"}, alice...), 200, ideAnswer + " POST a body for " + visitor},
		{"a forged address", "GET", ide + "/x", "", append([]string{"X-Forwarded-For", "192.0.2.99"}, alice...), 200, "for " + visitor},
		{"another's session", "GET", ide + "/x", "", bob, 403, "sessions/not-yours"},
		{"no such session", "GET", "https://s-zzzzzz22.medforge.example.org/x", "", alice, 404, "sessions/not-running"},
		{"another site's page", "POST", ide + "/x", "", append([]string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, alice...), 403, "request/foreign-origin"},
		{"forward-auth from outside", "GET", site + forwardAuth, "", append([]string{"X-Forwarded-Host", f.sessionHost}, alice...), 404, ""},
		{"forward-auth on a session's host", "GET", ide + forwardAuth, "", alice, 403, "auth/not-on-a-session-host"},
		{"the question itself", "GET", ide + "/.medforge/may-go-on", "", alice, 404, ""},
		{"a forged host", "GET", site + "/api/v1/me", "", append([]string{"X-Forwarded-Host", f.sessionHost}, bob...), 200, "bob@example.org"},
	} {
		resp, body := f.ask(t, tt.method, tt.url, tt.body, tt.header...)
		if resp.StatusCode != tt.status || !strings.Contains(body+resp.Header.Get("Location"), tt.want) {
			t.Errorf("%s: %d %v %s", tt.name, resp.StatusCode, resp.Header, body)
		}
	}
	f.tryEntering(t, ide)
	f.tryWebSocket(t, ide, alice)
	f.tryEvents(t, site, bob)
	for name, secret := range map[string]string{"a cookie": "medforge_", "a token": "mf_", "a ticket": "ticket=", "the sign-in": f.alice.Secret} {
		if strings.Contains(f.ide.text(), secret) {
			t.Errorf("the IDE got %s", name)
		}
	}
}

// tryEntering walks the one-time link.
func (f *front) tryEntering(t *testing.T, ide string) {
	t.Helper()
	ticket, _, err := f.Accounts.Ticket(t.Context(), f.alice.Actor, row("aaaaaa22", "").ID, httpapitest.Alice.ID)
	if err != nil {
		t.Fatal(err)
	}
	resp, _ := f.ask(t, "GET", ide+"/.medforge/enter?ticket="+ticket, "")
	if len(resp.Cookies()) != 1 || resp.StatusCode != 303 {
		t.Fatalf("the link: %d %v", resp.StatusCode, resp.Header)
	}
	c := resp.Cookies()[0]
	if _, body := f.ask(t, "GET", ide+"/in", "", "Cookie", c.Name+"="+c.Value); !strings.HasPrefix(body, ideAnswer) {
		t.Errorf("the link's cookie opens %s", body)
	}
}

func (f *front) tryWebSocket(t *testing.T, ide string, cookie []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	dial := func(origin string) (*websocket.Conn, *http.Response, error) {
		return websocket.Dial(ctx, "wss"+strings.TrimPrefix(ide, "https")+"/ws", &websocket.DialOptions{
			HTTPClient: &http.Client{Transport: f.transport}, HTTPHeader: http.Header{"Origin": {origin}, cookie[0]: {cookie[1]}}})
	}
	if _, resp, err := dial("https://evil.example"); err == nil || resp == nil || resp.StatusCode != 403 {
		t.Errorf("a WebSocket from another site: %v %v", resp, err)
	}
	c, _, err := dial(ide)
	if err != nil {
		t.Fatalf("the WebSocket: %v", err)
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, []byte("through and back")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := c.Read(ctx); err != nil || string(got) != "through and back" {
		t.Errorf("%q came back: %v", got, err)
	}
}

// tryEvents sees that a stream comes through as it is written.
func (f *front) tryEvents(t *testing.T, site string, header []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, "GET", site+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set(header[0], header[1])
	resp, err := f.transport.RoundTrip(q)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, len("retry:"))
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "retry:" {
		t.Errorf("the stream begins with %q: %v", first, err)
	}
}
