package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/httpapi"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
	"github.com/medforge/medforge/pkg/session"
)

func TestBadRequests(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		code                     string
		loc                      string
	}{
		{name: "unknown body field", method: "POST", path: "/api/v1/sessions", body: `{"teir":"public"}`, status: 422, code: api.CodeInvalidRequest, loc: "body.teir"},
		{name: "wrong type", method: "POST", path: "/api/v1/sessions", body: `{"tier":7}`, status: 422, code: api.CodeInvalidRequest, loc: "body.tier"},
		{name: "not one of the enum", method: "POST", path: "/api/v1/sessions", body: `{"tier":"PUBLIC"}`, status: 422, code: api.CodeInvalidRequest, loc: "body.tier"},
		{name: "array", method: "POST", path: "/api/v1/sessions", body: `[]`, status: 422, code: api.CodeInvalidRequest, loc: "body"},
		{name: "not JSON", method: "POST", path: "/api/v1/sessions", body: `{`, status: 400, code: api.CodeMalformedRequest, loc: "body"},
		{name: "no body", method: "POST", path: "/api/v1/sessions", status: 400, code: api.CodeMalformedRequest},
		{name: "form", method: "POST", path: "/api/v1/sessions", body: "a=b", header: []string{"Content-Type", "application/x-www-form-urlencoded"}, status: 415, code: api.CodeUnsupportedMedia},
		{name: "text", method: "POST", path: "/api/v1/sessions", body: `{}`, header: []string{"Content-Type", "text/plain"}, status: 415, code: api.CodeUnsupportedMedia},
		{name: "large body", method: "POST", path: "/api/v1/sessions", body: `{"from":"` + strings.Repeat("x", 2<<20) + `"}`, status: 413, code: api.CodeTooLarge},
		{name: "private", method: "POST", path: "/api/v1/sessions", body: `{"tier":"private"}`, status: 501, code: "sessions/private-tier-not-implemented"},
		{name: "unknown from", method: "POST", path: "/api/v1/sessions", body: `{"from":"zzzzzzzz"}`, status: 404, code: "sessions/not-found"},
		{name: "bad from", method: "POST", path: "/api/v1/sessions", body: `{"from":"zzzzzzzz@monday"}`, status: 422, code: "sessions/invalid-from"},
		{name: "unknown query", method: "GET", path: "/api/v1/sessions?limt=3", status: 422, code: api.CodeInvalidRequest, loc: "query.limt"},
		{name: "limit 0", method: "GET", path: "/api/v1/sessions?limit=0", status: 400, code: api.CodeInvalidLimit},
		{name: "limit 501", method: "GET", path: "/api/v1/sessions?limit=501", status: 400, code: api.CodeInvalidLimit},
		{name: "limit -1", method: "GET", path: "/api/v1/gpus?limit=-1", status: 400, code: api.CodeInvalidLimit},
		{name: "limit word", method: "GET", path: "/api/v1/sessions?limit=ten", status: 400, code: api.CodeInvalidLimit},
		{name: "cursor junk", method: "GET", path: "/api/v1/sessions?cursor=!!", status: 400, code: api.CodeInvalidCursor},
		{name: "cursor long", method: "GET", path: "/api/v1/sessions?cursor=" + strings.Repeat("A", 600), status: 400, code: api.CodeInvalidCursor},
		{name: "cursor of nothing", method: "GET", path: "/api/v1/gpus?cursor=Z3B1cwB4", status: 400, code: api.CodeInvalidCursor},
		{name: "unknown path", method: "GET", path: "/api/v1/sessoins", status: 404, code: api.CodeUnknownPath},
		{name: "unknown version", method: "GET", path: "/api/v2/me", status: 404, code: api.CodeUnknownPath},
		{name: "wrong method", method: "DELETE", path: "/api/v1/sessions", status: 405, code: api.CodeMethodNotAllowed},
		{name: "unknown session", method: "GET", path: "/api/v1/sessions/zzzzzzzz", status: 404, code: "sessions/not-found"},
		{name: "unknown session's events", method: "GET", path: "/api/v1/events?session=zzzzzzzz", status: 404, code: "sessions/not-found"},
		{name: "foreign event id", method: "GET", path: "/api/v1/events", header: []string{"Last-Event-ID", "other-5"}, status: 409, code: "events/resume-lost"},
		{name: "bad event id", method: "GET", path: "/api/v1/events", header: []string{"Last-Event-ID", "5"}, status: 422, code: "events/invalid-id"},
		{name: "bad tail", method: "GET", path: "/api/v1/sessions/x/logs?tail=-4", status: 422, code: api.CodeInvalidRequest, loc: "query.tail"},
		{name: "unknown GPU", method: "POST", path: "/api/v1/admin/gpus/99/disable", status: 404, code: "gpus/not-found"},
		{name: "not an archive", method: "POST", path: "/api/v1/admin/packs", body: "zip", status: 422, code: "packs/not-an-archive"},
		{name: "long ref", method: "GET", path: "/api/v1/sessions/" + strings.Repeat("a", 101), status: 422, code: api.CodeInvalidRequest, loc: "path.ref"},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp := do(t, h.API.Public(), c.method, c.path, c.body, append(c.header, "Authorization", "Bearer root")...)
			p := wantProblem(t, resp, c.status, c.code)
			if c.loc != "" && (len(p.Errors) != 1 || p.Errors[0].Loc != c.loc || p.Errors[0].Msg == "" || p.Errors[0].Type == "") {
				t.Errorf("errors %+v, want one at %s", p.Errors, c.loc)
			}
			if strings.Contains(p.Detail, "xxxx") {
				t.Error("what was sent is repeated")
			}
			if c.status == 405 && resp.Header.Get("Allow") == "" {
				t.Error("no Allow")
			}
		})
	}
}

