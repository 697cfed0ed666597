package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/httpapi"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
	"github.com/medforge/medforge/pkg/session"
)

const base = "https://medforge.example.org"

// start serves the API with MedForge's public address known.
func start(t *testing.T, o httpapitest.Options) *httpapitest.Host {
	edit := o.Edit
	o.Edit = func(h *httpapi.Options) {
		h.BaseURL, h.Origins, h.Secure = base, []string{base}, true
		if edit != nil {
			edit(h)
		}
	}
	return httpapitest.Start(t, o)
}

// do makes one request on a handler and returns the whole answer.
func do(t *testing.T, h http.Handler, method, path, body string, header ...string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Host = "medforge"
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func read(t *testing.T, r *http.Response) []byte {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// data reads the data of a success.
func data[T any](t *testing.T, r *http.Response) T {
	t.Helper()
	var e api.Envelope[T]
	b := read(t, r)
	if r.StatusCode >= 300 {
		t.Fatalf("status %d: %s", r.StatusCode, b)
	}
	if err := json.Unmarshal(b, &e); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	if e.Meta.RequestID == "" || e.Meta.APIVersion != "v1.0" || e.Meta.Timestamp.IsZero() || e.Meta.RequestID != r.Header.Get("X-Request-Id") {
		t.Errorf("meta %+v, header %q", e.Meta, r.Header.Get("X-Request-Id"))
	}
	return e.Data
}

// wantProblem checks every member that API.md names.
func wantProblem(t *testing.T, r *http.Response, status int, code string) api.Problem {
	t.Helper()
	b := read(t, r)
	var p api.Problem
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	if r.StatusCode != status || p.Status != status || p.Code != code {
		t.Errorf("status %d, problem %d %s, want %d %s (%s)", r.StatusCode, p.Status, p.Code, status, code, p.Detail)
	}
	if ct := r.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("content type %q", ct)
	}
	if !strings.HasPrefix(p.Type, base+"/") || !strings.HasSuffix(p.Type, "/"+code) {
		t.Errorf("type %q does not end in %q", p.Type, code)
	}
	if (r.Header.Get("WWW-Authenticate") != "") != (status == http.StatusUnauthorized) {
		t.Errorf("%d with WWW-Authenticate %q", status, r.Header.Get("WWW-Authenticate"))
	}
	if p.Title == "" || p.Detail == "" || p.Instance == "" || p.RequestID == "" || p.RequestID != r.Header.Get("X-Request-Id") {
		t.Errorf("something is empty: %+v", p)
	}
	return p
}

// row is a session of Alice's with everything set.
func row(slug string, status session.Status) session.Session {
	return session.Session{
		ID: "7f2c0d5e-0000-4000-8000-0000000000" + slug[6:], UserID: httpapitest.Alice.ID, Slug: slug, Tier: session.TierPublic,
		Status: status, PackID: "default", PackDigest: "sha256:abc", GPUIndex: 3, GPUUUID: "GPU-3",
		ContainerID: session.ContainerName(slug), Workspace: "tank/w", CreatedAt: time.Unix(1764000000, 0),
		StartedAt: time.Unix(1764000001, 0), ErrorMessage: "",
	}
}
