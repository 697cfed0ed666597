package httpapi_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
	"github.com/medforge/medforge/pkg/session"
)

// matrix is what each caller gets from each route, in the order of callers. The
// thing in the path is Alice's: her running session aaaaaa22, her browser, her
// token, her account.
var matrix = map[string][9]int{
	//                                       anonymous  other  disabled  foreign token  in an admin's session
	//                                            owner    admin    stale       in the session
	"GET /healthz":                          {200, 200, 200, 200, 200, 200, 401, 200, 200},
	"GET /api/v1/openapi.json":              {200, 200, 200, 200, 200, 200, 401, 200, 200},
	"GET /api/v1/events":                    {200, 200, 200, 200, 200, 200, 401, 200, 200},
	"GET /api/v1/host":                      {401, 200, 200, 200, 401, 401, 401, 200, 200},
	"GET /api/v1/admin/queue":               {401, 403, 403, 200, 401, 401, 401, 403, 403},
	"GET /api/v1/admin/doctor":              {401, 403, 403, 200, 401, 401, 401, 403, 403},
	"POST /api/v1/admin/reconcile":          {401, 403, 403, 200, 401, 401, 401, 403, 403},
	"GET /api/v1/admin/backup":              {401, 403, 403, 200, 401, 401, 401, 403, 403},
	"POST /api/v1/sessions":                 {401, 201, 201, 201, 401, 401, 401, 403, 403},
	"GET /api/v1/sessions":                  {401, 200, 200, 200, 401, 401, 401, 200, 200},
	"GET /api/v1/sessions/current":          {401, 200, 200, 200, 401, 401, 401, 200, 200},
	"GET /api/v1/sessions/{ref}":            {401, 200, 404, 200, 401, 401, 401, 200, 404},
	"POST /api/v1/sessions/{ref}/stop":      {401, 202, 404, 202, 401, 401, 401, 403, 403},
	"POST /api/v1/sessions/{ref}/open":      {401, 201, 404, 201, 401, 401, 401, 403, 403},
	"GET /api/v1/sessions/{ref}/logs":       {401, 200, 404, 200, 401, 401, 401, 200, 404},
	"GET /api/v1/sessions/{ref}/snapshots":  {401, 200, 404, 200, 401, 401, 401, 200, 404},
	"GET /api/v1/sessions/{ref}/usage":      {401, 200, 404, 200, 401, 401, 401, 200, 404},
	"GET /api/v1/gpus":                      {401, 200, 200, 200, 401, 401, 401, 200, 200},
	"POST /api/v1/admin/gpus/{ref}/enable":  {401, 403, 403, 200, 401, 401, 401, 403, 403},
	"POST /api/v1/admin/gpus/{ref}/disable": {401, 403, 403, 200, 401, 401, 401, 403, 403},
	"GET /api/v1/admin/packs":               {401, 403, 403, 200, 401, 401, 401, 403, 403},
	"POST /api/v1/admin/packs":              {401, 403, 403, 201, 401, 401, 401, 403, 403},
	"POST /api/v1/admin/packs/use":          {401, 403, 403, 200, 401, 401, 401, 403, 403},

	"POST /api/v1/auth/signup":         {201, 201, 201, 201, 201, 201, 401, 403, 403},
	"POST /api/v1/auth/login":          {200, 200, 200, 200, 403, 200, 401, 403, 403}, // each as one's own; a disabled one signs in again
	"POST /api/v1/auth/logout":         {200, 200, 200, 200, 200, 200, 401, 403, 403},
	"GET /api/v1/auth":                 {200, 200, 200, 200, 200, 200, 401, 200, 200},
	"GET /api/v1/me":                   {401, 200, 200, 200, 401, 401, 401, 200, 200},
	"POST /api/v1/me/password":         {401, 200, 200, 403, 401, 401, 401, 403, 403}, // by its own present one; root has none
	"GET /api/v1/me/tokens":            {401, 200, 200, 200, 401, 401, 401, 403, 403},
	"POST /api/v1/me/tokens":           {401, 201, 201, 201, 401, 401, 401, 403, 403},
	"DELETE /api/v1/me/tokens/{id}":    {401, 200, 404, 404, 401, 401, 401, 403, 403},
	"GET /api/v1/me/sessions":          {401, 200, 200, 200, 401, 401, 401, 403, 403},
	"DELETE /api/v1/me/sessions":       {401, 200, 200, 200, 401, 401, 401, 403, 403},
	"DELETE /api/v1/me/sessions/{id}":  {401, 200, 404, 404, 401, 401, 401, 403, 403},
	"GET /api/v1/admin/users":          {401, 403, 403, 200, 401, 401, 401, 403, 403},
	"POST /api/v1/admin/users":         {401, 403, 403, 201, 401, 401, 401, 403, 403},
	"GET /api/v1/admin/users/{ref}":    {401, 403, 403, 200, 401, 401, 401, 403, 403},
	"PATCH /api/v1/admin/users/{ref}":  {401, 403, 403, 200, 401, 401, 401, 403, 403},
	"GET /api/v1/auth/session-proxy":   {401, 200, 403, 200, 401, 401, 401, 403, 403},
	"page GET /":                       {303, 303, 303, 303, 303, 303, 401, 404, 404},
	"page GET /open":                   {303, 303, 403, 303, 303, 303, 401, 404, 404},
	"page GET /signin":                 {200, 200, 200, 200, 200, 200, 401, 404, 404},
	"page POST /signin":                {303, 303, 303, 303, 403, 303, 401, 404, 404},
	"page POST /signout":               {303, 303, 303, 303, 303, 303, 401, 404, 404},
	"session host GET /":               {401, 200, 403, 200, 401, 401, 401, 421, 421},
	"session host GET /.medforge/none": {404, 404, 404, 404, 404, 404, 404, 421, 421},
	"session host GET " + forwardAuth:  {403, 403, 403, 403, 403, 403, 403, 421, 421},

	"GET /api/v1/competitions":                                   {200, 200, 200, 200, 200, 200, 401, 200, 200},
	"GET /api/v1/competitions/{slug}":                            {200, 200, 200, 200, 200, 200, 401, 200, 200},
	"GET /api/v1/competitions/{slug}/leaderboard":                {200, 200, 200, 200, 200, 200, 401, 200, 200},
	"GET /api/v1/competitions/{slug}/leaderboard/{user}/history": {404, 404, 404, 404, 404, 404, 401, 404, 404}, // nobody has a score yet
	"POST /api/v1/competitions/{slug}/submissions":               {401, 201, 201, 201, 401, 401, 401, 201, 201},
	"GET /api/v1/competitions/{slug}/submissions/me":             {401, 200, 200, 200, 401, 401, 401, 200, 200},
	"GET /api/v1/competitions/{slug}/data":                       {401, 200, 200, 200, 401, 401, 401, 200, 200},
	"GET /api/v1/competitions/{slug}/data/archive":               {401, 200, 200, 200, 401, 401, 401, 200, 200},
	"GET /api/v1/submissions/{id}":                               {401, 200, 404, 200, 401, 401, 401, 200, 404},
	"POST /api/v1/admin/submissions/{id}/score":                  {401, 403, 403, 200, 401, 401, 401, 403, 403},
	"POST /api/v1/admin/competitions/{slug}/score":               {401, 403, 403, 202, 401, 401, 401, 403, 403},
	"POST /api/v1/admin/competitions":                            {401, 403, 403, 201, 401, 401, 401, 403, 403},
	"POST /api/v1/admin/competitions/codabench":                  {401, 403, 403, 201, 401, 401, 401, 403, 403},
	"GET /api/v1/datasets":                                       {200, 200, 200, 200, 200, 200, 401, 200, 200},
	"GET /api/v1/datasets/{slug}":                                {200, 200, 200, 200, 200, 200, 401, 200, 200},
	"GET /api/v1/admin/datasets/{slug}/import":                   {401, 403, 403, 200, 401, 401, 401, 403, 403},
	"POST /api/v1/admin/datasets/{slug}/import":                  {401, 403, 403, 404, 401, 401, 401, 403, 403}, // nothing was uploaded
	"GET /api/v1/admin/uploads/{sha256}":                         {401, 403, 403, 200, 401, 401, 401, 403, 403},
	"POST /api/v1/admin/uploads/{sha256}":                        {401, 403, 403, 200, 401, 401, 401, 403, 403},
}

