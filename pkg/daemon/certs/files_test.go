package certs

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/testkit/tlstest"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

var names = []string{"medforge.example.test", "*.medforge.example.test"}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// replace writes a file anew, as what renews certificates does: nobody reads half
// of it.
func replace(t *testing.T, path string, b []byte) {
	t.Helper()
	write(t, path+".new", b)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// greeted reports whether a handshake for a host ends well with the pool.
func greeted(address, host string, pool *x509.CertPool) bool {
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", address, &tls.Config{RootCAs: pool, ServerName: host})
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// TestFilesAreReadAnew: a renewed pair is served without a restart; what cannot
// be used is said, once, and the old pair stays.
func TestFilesAreReadAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "chain.pem"), filepath.Join(dir, "key.pem")
	oldCert, oldKey, oldPool := tlstest.Pair(t, names...)
	write(t, cert, oldCert)
	write(t, key, oldKey)
	var log watch.Output
	f, err := OpenFiles(cert, key, names, slog.New(slog.NewJSONHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.NotFoundHandler()}
	go srv.Serve(tls.NewListener(l, Config(f.Certificate, tls.VersionTLS12)))
	t.Cleanup(func() { srv.Close() })
	go f.watch(t.Context(), time.Millisecond)

	address := l.Addr().String()
	for _, host := range []string{"medforge.example.test", "api.medforge.example.test", "s-abcd2345.medforge.example.test"} {
		if !greeted(address, host, oldPool) {
			t.Errorf("%s is not greeted", host)
		}
	}
	// Half of a renewal: the new certificate with the old key.
	newCert, newKey, newPool := tlstest.Pair(t, names...)
	replace(t, cert, newCert)
	watch.Until(t, "the mismatch is said", func() bool { return strings.Contains(log.String(), "the old one stays") })
	if !greeted(address, names[0], oldPool) {
		t.Error("the old certificate is gone")
	}
	replace(t, key, newKey)
	watch.Until(t, "the new pair is served", func() bool { return greeted(address, names[0], newPool) })

	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	watch.Until(t, "the missing file is said", func() bool { return strings.Count(log.String(), "the old one stays") == 2 })
	if !greeted(address, names[0], newPool) {
		t.Error("the served certificate went with its file")
	}
	if n := strings.Count(log.String(), "a new certificate is served"); n != 1 {
		t.Errorf("%d new certificates: %s", n, log.String())
	}
}

func TestFilesThatCannotBeServed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "chain.pem"), filepath.Join(dir, "key.pem")
	_, err := OpenFiles(cert, key, names, slog.New(slog.DiscardHandler))
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), cert) {
		t.Errorf("no files: %v", err)
	}
	one, _, _ := tlstest.Pair(t, names...)
	_, other, _ := tlstest.Pair(t, names...)
	write(t, cert, one)
	write(t, key, other)
	if _, err := OpenFiles(cert, key, names, slog.New(slog.DiscardHandler)); !fault.Is(err, fault.Invalid) {
		t.Errorf("another's key: %v", err)
	}
}

// TestWhatIsNotCovered: it is served, and said.
func TestWhatIsNotCovered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "chain.pem"), filepath.Join(dir, "key.pem")
	c, k, _ := tlstest.Pair(t, "medforge.example.test")
	write(t, cert, c)
	write(t, key, k)
	var log watch.Output
	if _, err := OpenFiles(cert, key, names, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); strings.Count(got, "does not cover") != 1 || !strings.Contains(got, "does not cover *.medforge.example.test") {
		t.Errorf("%s", got)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	c, k, pool := tlstest.Pair(t, names...)
	pair, err := tls.X509KeyPair(c, k)
	if err != nil {
		t.Fatal(err)
	}
	get := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }
	for _, tt := range []struct {
		minimum, asked uint16
		well           bool
	}{
		{tls.VersionTLS12, tls.VersionTLS11, false}, {tls.VersionTLS12, tls.VersionTLS12, true},
		{tls.VersionTLS13, tls.VersionTLS12, false}, {tls.VersionTLS13, tls.VersionTLS13, true},
	} {
		server, client := net.Pipe()
		go tls.Server(server, Config(get, tt.minimum)).Handshake()
		c := tls.Client(client, &tls.Config{RootCAs: pool, ServerName: names[0], MinVersion: tls.VersionTLS10, MaxVersion: tt.asked})
		_ = client.SetDeadline(time.Now().Add(20 * time.Second))
		if err := c.Handshake(); (err == nil) != tt.well {
			t.Errorf("%s where at least %s is wanted: %v", tls.VersionName(tt.asked), tls.VersionName(tt.minimum), err)
		}
		server.Close()
		client.Close()
	}
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	h := Redirect(func(host string) (string, bool) {
		return "https://medforge.example.test:8443", host == "medforge.example.test"
	})
	for _, tt := range []struct {
		method, target, host string
		status               int
		to                   string
	}{
		{"GET", "/", "medforge.example.test", 308, "https://medforge.example.test:8443/"},
		{"POST", "/api/v1/sessions?a=b%2Fc", "medforge.example.test", 308, "https://medforge.example.test:8443/api/v1/sessions?a=b%2Fc"},
		{"GET", "//evil.example/x", "medforge.example.test", 308, "https://medforge.example.test:8443//evil.example/x"},
		{"GET", "http://medforge.example.test/p", "medforge.example.test", 308, "https://medforge.example.test:8443/p"},
		{"GET", "/", "evil.example", 421, ""},
		{"OPTIONS", "*", "medforge.example.test", 421, ""},
	} {
		r := httptest.NewRequest(tt.method, tt.target, nil)
		r.Host = tt.host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || w.Header().Get("Location") != tt.to {
			t.Errorf("%s %s at %s: %d %q", tt.method, tt.target, tt.host, w.Code, w.Header().Get("Location"))
		}
	}
}
