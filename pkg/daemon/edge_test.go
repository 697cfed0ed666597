package daemon

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/config"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/testkit/tlstest"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// edge is a whole daemon whose containerd is away: enough for all that
// strangers meet.
type edge struct {
	t      *testing.T
	daemon *Daemon
	pool   *x509.CertPool
	log    *watch.Output
	end    func() // asks it to end
	ended  chan error
}

// headTime is for tests that are not about who is slow.
const headTime = "1m"

// startEdge starts one that waits so long for the head of a request, and as
// long for a handshake.
func startEdge(t *testing.T, headTime string) *edge {
	t.Helper()
	dir, err := os.MkdirTemp("", "mfe") // a unix socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cert, key, pool := tlstest.Pair(t, "medforge.localhost", "*.medforge.localhost")
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := file("medforged.toml", fmt.Appendf(nil, `
data_dir = "%[1]s/data"
run_dir = "%[1]s/run"
socket = "%[1]s/s"
socket_group = ""
[http]
listen = "127.0.0.1:0"
external = "https:8443"
tls_cert = "%[2]s"
tls_key = "%[3]s"
redirect_listen = "127.0.0.2:0"
read_header_timeout = "%[4]s"
max_header = "8K"
[containerd]
address = "%[1]s/containerd"
[workspace]
driver = "dir"
[gpu]
driver = "simulated"
[metrics]
listen = "127.0.0.3:0"
`, dir, file("chain.pem", cert), file("key.pem", key), headTime))
	c, err := config.Load(config.Options{Path: path, Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	e := &edge{t: t, pool: pool, log: &watch.Output{}, ended: make(chan error, 1)}
	e.daemon, err = Open(t.Context(), c, Options{Version: "1.2.3", Stdout: io.Discard, Logger: slog.New(slog.NewJSONHandler(e.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.end = cancel
	go func() { e.ended <- e.daemon.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-e.ended; err != nil {
			t.Errorf("the daemon ended with %v", err)
		}
	})
	return e
}

// client dials a listener whatever the URL's host is.
func (e *edge) client(l net.Listener) *http.Client {
	tr := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: e.pool},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, l.Addr().Network(), l.Addr().String())
		}}
	e.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (e *edge) get(l net.Listener, url string) (*http.Response, string) {
	e.t.Helper()
	res, err := e.client(l).Get(url)
	if err != nil {
		e.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return res, string(b)
}

func TestEdge(t *testing.T) {
	t.Parallel()
	e := startEdge(t, headTime)
	d := e.daemon

	res, _ := e.get(d.public, "https://medforge.localhost/api/v1/openapi.json")
	id := res.Header.Get("X-Request-Id")
	if res.StatusCode != 200 || res.ProtoMajor != 2 || len(id) != 16 ||
		res.Header.Get("Strict-Transport-Security") != "max-age=31536000; includeSubDomains" {
		t.Errorf("%s %d %v", res.Proto, res.StatusCode, res.Header)
	}
	if res, body := e.get(d.public, "https://s-abcd2345.medforge.localhost/"); !strings.Contains(body, `"request_id":"`+res.Header.Get("X-Request-Id")+`"`) {
		t.Errorf("a session's host does not name the request: %s", body)
	}
	if res, _ = e.get(d.public, "https://s-abcd2345.medforge.localhost/.medforge/enter?ticket=hunter2"); res.Header.Get("Strict-Transport-Security") == "" {
		t.Error("a session's host lacks Strict-Transport-Security")
	}
	for url, to := range map[string]string{
		"http://medforge.localhost/open?return=x":    "https://medforge.localhost:8443/open?return=x",
		"http://api.medforge.localhost:80/api/v1/me": "https://api.medforge.localhost:8443/api/v1/me",
		"http://s-abcd2345.medforge.localhost/a/b":   "https://s-abcd2345.medforge.localhost:8443/a/b",
		"http://evil.example/":                       "",
	} {
		if res, _ = e.get(d.redirect, url); res.Header.Get("Location") != to || (res.StatusCode == 308) != (to != "") {
			t.Errorf("%s: %d to %q", url, res.StatusCode, res.Header.Get("Location"))
		}
		if res.Header.Get("Strict-Transport-Security") != "" {
			t.Error("plain HTTP says Strict-Transport-Security") // RFC 6797, 7.2
		}
	}
	for name, l := range map[string]net.Listener{"http://medforge": d.socket, "http://127.0.0.1": d.metricsListener} {
		for _, want := range []string{`medforge_sessions{state="running"} 0`, `medforge_gpu_status{gpu="6",status="free"} 1`,
			`medforge_http_requests_total{listener="public",route="GET /api/v1/openapi.json",status="200"} 1`,
			"medforge_tls_certificate_not_after_seconds ", `medforge_events_total{type="daemon.ready"} 1`, `version="1.2.3"`} {
			// It may serve a moment before it says that it is ready.
			watch.Until(t, want+" at "+name, func() bool { _, got := e.get(l, name+"/metrics"); return strings.Contains(got, want) })
		}
	}
	if res, _ = e.get(d.public, "https://medforge.localhost/metrics"); res.StatusCode != 404 {
		t.Errorf("strangers get the metrics: %d", res.StatusCode)
	}
	if res, _ = e.get(d.metricsListener, "http://127.0.0.1/api/v1/me"); res.StatusCode != 404 {
		t.Errorf("the metrics' listener has the API: %d", res.StatusCode)
	}
	if log := e.log.String(); !strings.Contains(log, `"request_id":"`+id+`"`) || strings.Contains(log, "hunter2") {
		t.Errorf("%s", log)
	}
}

// dial makes a TLS connection to where strangers come in.
func (e *edge) dial() (*tls.Conn, error) {
	c, err := tls.Dial("tcp", e.daemon.public.Addr().String(), &tls.Config{RootCAs: e.pool, ServerName: "medforge.localhost"})
	if err != nil {
		return nil, err
	}
	e.t.Cleanup(func() { c.Close() })
	return c, c.SetDeadline(time.Now().Add(time.Minute))
}

// TestOversized: whoever sends too much of a head is told so and let go.
func TestOversized(t *testing.T) {
	t.Parallel()
	big, err := startEdge(t, headTime).dial()
	if err != nil {
		t.Fatal(err)
	}
	go fmt.Fprintf(big, "GET / HTTP/1.1\r\nHost: medforge.localhost\r\nX: %s\r\n\r\n", strings.Repeat("x", 64<<10))
	if res, err := http.ReadResponse(bufio.NewReader(big), nil); err != nil || res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("an oversized head: %v, %v", res, err)
	}
}

// TestSlow: whoever sends half a head or nothing at all is let go, and holds
// nobody up.
func TestSlow(t *testing.T) {
	t.Parallel()
	e := startEdge(t, "1s")
	var slow net.Conn
	watch.Succeeds(t, "a handshake within its second", func() (err error) { slow, err = e.dial(); return err })
	fmt.Fprint(slow, "GET / HTTP/1.1\r\nHost: medforge.localhost\r\nX-Never-Ends: ")
	plain, err := net.Dial("tcp", e.daemon.public.Addr().String()) // and no handshake
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	_ = plain.SetDeadline(time.Now().Add(time.Minute))
	for name, c := range map[string]net.Conn{"half a head": slow, "no handshake": plain} {
		if _, err := io.ReadAll(c); os.IsTimeout(err) {
			t.Errorf("%s: it is never let go", name)
		}
	}
}

// TestEndingLetsUploadsEnd: what is on its way when the daemon is asked to end
// is taken, answered and kept.
func TestEndingLetsUploadsEnd(t *testing.T) {
	t.Parallel()
	e := startEdge(t, headTime)
	content := bytes.Repeat([]byte("medical images "), 1<<16)
	sum := sha256.Sum256(content)
	body, feed := io.Pipe()
	q, err := http.NewRequest("POST", "http://medforge/api/v1/admin/uploads/"+hex.EncodeToString(sum[:])+"?offset=0", body)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/octet-stream")
	answered := make(chan string, 1)
	go func() {
		res, err := e.client(e.daemon.socket).Do(q)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		answered <- fmt.Sprint(res.StatusCode, " ", string(b), err)
	}()
	half := len(content) / 2
	if _, err := feed.Write(content[:half]); err != nil {
		t.Fatal(err)
	}
	e.end()
	watch.Until(t, "nobody is let in any more: it is ending", func() bool {
		c, err := net.Dial("tcp", e.daemon.public.Addr().String())
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	if _, err := feed.Write(content[half:]); err != nil {
		t.Fatal(err)
	}
	feed.Close()
	if got := <-answered; !strings.HasPrefix(got, "200 ") || !strings.Contains(got, fmt.Sprint(len(content))) {
		t.Errorf("the upload was answered %s", got)
	}
}

// until is a certificate that expires then.
type until time.Time

func (u until) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }
func (u until) NotAfter() time.Time                                        { return time.Time(u) }
func (u until) Run(context.Context)                                        {}

func TestDoctorLooksAtTheCertificate(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, tt := range []struct {
		end  time.Time
		code string
	}{
		{time.Time{}, "daemon/no-certificate"}, {now.Add(-time.Hour), "daemon/certificate-expires"},
		{now.Add(renewBefore - time.Hour), "daemon/certificate-expires"}, {now.Add(renewBefore + time.Hour), ""},
	} {
		if said, err := certificateState(until(tt.end), now); fault.CodeOf(err) != tt.code || (err == nil) != (said != "") {
			t.Errorf("until %s: %q, %v", tt.end, said, err)
		}
	}
}
