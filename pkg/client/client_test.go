package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/client"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
	"github.com/medforge/medforge/pkg/session"
)

func dial(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestASessionsLife(t *testing.T) {
	t.Parallel()
	h := httpapitest.Start(t, httpapitest.Options{GPUs: 1})
	c, ctx := dial(t, client.Options{Socket: h.Socket}), within(t)
	events, err := c.Events(ctx, client.EventOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	s, err := c.StartSession(ctx, api.SessionCreate{})
	if err != nil || s.Status != api.SessionStarting {
		t.Fatalf("%+v, %v", s, err)
	}
	until := func(want string) api.Event {
		t.Helper()
		for {
			e, err := events.Next()
			if err != nil {
				t.Fatal(err)
			}
			if e.Type == want {
				return e
			}
		}
	}
	if e := until(api.EventSessionRunning); e.SessionID != s.ID {
		t.Errorf("%+v", e)
	}
	if _, err := c.StartSession(ctx, api.SessionCreate{}); fault.KindOf(err) != fault.LimitReached || fault.CodeOf(err) != "sessions/no-gpu-available" {
		t.Errorf("a second start: %v", err)
	}
	if cur, err := c.CurrentSession(ctx); err != nil || cur == nil || cur.ID != s.ID {
		t.Errorf("current %v, %v", cur, err)
	}
	if l, err := c.OpenSession(ctx, s.Slug); err != nil || l.URL == "" {
		t.Errorf("link %v, %v", l, err)
	}
	if u, err := c.SessionUsage(ctx, s.Slug); err != nil || u.QuotaBytes == 0 {
		t.Errorf("usage %v, %v", u, err)
	}
	if asked, err := c.StopSession(ctx, s.Slug); err != nil || !asked {
		t.Errorf("stop %v, %v", asked, err)
	}
	until(api.EventSessionStop)
	if asked, err := c.StopSession(ctx, s.ID); err != nil || asked {
		t.Errorf("second stop %v, %v", asked, err)
	}
	if n, err := c.Snapshots(ctx, s.Slug); err != nil || len(n) != 1 {
		t.Errorf("snapshots %v, %v", n, err)
	}
	if cur, err := c.CurrentSession(ctx); err != nil || cur != nil {
		t.Errorf("current %v, %v", cur, err)
	}
}

func TestListsGoThroughAllPages(t *testing.T) {
	t.Parallel()
	h := httpapitest.Start(t, httpapitest.Options{})
	for i := range 1203 {
		h.Service.Add(session.Session{ID: "id-" + time.Duration(i).String(), UserID: httpapitest.Admin.ID, Slug: "s", Status: session.Stopped}, "")
	}
	n := 0
	for _, err := range dial(t, client.Options{Socket: h.Socket}).Sessions(within(t), true) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 1203 {
		t.Errorf("%d rows", n)
	}
}

func TestEveryKindComesThrough(t *testing.T) {
	t.Parallel()
	for _, want := range []*fault.Error{
		fault.New(fault.Busy, "a/b", "busy"), fault.New(fault.Exists, "a/b", "there"), fault.New(fault.OutOfSpace, "a/b", "full"),
		fault.New(fault.TooMany, "a/b", "wait").After(4 * time.Second), fault.New(fault.Conflict, "a/b", "no"),
		fault.New(fault.Invalid, "a/b", "bad").With(fault.Field{Loc: "row 2", Msg: "m", Type: "t"}, fault.Field{Loc: "row 3", Msg: "m", Type: "t"}),
	} {
		h := httpapitest.Start(t, httpapitest.Options{})
		h.Service.Set(func(s *httpapitest.Settings) { s.Err = want })
		_, err := dial(t, client.Options{Socket: h.Socket}).GPUs(within(t))
		got := fault.As(err)
		if got == nil || got.Kind != want.Kind || got.Code != want.Code || got.Message != want.Message || len(got.Fields) != len(want.Fields) || got.RetryAfter != want.RetryAfter {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestAnUnreachableDaemon(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dead := filepath.Join(dir, "dead.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close() // the socket stays, and nobody listens on it
	silent, err := net.Listen("unix", filepath.Join(dir, "silent.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, c := range []struct {
		name string
		o    client.Options
		kind fault.Kind
		code string
		says string
	}{
		{"no socket", client.Options{Socket: filepath.Join(dir, "none.sock")}, fault.Unavailable, client.CodeUnreachable, "systemctl start medforged"},
		{"nobody listens", client.Options{Socket: dead}, fault.Unavailable, client.CodeUnreachable, "systemctl start medforged"},
		{"nobody answers", client.Options{Socket: silent.Addr().String(), Timeout: 50 * time.Millisecond}, fault.Timeout, client.CodeTimeout, "in time"},
		{"no such host", client.Options{Server: "https://nowhere.invalid"}, fault.Unavailable, client.CodeUnreachable, "https://nowhere.invalid"},
		{"nothing on the port", client.Options{Server: "http://127.0.0.1:1"}, fault.Unavailable, client.CodeUnreachable, "refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := dial(t, c.o).Me(within(t))
			if fault.KindOf(err) != c.kind || fault.CodeOf(err) != c.code || !strings.Contains(fault.As(err).Message, c.says) {
				t.Errorf("got %v (%s)", err, fault.CodeOf(err))
			}
			if _, err := dial(t, c.o).Events(within(t), client.EventOptions{}); fault.KindOf(err) != c.kind {
				t.Errorf("events: %v", err)
			}
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := dial(t, client.Options{Socket: silent.Addr().String()}).Me(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestAnswersThatAreNotMedForges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		kind    fault.Kind
	}{
		"a page":        {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, fault.Unavailable},
		"a proxy's 502": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "bad gateway", 502) }, fault.Unavailable},
		"a foreign 404": {func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) }, fault.NotFound},
		"a redirect":    {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", 302) }, fault.Internal},
		"broken problem": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", api.ProblemContentType)
			w.WriteHeader(409)
			_, _ = io.WriteString(w, "{")
		}, fault.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(c.handler)
			defer srv.Close()
			_, err := dial(t, client.Options{Server: srv.URL}).Me(within(t))
			if fault.KindOf(err) != c.kind || fault.CodeOf(err) != client.CodeUnexpected {
				t.Errorf("got %v: %s %s", err, fault.KindOf(err), fault.CodeOf(err))
			}
			if _, err := dial(t, client.Options{Server: srv.URL}).Health(within(t)); err == nil {
				t.Error("it was taken for a health")
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		o    client.Options
		code string
	}{
		{client.Options{}, "client/no-address"},
		{client.Options{Server: "medforge.example.org"}, "client/invalid-server"},
		{client.Options{Server: "ftp://medforge.example.org"}, "client/invalid-server"},
		{client.Options{Server: "https://a:b@medforge.example.org"}, "client/invalid-server"},
		{client.Options{Server: "http://medforge.example.org", Token: "t"}, "client/token-in-the-clear"},
		{client.Options{Server: "http://localhost.example.org", Token: "t"}, "client/token-in-the-clear"},
		{client.Options{Server: "http://medforge.localhost:8080", Token: "t"}, ""},
		{client.Options{Server: "http://127.0.0.1:8080", Token: "t"}, ""},
		{client.Options{Server: "https://medforge.example.org/", Token: "t"}, ""},
		{client.Options{Socket: "/x"}, ""},
	} {
		_, err := client.New(c.o)
		if fault.CodeOf(err) != c.code || (err != nil) != (c.code != "") {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}

func TestATokenGoesToItsServerOnly(t *testing.T) {
	t.Parallel()
	h := httpapitest.Start(t, httpapitest.Options{})
	srv := httptest.NewServer(h.API.Public())
	defer srv.Close()
	if me, err := dial(t, client.Options{Server: srv.URL, Token: "alice"}).Me(within(t)); err != nil || me.UserID != httpapitest.Alice.ID || me.Via != "token" {
		t.Errorf("%+v, %v", me, err)
	}
	if _, err := dial(t, client.Options{Server: srv.URL}).Me(within(t)); fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("without a token: %v", err)
	}
	var sent atomic.Value
	h2 := httpapitest.Start(t, httpapitest.Options{Before: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent.Store(r.Header.Get("Authorization"))
			next.ServeHTTP(w, r)
		})
	}})
	if _, err := dial(t, client.Options{Socket: h2.Socket, Token: "alice"}).Me(within(t)); err != nil || sent.Load() != "" {
		t.Errorf("the socket got %q, %v", sent.Load(), err)
	}
}

func TestImportTellsItsProgress(t *testing.T) {
	t.Parallel()
	h := httpapitest.Start(t, httpapitest.Options{})
	c := dial(t, client.Options{Socket: h.Socket, Timeout: time.Second})
	body := "oci:" + strings.Repeat("x", 1<<20)
	var last int64
	p, err := c.ImportPack(within(t), strings.NewReader(body), int64(len(body)), func(n int64) {
		if n <= last {
			t.Errorf("progress went from %d to %d", last, n)
		}
		last = n
	})
	if err != nil || p.SizeBytes != int64(len(body)) || last != p.SizeBytes || !p.InUse {
		t.Errorf("%+v, %v, progress %d", p, err, last)
	}
	// A refusal comes before the archive is sent.
	h.Become(httpapitest.Alice)
	last = 0
	if _, err := c.ImportPack(within(t), strings.NewReader(body), int64(len(body)), func(n int64) { last = n }); fault.KindOf(err) != fault.Denied || last != 0 {
		t.Errorf("%v after %d bytes", err, last)
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	h := httpapitest.Start(t, httpapitest.Options{})
	h.Service.Add(session.Session{ID: "i", Slug: "aaaaaa22", UserID: httpapitest.Admin.ID, Status: session.Running}, "a\nb\n")
	c := dial(t, client.Options{Socket: h.Socket})
	r, err := c.SessionLogs(within(t), "aaaaaa22", 1, false)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); string(b) != "b\n" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	for _, ref := range []string{"", "zzzzzzzz", "..", "a/b", "a?b"} {
		_, err := c.SessionLogs(within(t), ref, 0, false)
		if k := fault.KindOf(err); k != fault.NotFound && (ref != "" || k != fault.Invalid) {
			t.Errorf("%q: %v", ref, err)
		}
	}
	ctx, cancel := context.WithCancel(within(t))
	f, err := c.SessionLogs(ctx, "aaaaaa22", 0, true)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.ReadFull(f, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// TestHungUp has a daemon that is killed with a call in hand: what only asks is
// asked again, what changes something is not.
func TestHungUp(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1)%2 == 1 {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, `{"data": {}}`)
	})}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	c, ctx := dial(t, client.Options{Socket: socket}), within(t)
	if _, err := c.CurrentSession(ctx); err != nil || calls.Load() != 2 {
		t.Errorf("a question: %v after %d calls", err, calls.Load())
	}
	if _, err := c.StartSession(ctx, api.SessionCreate{}); fault.CodeOf(err) != client.CodeUnreachable || calls.Load() != 3 {
		t.Errorf("a change: %v after %d calls", err, calls.Load())
	}
}