const forwardAuth = "/api/v1/auth/session-proxy"

var bodies = map[string]string{
	"POST /api/v1/sessions":           `{}`,
	"POST /api/v1/admin/packs":        `oci:x`,
	"POST /api/v1/admin/packs/use":    `{"digest":"sha256:` + strings.Repeat("0", 63) + `5"}`,
	"POST /api/v1/auth/signup":        `{"email":"new@example.org","password":"correct horse"}`,
	"POST /api/v1/me/password":        `{"current":"correct horse","new":"battery staple"}`,
	"POST /api/v1/me/tokens":          `{"label":"ci"}`,
	"POST /api/v1/admin/users":        `{"email":"new@example.org"}`,
	"PATCH /api/v1/admin/users/{ref}": `{"session_limit":2}`,
}

func TestWhoMayCallWhat(t *testing.T) {
	t.Parallel()
	all := openHouse(t, httpapitest.Options{Competitions: true})
	rows := map[string]bool{}
	for name := range matrix {
		rows[name] = true
	}
	var served []string
	for _, r := range all.API.Routes() {
		served = append(served, r.Method+" "+r.Path)
	}
	for _, p := range all.API.PageTable() {
		served = append(served, "page "+p.Method+" "+p.Path)
	}
	for _, name := range served {
		if !rows[name] {
			t.Errorf("the matrix lacks %s", name)
		}
		delete(rows, name)
	}
	for name := range rows {
		if !strings.HasPrefix(name, "session host ") {
			t.Errorf("%s is no route", name)
		}
	}
	for name, want := range matrix {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			contests := regexp.MustCompile("competitions|datasets|uploads|submissions|queue").MatchString(name)
			h := openHouse(t, httpapitest.Options{Competitions: contests})
			for i, c := range callers {
				if i > 0 && !reads.MatchString(name) {
					h = openHouse(t, httpapitest.Options{Competitions: contests}) // as if nobody had called before
				}
				resp := h.ask(t, name, c, contests)
				if resp.StatusCode != want[i] {
					t.Errorf("by %s: status %d, want %d: %.300s", c.name, resp.StatusCode, want[i], read(t, resp))
				}
				if resp.StatusCode >= 400 && !strings.HasSuffix(name, "/events") && !strings.HasPrefix(name, "page ") {
					if ct := resp.Header.Get("Content-Type"); ct != "application/problem+json" {
						t.Errorf("by %s: content type %q", c.name, ct)
					}
				}
			}
		})
	}
}

