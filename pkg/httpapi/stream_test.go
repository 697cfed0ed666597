package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/httpapi"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
	"github.com/medforge/medforge/pkg/session"
)

// overSocket is an HTTP client on the host's unix socket.
func overSocket(t *testing.T, h *httpapitest.Host) *http.Client {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", h.Socket)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// stream is an open event stream, line by line.
type stream struct {
	t    *testing.T
	body io.ReadCloser
	r    *bufio.Reader
}

func openStream(t *testing.T, h *httpapitest.Host, query, lastID string) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://medforge/api/v1/events"+query, nil)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := overSocket(t, h).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	return &stream{t, resp.Body, bufio.NewReader(resp.Body)}
}

// block reads to the next empty line.
func (s *stream) block() map[string]string {
	s.t.Helper()
	fields := map[string]string{}
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			fields["error"] = err.Error()
			return fields
		}
		if line == "\n" {
			return fields
		}
		k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		fields[k] = strings.TrimPrefix(v, " ")
	}
}

func (s *stream) event() (id string, e api.Event) {
	s.t.Helper()
	for {
		b := s.block()
		if b["data"] == "" && b["error"] == "" {
			continue // the opening, or a comment
		}
		if err := json.Unmarshal([]byte(b["data"]), &e); err != nil {
			s.t.Fatalf("%v in %v", err, b)
		}
		return b["id"], e
	}
}

func TestEventsComeInOrderAndResume(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	s := openStream(t, h, "", "")
	if first := s.block(); first["id"] == "" || first["data"] != "" {
		t.Errorf("the opening is %v", first)
	}
	var ids []string
	for i := range 5 {
		h.Bus.Publish(event.Event{Type: event.SessionStage, Slug: string(rune('a' + i))})
	}
	for i := range 5 {
		id, e := s.event()
		ids = append(ids, id)
		if e.Slug != string(rune('a'+i)) || e.Type != "session.stage" || e.Seq == 0 || e.Time.IsZero() {
			t.Errorf("event %d is %+v", i, e)
		}
	}
	s.body.Close()
	h.Bus.Publish(event.Event{Type: event.SessionStage, Slug: "f"})
	s = openStream(t, h, "", ids[2])
	for _, want := range []string{"d", "e", "f"} {
		if _, e := s.event(); e.Slug != want {
			t.Errorf("resumed with %s, want %s", e.Slug, want)
		}
	}
}

func TestAStreamLostBeforeItsFirstEventMissesNothing(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	s := openStream(t, h, "", "")
	begin := s.block()["id"]
	s.body.Close()
	h.Bus.Publish(event.Event{Type: event.SessionStage, Slug: "a"})
	if _, e := openStream(t, h, "", begin).event(); e.Slug != "a" {
		t.Errorf("got %+v", e)
	}
}

func TestEventsAreOnlyWhatTheCallerMaySee(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{Caller: httpapitest.Alice})
	h.Service.Add(row("aaaaaa22", session.Running), "")
	h.Service.Add(row("aaaaaa33", session.Running), "")
	mine, one := openStream(t, h, "", ""), openStream(t, h, "?session=aaaaaa33", "")
	h.Bus.Publish(event.Event{Type: "x", UserID: httpapitest.Admin.ID, Slug: "foreign"})
	h.Bus.Publish(event.Event{Type: "x", Slug: "nobody's"})
	h.Bus.Publish(event.Event{Type: "x", UserID: httpapitest.Alice.ID, Slug: "aaaaaa22", SessionID: row("aaaaaa22", "").ID})
	h.Bus.Publish(event.Event{Type: "x", Slug: "everybody's", Public: true})
	h.Bus.Publish(event.Event{Type: "x", UserID: httpapitest.Alice.ID, Slug: "aaaaaa33", SessionID: row("aaaaaa33", "").ID})
	for _, want := range []string{"aaaaaa22", "everybody's", "aaaaaa33"} {
		if _, e := mine.event(); e.Slug != want {
			t.Errorf("saw %q, want %q", e.Slug, want)
		}
	}
	if _, e := one.event(); e.Slug != "aaaaaa33" {
		t.Errorf("one session's stream had %q", e.Slug)
	}
}

func TestAQuietStreamIsKeptAlive(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{Edit: func(o *httpapi.Options) { o.KeepAlive = time.Millisecond }})
	s := openStream(t, h, "", "")
	s.block()
	for range 3 {
		if b := s.block(); b[""] != "keep-alive" {
			t.Errorf("got %v", b)
		}
	}
}