func TestSessionObjectIsTheContracts(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	r := row("aaaaaa22", session.Running)
	h.Service.Add(r, "")
	got := data[map[string]any](t, do(t, h.API.Public(), "GET", "/api/v1/sessions/aaaaaa22", "", "Authorization", "Bearer alice"))
	want := map[string]any{
		"id": r.ID, "user_id": r.UserID, "tier": "public", "pack_id": "default", "status": "running",
		"container_id": "mf-session-aaaaaa22", "gpu_id": 3.0, "gpu_uuid": "GPU-3", "pack_digest": "sha256:abc",
		"slug": "aaaaaa22", "workspace_zfs": "tank/w", "url": "http://s-aaaaaa22.medforge.localhost:8080/",
		"created_at": "2025-11-24T16:00:00Z", "started_at": "2025-11-24T16:00:01Z", "stopped_at": nil, "error_message": "",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
}

func TestStartStopAndWhatTheyAnswer(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{GPUs: 1})
	alice := []string{"Authorization", "Bearer alice"}
	resp := do(t, h.API.Public(), "POST", "/api/v1/sessions", `{"tier":"public"}`, alice...)
	if resp.StatusCode != 201 {
		t.Fatalf("status %d", resp.StatusCode)
	}
	created := data[api.SessionCreated](t, resp)
	if created.Session.Status != api.SessionStarting || created.Message == "" {
		t.Errorf("%+v", created)
	}
	wantProblem(t, do(t, h.API.Public(), "POST", "/api/v1/sessions", `{}`, alice...), 409, "sessions/no-gpu-available")
	h.Service.Wait()
	if cur := data[api.SessionCurrent](t, do(t, h.API.Public(), "GET", "/api/v1/sessions/current", "", alice...)); cur.Session == nil || cur.Session.Status != api.SessionRunning {
		t.Errorf("current %+v", cur)
	}
	path := "/api/v1/sessions/" + created.Session.ID
	link := data[api.SessionLink](t, do(t, h.API.Public(), "POST", path+"/open", "", alice...))
	if link.URL == "" || link.ExpiresAt.Before(time.Now()) {
		t.Errorf("%+v", link)
	}
	for _, want := range []string{api.MessageStopRequested, api.MessageAlreadyTerminal} {
		resp := do(t, h.API.Public(), "POST", path+"/stop", "", alice...)
		if got := data[api.Message](t, resp); got.Message != want || resp.StatusCode != 202 {
			t.Errorf("%d %q, want 202 %q", resp.StatusCode, got.Message, want)
		}
		h.Service.Wait()
	}
	wantProblem(t, do(t, h.API.Public(), "POST", path+"/open", "", alice...), 409, "sessions/not-running")
	raw := read(t, do(t, h.API.Public(), "GET", "/api/v1/sessions/current", "", alice...))
	if !strings.Contains(string(raw), `"session":null`) {
		t.Errorf("no session is not null: %s", raw)
	}
}