// reads are the rows after which everything is as it was.
var reads = regexp.MustCompile("^(page |session host )?GET ")

// ask makes the row's request as the caller.
func (h *house) ask(t *testing.T, name string, c caller, contests bool) *http.Response {
	t.Helper()
	handler, header := c.come(t, h)
	if path, ok := strings.CutPrefix(name, "session host GET "); ok {
		return do(t, handler, "GET", path, "", append(header, "Host", h.sessionHost)...)
	}
	if page, ok := strings.CutPrefix(name, "page "); ok {
		return h.askPage(t, page, handler, c, header)
	}
	if strings.HasSuffix(name, "/use") {
		do(t, h.API.Public(), "POST", "/api/v1/admin/packs", "oci:x", "Authorization", "Bearer root")
	}
	method, path, _ := strings.Cut(name, " ")
	switch {
	case strings.Contains(path, "gpus"):
		path = strings.ReplaceAll(path, "{ref}", "0")
	case strings.Contains(path, "users"):
		path = strings.ReplaceAll(path, "{ref}", "alice@example.org")
	case strings.HasSuffix(path, "/events"):
		method = http.MethodHead // the stream has no end
	case strings.HasSuffix(path, "session-proxy"):
		header = append(header, "X-Forwarded-Host", h.sessionHost)
	case strings.HasSuffix(path, "tokens/{id}"):
		path = strings.ReplaceAll(path, "{id}", h.tokenID)
	case strings.HasSuffix(path, "me/sessions/{id}"):
		path = strings.ReplaceAll(path, "{id}", h.alice.Actor.CredentialID)
	}
	path = strings.ReplaceAll(path, "{ref}", "aaaaaa22")
	body := bodies[name]
	if strings.HasSuffix(path, "/login") {
		body = `{"email":"` + c.email + `","password":"correct horse"}`
	}
	if contests {
		path, body, header = contest(t, h.Host, name, path, header)
	}
	return do(t, handler, method, path, body, header...)
}

func (h *house) askPage(t *testing.T, page string, handler http.Handler, c caller, header []string) *http.Response {
	t.Helper()
	method, path, _ := strings.Cut(page, " ")
	body := ""
	switch page {
	case "GET /open":
		path += "?" + url.Values{"return": {"https://" + h.sessionHost + "/"}}.Encode()
	case "POST /signin":
		body = url.Values{"email": {c.email}, "password": {"correct horse"}}.Encode()
	}
	if method == "POST" {
		header = append(header, "Content-Type", "application/x-www-form-urlencoded")
	}
	return do(t, handler, method, path, body, header...)
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