func TestASlowReaderIsCutOff(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{Edit: func(o *httpapi.Options) { o.WriteTimeout = 50 * time.Millisecond }})
	s := openStream(t, h, "", "")
	s.block()
	big := strings.Repeat("x", 64<<10)
	for range 1000 { // more than the socket and the subscription hold; nobody reads
		h.Bus.Publish(event.Event{Type: "x", Data: map[string]any{"big": big}})
	}
	var last uint64
	for {
		b := s.block()
		if b["error"] != "" || b["event"] == "problem" {
			return // cut off, and told so where it still could be
		}
		var e api.Event
		if err := json.Unmarshal([]byte(b["data"]), &e); err != nil {
			t.Fatal(err)
		}
		if last != 0 && e.Seq != last+1 {
			t.Fatalf("%d came after %d: skipped in silence", e.Seq, last)
		}
		last = e.Seq
	}
}

func TestTheEndOfTheDaemonIsTold(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	s := openStream(t, h, "", "")
	s.block()
	if err := h.Bus.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	b := s.block()
	var p api.Problem
	if err := json.Unmarshal([]byte(b["data"]), &p); err != nil || b["event"] != "problem" || p.Code != "events/closed" || p.Status != 503 {
		t.Errorf("got %v, %v", b, err)
	}
	if b := s.block(); b["error"] != "EOF" {
		t.Errorf("then %v", b)
	}
}

// TestEndStreams ends what would not end by itself, and nothing else.
func TestEndStreams(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	h.Service.Add(row("aaaaaa22", session.Running), "line\n")
	s := openStream(t, h, "", "")
	s.block()
	log, err := overSocket(t, h).Get("http://medforge/api/v1/sessions/aaaaaa22/logs?follow=1")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Body.Close()
	h.API.EndStreams()
	if b := s.block(); b["event"] != "problem" || !strings.Contains(b["data"], "events/closed") {
		t.Errorf("the stream's end is %v", b)
	}
	if text, err := io.ReadAll(log.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the followed log ended with %q, %v", text, err)
	}
	whole := do(t, h.API.Public(), "GET", "/api/v1/sessions/aaaaaa22/logs", "", "Authorization", "Bearer root")
	if got := string(read(t, whole)); got != "line\n" {
		t.Errorf("a log that is not followed: %q", got)
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	h.Service.Add(row("aaaaaa22", session.Running), "one\ntwo\x1b[31m\xff\nthree\n")
	for query, want := range map[string]string{
		"": "one\ntwo\x1b[31m\xff\nthree\n", "?tail=1": "three\n", "?tail=2": "two\x1b[31m\xff\nthree\n", "?tail=0": "one\ntwo\x1b[31m\xff\nthree\n",
	} {
		resp := do(t, h.API.Public(), "GET", "/api/v1/sessions/aaaaaa22/logs"+query, "", "Authorization", "Bearer root")
		if got := string(read(t, resp)); got != want || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: %q", query, got)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://medforge/api/v1/sessions/aaaaaa22/logs?follow=1", nil)
	resp, err := overSocket(t, h).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buf := make([]byte, len("one\ntwo\x1b[31m\xff\nthree\n"))
	if _, err := io.ReadFull(resp.Body, buf); err != nil { // it came although the log has no end
		t.Fatal(err)
	}
	cancel()
	if _, err := resp.Body.Read(buf); !errors.Is(err, context.Canceled) {
		t.Errorf("after the interrupt: %v", err)
	}
}

// broken breaks off in the middle.
type broken struct{ *httpapitest.Service }

func (broken) Log(context.Context, auth.Actor, string, int, bool) (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(strings.NewReader("half"), errReader{})), nil
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

func TestALogThatBreaksOffDoesNotLookWhole(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{Edit: func(o *httpapi.Options) { o.Sessions = broken{o.Sessions.(*httpapitest.Service)} }})
	resp, err := overSocket(t, h).Get("http://medforge/api/v1/sessions/aaaaaa22/logs")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if string(b) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", b, err)
	}
}

func TestTheSocketKnowsThePeersUID(t *testing.T) {
	t.Parallel()
	seen := make(chan uint32, 1)
	h := start(t, httpapitest.Options{Edit: func(o *httpapi.Options) {
		o.SocketActor = func(_ context.Context, uid uint32) (auth.Actor, error) {
			seen <- uid
			u := account.User(httpapitest.Alice)
			return auth.Actor{UserID: u.ID, Role: u.Role, Via: auth.ViaSocket}, nil
		}
	}})
	resp, err := overSocket(t, h).Get("http://medforge/api/v1/me")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	me := data[api.Me](t, resp)
	if me.UserID != httpapitest.Alice.ID || me.Via != "socket" || me.Role != "user" || me.Email != "alice@example.org" {
		t.Errorf("me %+v", me)
	}
	if uid := <-seen; uid != uint32(os.Getuid()) {
		t.Errorf("uid %d", uid)
	}
}

func TestWithoutPeerCredentialsNobodyComesIn(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	wantProblem(t, do(t, h.API.Socket(), "GET", "/api/v1/me", ""), 500, api.CodeInternal)
}