func TestPagesGoToTheEnd(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	for i := range 7 {
		h.Service.Add(row(fmt.Sprintf("aaaaaa2%d", i), session.Stopped), "")
	}
	var seen []string
	path := "/api/v1/sessions?limit=3"
	for range 4 {
		var p api.Page[api.Session]
		resp := do(t, h.API.Public(), "GET", path, "", "Authorization", "Bearer alice")
		if err := json.Unmarshal(read(t, resp), &p); err != nil {
			t.Fatal(err)
		}
		if p.Meta.Limit != 3 || (p.Meta.NextCursor != nil) != p.Meta.HasMore {
			t.Errorf("meta %+v", p.Meta)
		}
		for _, s := range p.Data {
			seen = append(seen, s.Slug)
		}
		if !p.Meta.HasMore {
			break
		}
		path = "/api/v1/sessions?limit=3&cursor=" + *p.Meta.NextCursor
	}
	if got := strings.Join(seen, " "); got != "aaaaaa26 aaaaaa25 aaaaaa24 aaaaaa23 aaaaaa22 aaaaaa21 aaaaaa20" {
		t.Errorf("saw %s", got)
	}
	if b := string(read(t, do(t, h.API.Public(), "GET", "/api/v1/sessions", "", "Authorization", "Bearer root"))); !strings.Contains(b, `"data":[]`) || !strings.Contains(b, `"next_cursor":null`) {
		t.Errorf("an empty list is %s", b)
	}
	for i, want := range []string{`"index":0`, `"index":6`} {
		path := "/api/v1/gpus?limit=6"
		if i == 1 {
			var p api.Page[api.GPU]
			_ = json.Unmarshal(read(t, do(t, h.API.Public(), "GET", path, "", "Authorization", "Bearer alice")), &p)
			path += "&cursor=" + *p.Meta.NextCursor
		}
		if b := string(read(t, do(t, h.API.Public(), "GET", path, "", "Authorization", "Bearer alice"))); !strings.Contains(b, want) {
			t.Errorf("page %d: %s", i, b)
		}
	}
}

func TestAnUnknownErrorIsLoggedAndNotShown(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	h := start(t, httpapitest.Options{Edit: func(o *httpapi.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) }})
	h.Service.Set(func(s *httpapitest.Settings) { s.Err = errors.New("open /secret/place: no") })
	p := wantProblem(t, do(t, h.API.Public(), "GET", "/api/v1/gpus", "", "Authorization", "Bearer alice"), 500, api.CodeInternal)
	if raw, _ := json.Marshal(p); strings.Contains(string(raw), "secret") {
		t.Errorf("shown: %s", raw)
	}
	if !strings.Contains(log.String(), "/secret/place") || !strings.Contains(log.String(), p.RequestID) {
		t.Errorf("not logged: %s", log.String())
	}
	h.Service.Set(func(s *httpapitest.Settings) {
		s.Err = fault.New(fault.TooMany, "auth/too-many-tries", "Wait.").After(1500 * time.Millisecond)
	})
	resp := do(t, h.API.Public(), "GET", "/api/v1/gpus", "", "Authorization", "Bearer alice")
	wantProblem(t, resp, 429, "auth/too-many-tries")
	if resp.Header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After %q", resp.Header.Get("Retry-After"))
	}
}

// panicking stands in for a handler with a mistake in it.
type panicking struct{ *httpapitest.Service }

func (panicking) GPUs(_ context.Context, _ auth.Actor) ([]session.GPUView, error) { panic("secret") }

func TestAPanicIsA500(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{Edit: func(o *httpapi.Options) { o.Sessions = panicking{o.Sessions.(*httpapitest.Service)} }})
	p := wantProblem(t, do(t, h.API.Public(), "GET", "/api/v1/gpus", "", "Authorization", "Bearer alice"), 500, api.CodeInternal)
	if strings.Contains(p.Detail, "secret") {
		t.Error("the panic is shown")
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	if b := strings.TrimSpace(string(read(t, do(t, h.API.Public(), "GET", "/healthz", "")))); b != `{"status":"ok"}` {
		t.Errorf("well: %s", b)
	}
	h.Service.Set(func(s *httpapitest.Settings) {
		s.Degraded = []session.Degradation{{Part: "containerd", Why: "it does not answer", Since: time.Now()}}
	})
	resp := do(t, h.API.Public(), "GET", "/healthz", "")
	var got api.Health
	if err := json.Unmarshal(read(t, resp), &got); err != nil || resp.StatusCode != 503 || got.Status != "degraded" || got.Why != "containerd: it does not answer" || len(got.Parts) != 1 {
		t.Errorf("%d %+v %v", resp.StatusCode, got, err)
	}
}

func TestEveryAnswerIsNotStoredAndNotSniffed(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	for _, path := range []string{"/api/v1/me", "/healthz", "/nowhere"} {
		resp := do(t, h.API.Public(), http.MethodGet, path, "")
		if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, resp.Header)
		}
	}
}
