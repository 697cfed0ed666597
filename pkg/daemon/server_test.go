package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/proxy"
)

// held is a listener that outlives its servers, as systemd holds the daemon's.
type held struct {
	net.Listener
	network, address string
}

func hold(t *testing.T, network string) held {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return held{l, network, l.Addr().String()}
}

// copy is the listener as the next process gets it.
func (h held) copy(t *testing.T) net.Listener {
	t.Helper()
	f, err := h.Listener.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	return l
}

func (h held) client(t *testing.T, keepAlive bool) *http.Client {
	tr := &http.Transport{DisableKeepAlives: !keepAlive, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, h.network, h.address)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

// TestRestartDropsNothing restarts a server under callers: each is answered,
// and nothing is done twice. Over TCP a POST has a connection of its own: on one
// that was idle nobody can know whether it was read.
func TestRestartDropsNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		network, method  string
		keepAlive, quick bool
	}{
		{"unix", "POST", false, false}, {"unix", "POST", true, false},
		{"tcp", "POST", false, false}, {"tcp", "GET", true, false},
		{"tcp", "POST", false, true}, {"tcp", "GET", true, true},
	} {
		t.Run(fmt.Sprint(tt.network, tt.method, tt.keepAlive, tt.quick), func(t *testing.T) {
			t.Parallel()
			h := hold(t, tt.network)
			var handled, answered atomic.Int64
			ctx, end := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			defer wg.Wait()
			defer end()
			for range 8 {
				client := h.client(t, tt.keepAlive)
				wg.Go(func() {
					for ctx.Err() == nil {
						if err := ask(client, tt.method); err != nil {
							t.Error(err)
							end()
							return
						}
						answered.Add(1)
					}
				})
			}
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				handled.Add(1)
				_, _ = io.Copy(w, r.Body)
			})
			next := func() *server {
				s := newServer(&http.Server{Handler: handler}, h.copy(t))
				if tt.quick {
					s.listener = proxy.Quick(s.http, s.listener, everything)
				}
				return s
			}
			for range 30 {
				before := answered.Load()
				restart(t, next(), func() bool {
					return answered.Load() >= before+40 || ctx.Err() != nil
				})
			}
			end()
			// Those who still wait get their answer.
			restart(t, next(), func() bool { wg.Wait(); return true })
			// net/http may drop a GET that it answers on a connection that was idle.
			if got, want := handled.Load(), answered.Load(); got != want && (tt.method == "POST" || tt.quick) {
				t.Errorf("%d requests were handled and %d answered", got, want)
			}
		})
	}
}

func everything(*http.Request) bool { return true }

func ask(client *http.Client, method string) error {
	req, err := http.NewRequest(method, "http://medforge/", strings.NewReader("body"))
	if err != nil {
		return err
	}
	if method == "GET" {
		req.Body, req.ContentLength = nil, 0
	}
	res, err := client.Do(req)
	var closed *url.Error
	if errors.As(err, &closed) && closed.Err.Error() == "http: server closed idle connection" {
		// Nothing of it was written; net/http does not repeat a POST all the
		// same. MedForge's client does as this test.
		return ask(client, method)
	}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// restart serves until enough holds, and ends the server.
func restart(t *testing.T, s *server, enough func() bool) {
	t.Helper()
	failed := make(chan error, 1)
	go func() { failed <- s.serve() }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !enough() {
		<-tick.C
	}
	if err := s.shutdown(t.Context()); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if err := <-failed; err != nil {
		t.Errorf("serve: %v", err)
	}
}

// TestShutdownAnswersWhatRuns: a request that runs gets its answer, one that was
// accepted and comes late is read and answered, and both are told to come back
// on another connection.
func TestShutdownAnswersWhatRuns(t *testing.T) {
	t.Parallel()
	t.Run("unix", func(t *testing.T) { t.Parallel(); shutdownAnswers(t, "unix") })
	t.Run("quick", func(t *testing.T) { t.Parallel(); shutdownAnswers(t, "tcp") })
}

func shutdownAnswers(t *testing.T, network string) {
	h := hold(t, network)
	running, release := make(chan struct{}), make(chan struct{})
	s := newServer(&http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(running)
			<-release
		}
		fmt.Fprint(w, "done")
	})}, h.copy(t))
	s.listener = proxy.Quick(s.http, s.listener, everything)
	go s.serve()
	late, err := net.Dial(network, h.address)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	client := h.client(t, true)
	slow := make(chan error, 1)
	go func() {
		res, err := client.Get("http://medforge/slow")
		if err == nil {
			defer res.Body.Close()
			if body, _ := io.ReadAll(res.Body); string(body) != "done" {
				err = fmt.Errorf("the answer is %q", body)
			}
		}
		slow <- err
	}()
	<-running
	ended := make(chan error, 1)
	go func() { ended <- s.shutdown(t.Context()) }()
	<-s.left
	if _, err := io.WriteString(late, "GET / HTTP/1.1\r\nHost: medforge\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(late)
	if err != nil || !strings.Contains(string(raw), "Connection: close") || !strings.HasSuffix(string(raw), "done") {
		t.Errorf("a late request: %q, %v", raw, err)
	}
	close(release)
	if err := <-slow; err != nil {
		t.Errorf("a running request: %v", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestShutdownIsBounded cuts what never ends.
func TestShutdownIsBounded(t *testing.T) {
	t.Parallel()
	h := hold(t, "unix")
	running := make(chan struct{})
	s := newServer(&http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(running)
		<-r.Context().Done()
	})}, h.copy(t))
	go s.serve()
	cut := make(chan error, 1)
	go func() { cut <- ask(h.client(t, false), "GET") }()
	<-running
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := <-cut; err == nil {
		t.Error("a request without end was answered")
	}
}
