package httpapi_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
	"github.com/medforge/medforge/pkg/session"
)

// matrix is what each caller gets from each route: anonymous, owner, admin,
// bad token, inside the owner's session, inside a session of an admin's. The
// thing in the path is Alice's running session aaaaaa22.
var matrix = map[string][6]int{
	"GET /healthz":                          {200, 200, 200, 401, 200, 200},
	"GET /api/v1/openapi.json":              {200, 200, 200, 401, 200, 200},
	"GET /api/v1/me":                        {401, 200, 200, 401, 200, 200},
	"GET /api/v1/events":                    {200, 200, 200, 401, 200, 200},
	"GET /api/v1/admin/doctor":              {401, 403, 200, 401, 403, 403},
	"POST /api/v1/admin/reconcile":          {401, 403, 200, 401, 403, 403},
	"GET /api/v1/admin/backup":              {401, 403, 200, 401, 403, 403},
	"POST /api/v1/sessions":                 {401, 201, 201, 401, 403, 403},
	"GET /api/v1/sessions":                  {401, 200, 200, 401, 200, 200},
	"GET /api/v1/sessions/current":          {401, 200, 200, 401, 200, 200},
	"GET /api/v1/sessions/{ref}":            {401, 200, 200, 401, 200, 404},
	"POST /api/v1/sessions/{ref}/stop":      {401, 202, 202, 401, 403, 403},
	"POST /api/v1/sessions/{ref}/open":      {401, 201, 201, 401, 403, 403},
	"GET /api/v1/sessions/{ref}/logs":       {401, 200, 200, 401, 200, 404},
	"GET /api/v1/sessions/{ref}/snapshots":  {401, 200, 200, 401, 200, 404},
	"GET /api/v1/sessions/{ref}/usage":      {401, 200, 200, 401, 200, 404},
	"GET /api/v1/gpus":                      {401, 200, 200, 401, 200, 200},
	"POST /api/v1/admin/gpus/{ref}/enable":  {401, 403, 200, 401, 403, 403},
	"POST /api/v1/admin/gpus/{ref}/disable": {401, 403, 200, 401, 403, 403},
	"GET /api/v1/admin/packs":               {401, 403, 200, 401, 403, 403},
	"POST /api/v1/admin/packs":              {401, 403, 201, 401, 403, 403},
	"POST /api/v1/admin/packs/use":          {401, 403, 200, 401, 403, 403},

	"GET /api/v1/competitions":                       {200, 200, 200, 401, 200, 200},
	"GET /api/v1/competitions/{slug}":                {200, 200, 200, 401, 200, 200},
	"GET /api/v1/competitions/{slug}/leaderboard":    {200, 200, 200, 401, 200, 200},
	"POST /api/v1/competitions/{slug}/submissions":   {401, 201, 201, 401, 201, 201},
	"GET /api/v1/competitions/{slug}/submissions/me": {401, 200, 200, 401, 200, 200},
	"GET /api/v1/competitions/{slug}/data":           {401, 200, 200, 401, 200, 200},
	"GET /api/v1/competitions/{slug}/data/archive":   {401, 200, 200, 401, 200, 200},
	"GET /api/v1/submissions/{id}":                   {401, 200, 200, 401, 200, 404},
	"POST /api/v1/admin/submissions/{id}/score":      {401, 403, 200, 401, 403, 403},
	"POST /api/v1/admin/competitions/{slug}/score":   {401, 403, 202, 401, 403, 403},
	"POST /api/v1/admin/competitions":                {401, 403, 201, 401, 403, 403},
	"POST /api/v1/admin/competitions/codabench":      {401, 403, 201, 401, 403, 403},
	"GET /api/v1/datasets":                           {200, 200, 200, 401, 200, 200},
	"GET /api/v1/datasets/{slug}":                    {200, 200, 200, 401, 200, 200},
	"GET /api/v1/admin/datasets/{slug}/import":       {401, 403, 200, 401, 403, 403},
	"POST /api/v1/admin/datasets/{slug}/import":      {401, 403, 404, 401, 403, 403}, // nothing was uploaded
	"GET /api/v1/admin/uploads/{sha256}":             {401, 403, 200, 401, 403, 403},
	"POST /api/v1/admin/uploads/{sha256}":            {401, 403, 200, 401, 403, 403},
}

var bodies = map[string]string{
	"POST /api/v1/sessions":        `{}`,
	"POST /api/v1/admin/packs":     `oci:x`,
	"POST /api/v1/admin/packs/use": `{"digest":"sha256:` + strings.Repeat("0", 63) + `5"}`,
}

func TestWhoMayCallWhat(t *testing.T) {
	t.Parallel()
	table := start(t, httpapitest.Options{Competitions: true}).API.Routes()
	for _, r := range table {
		if _, ok := matrix[r.Method+" "+r.Path]; !ok {
			t.Errorf("the matrix lacks %s %s", r.Method, r.Path)
		}
	}
	if len(table) != len(matrix) {
		t.Errorf("%d routes, %d in the matrix", len(table), len(matrix))
	}
	for name, want := range matrix {
		for i, c := range callers() {
			t.Run(name+" by "+c.name, func(t *testing.T) {
				t.Parallel()
				contests := regexp.MustCompile("competitions|datasets|uploads|submissions").MatchString(name)
				h := start(t, httpapitest.Options{Competitions: contests})
				h.Service.Add(row("aaaaaa22", session.Running), "hello\n")
				if strings.HasSuffix(name, "/use") {
					do(t, h.API.Public(), "POST", "/api/v1/admin/packs", "oci:x", "Authorization", "Bearer root")
				}
				method, path, _ := strings.Cut(name, " ")
				ref := "aaaaaa22"
				if strings.Contains(path, "gpus") {
					ref = "0"
				}
				path = strings.ReplaceAll(path, "{ref}", ref)
				if strings.HasSuffix(path, "/events") {
					method = http.MethodHead // the stream has no end
				}
				body, header := bodies[name], c.header
				if contests {
					path, body, header = contest(t, h, name, path, c.header)
				}
				resp := do(t, c.handler(h), method, path, body, header...)
				if resp.StatusCode != want[i] {
					t.Errorf("status %d, want %d: %s", resp.StatusCode, want[i], read(t, resp))
				}
				if resp.StatusCode >= 400 && method != http.MethodHead {
					if ct := resp.Header.Get("Content-Type"); ct != "application/problem+json" {
						t.Errorf("content type %q", ct)
					}
				}
			})
		}
	}
}

func TestAStrangersSessionIsNotFound(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	mine := row("aaaaaa22", session.Running)
	mine.UserID = httpapitest.Admin.ID
	h.Service.Add(mine, "")
	for _, path := range []string{"", "/logs", "/snapshots", "/usage"} {
		resp := do(t, h.API.Public(), "GET", "/api/v1/sessions/aaaaaa22"+path, "", "Authorization", "Bearer alice")
		wantProblem(t, resp, 404, "sessions/not-found")
	}
	for _, path := range []string{"/stop", "/open"} {
		resp := do(t, h.API.Public(), "POST", "/api/v1/sessions/aaaaaa22"+path, "", "Authorization", "Bearer alice")
		wantProblem(t, resp, 404, "sessions/not-found")
	}
}
