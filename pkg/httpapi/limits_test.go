package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/httpapi"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// slow is a host on which an import, or a start, takes as long as the test says.
type slow struct {
	httpapi.Sessions
	entered chan struct{}
	release chan struct{}
}

func (s slow) ImportPack(context.Context, auth.Actor, io.Reader) (session.Pack, error) {
	s.entered <- struct{}{}
	<-s.release
	return session.Pack{}, nil
}

func (s slow) Start(ctx context.Context, _ auth.Actor, _ session.StartRequest) (session.Session, error) {
	<-ctx.Done()
	return session.Session{}, fmt.Errorf("claiming: %w", ctx.Err())
}

// TestUploadsHavePlaces: one too many is told when to come back, before its
// body is read, and there is a place again when one has ended.
func TestUploadsHavePlaces(t *testing.T) {
	t.Parallel()
	s := slow{entered: make(chan struct{}, 9), release: make(chan struct{})}
	h := start(t, httpapitest.Options{Edit: func(o *httpapi.Options) { s.Sessions, o.Sessions, o.MaxUploads = o.Sessions, s, 2 }})
	client := overSocket(t, h)
	send := func() *http.Response {
		resp, err := client.Post("http://medforge/api/v1/admin/packs", "application/x-tar", strings.NewReader("oci:"))
		if err != nil {
			t.Error(err)
			return &http.Response{Body: http.NoBody}
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	ended := make(chan int, 2)
	for range 2 {
		go func() { ended <- send().StatusCode }()
		<-s.entered
	}
	resp := send()
	wantProblem(t, resp, 429, "request/too-many-uploads")
	if resp.Header.Get("Retry-After") != "5" {
		t.Errorf("Retry-After %q", resp.Header.Get("Retry-After"))
	}
	close(s.release)
	for range 2 {
		if status := <-ended; status == 429 {
			t.Error("an upload that had its place lost it")
		}
	}
	if resp := send(); resp.StatusCode == 429 {
		t.Error("the places are not given back")
	}
}

func TestWhatTakesTooLongIsGivenUp(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{Edit: func(o *httpapi.Options) {
		o.Sessions, o.RequestTimeout = slow{Sessions: o.Sessions}, 200*time.Millisecond
	}})
	resp, err := overSocket(t, h).Post("http://medforge/api/v1/sessions", "application/json", strings.NewReader(`{"tier":"public"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	wantProblem(t, resp, 504, "request/took-too-long")
}

// importing is an import of a dataset that takes longer than requests may.
type importing struct {
	httpapi.Competitions
	long time.Duration
}

func (i importing) Import(ctx context.Context, _ auth.Actor, slug, _ string, _ bool) (competition.Dataset, error) {
	select {
	case <-ctx.Done():
		return competition.Dataset{}, ctx.Err()
	case <-time.After(i.long):
		return competition.Dataset{Slug: slug}, nil
	}
}

// TestLongRoutesAreNotCutShort: neither by the time of a request nor by that of
// its body.
func TestLongRoutesAreNotCutShort(t *testing.T) {
	t.Parallel()
	const timeout = 300 * time.Millisecond
	h := start(t, httpapitest.Options{Competitions: true, Edit: func(o *httpapi.Options) {
		o.Competitions, o.RequestTimeout = importing{o.Competitions, 4 * timeout}, timeout
	}})
	resp, err := overSocket(t, h).Post("http://medforge/api/v1/admin/datasets/titanic/import", "application/json",
		strings.NewReader(`{"sha256":"`+strings.Repeat("0", 64)+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b := read(t, resp); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, b)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{Edit: func(o *httpapi.Options) { o.MaxBody = 4 << 10 }})
	wantProblem(t, do(t, h.API.Public(), "POST", "/api/v1/auth/login", `{"email":"`+strings.Repeat("x", 4<<10)+`"}`), 413, "request/too-large")
}

// TestWhereCompressionPays: long lists and the document are smaller on their
// way; short answers and streams are as they were.
func TestWhereCompressionPays(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) // meta's timestamp has as many digits as it needs
	h := start(t, httpapitest.Options{GPUs: 64, Now: func() time.Time { return at }})
	token := "Bearer " + h.Token(t, httpapitest.Alice)
	for path, want := range map[string]string{"/api/v1/gpus": "gzip", "/api/v1/openapi.json": "gzip", "/api/v1/me": "", "/api/v1/sessions": "", "/healthz": ""} {
		plain := do(t, h.API.Public(), "GET", path, "", "Authorization", token)
		resp := do(t, h.API.Public(), "GET", path, "", "Authorization", token, "Accept-Encoding", "gzip, zstd")
		if resp.Header.Get("Content-Encoding") != want || plain.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %q, and %q unasked", path, resp.Header.Get("Content-Encoding"), plain.Header.Get("Content-Encoding"))
			continue
		}
		if want == "" {
			continue
		}
		packed, whole := read(t, resp), read(t, plain)
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(z)
		if err != nil || len(got) != len(whole) || len(packed)*3 > len(whole) {
			t.Errorf("%s: %d bytes became %d of %d: %v", path, len(whole), len(packed), len(got), err)
		}
		if !strings.Contains(resp.Header.Get("Vary"), "Accept-Encoding") {
			t.Errorf("%s: Vary %q", path, resp.Header.Get("Vary"))
		}
	}
	req, err := http.NewRequest("GET", "http://medforge/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := overSocket(t, h).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "retry" || resp.Header.Get("Content-Encoding") != "" {
		t.Errorf("%q %v %v", first, err, resp.Header)
	}
}

// TestWhoDoesNotReadIsLetGo: somebody who asks again and again and reads nothing
// does not hold the daemon: the connection is ended.
func TestWhoDoesNotReadIsLetGo(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{
		Edit: func(o *httpapi.Options) {
			o.RequestTimeout, o.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
		}})
	c, err := net.Dial("unix", h.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, strings.Repeat("GET /api/v1/openapi.json HTTP/1.1\r\nHost: medforge\r\n\r\n", 100)); err != nil {
		t.Fatal(err)
	}
	watch.Until(t, "the connection is closed", func() bool {
		_ = c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		_, err := io.WriteString(c, "\r\n")
		return err != nil && !os.IsTimeout(err)
	})
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	for _, path := range []string{"/api/v1/me", "/healthz", "/nowhere", "/api/v1/openapi.json"} {
		resp := do(t, h.API.Public(), "GET", path, "")
		for name, want := range map[string]string{"X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin",
			"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
}
