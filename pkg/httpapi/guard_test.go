package httpapi_test

import (
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
	"github.com/medforge/medforge/pkg/session"
)

func TestForeignPagesChangeNothing(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	h.Service.Add(row("aaaaaa22", session.Running), "")
	pub := h.API.Public()
	for _, c := range []struct {
		name   string
		header []string
		ok     bool
	}{
		{"no browser", nil, true},
		{"our page", []string{"Origin", base, "Sec-Fetch-Site", "same-origin"}, true},
		{"our page, old browser", []string{"Origin", base, "Host", "medforge.example.org"}, true},
		{"typed in", []string{"Sec-Fetch-Site", "none"}, true},
		{"another site", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, false},
		{"another site, old browser", []string{"Origin", "https://evil.example"}, false},
		{"a session's host", []string{"Origin", "https://s-aaaaaa22.medforge.example.org", "Sec-Fetch-Site", "same-site"}, false},
		{"a session's host that claims to be ours", []string{"Origin", "https://s-aaaaaa22.medforge.example.org", "Sec-Fetch-Site", "same-origin"}, false},
		{"same site without an origin", []string{"Sec-Fetch-Site", "same-site"}, false},
		{"null", []string{"Origin", "null"}, false},
		{"empty", []string{"Origin", ""}, false},
		{"other scheme", []string{"Origin", "http://medforge.example.org"}, false},
		{"other port", []string{"Origin", base + ":8443"}, false},
		{"suffix", []string{"Origin", base + ".evil.example"}, false},
		{"prefix", []string{"Origin", "https://evilmedforge.example.org"}, false},
		{"upper case", []string{"Origin", "https://MEDFORGE.example.org"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := append([]string{"Authorization", "Bearer alice"}, c.header...)
			resp := do(t, pub, "POST", "/api/v1/sessions/aaaaaa22/stop", "", header...)
			if !c.ok {
				wantProblem(t, resp, 403, api.CodeForeignOrigin)
			} else if resp.StatusCode != 202 {
				t.Errorf("status %d: %s", resp.StatusCode, read(t, resp))
			}
			if resp := do(t, pub, "GET", "/api/v1/me", "", header...); resp.StatusCode != 200 {
				t.Errorf("reading: status %d", resp.StatusCode)
			}
		})
	}
}

func TestTheSocketsAreNotForPages(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	in := h.API.Session(auth.Actor{UserID: httpapitest.Alice.ID, Role: auth.RoleUser}, "s")
	for _, header := range [][]string{
		{"Origin", base}, {"Origin", "null"}, {"Referer", base + "/"},
	} {
		wantProblem(t, do(t, in, "GET", "/api/v1/me", "", header...), 403, api.CodeForeignOrigin)
	}
	for _, host := range []string{"evil.example", "medforge.example.org", "127.0.0.1", "[::1]", "localhost.evil.example", "x:y:z"} {
		wantProblem(t, do(t, in, "GET", "/api/v1/me", "", "Host", host), 421, api.CodeUnknownHost)
	}
	for _, host := range []string{"medforge", "localhost", "localhost:80"} {
		if resp := do(t, in, "GET", "/api/v1/me", "", "Host", host); resp.StatusCode != 200 {
			t.Errorf("%s: %d", host, resp.StatusCode)
		}
	}
}

func TestInsideASessionTheCallerIsItsOwnerAndNoMore(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	in := h.API.Session(auth.Actor{UserID: httpapitest.Admin.ID, Role: auth.RoleAdmin, Via: auth.ViaSocket}, "the-session")
	me := data[api.Me](t, do(t, in, "GET", "/api/v1/me", "", "Authorization", "Bearer alice"))
	if me.UserID != httpapitest.Admin.ID || me.Role != "user" || me.Via != "session" || me.SessionID != "the-session" {
		t.Errorf("me %+v", me)
	}
	p := wantProblem(t, do(t, in, "POST", "/api/v1/sessions", "{}"), 403, api.CodeNotFromSession)
	if !strings.Contains(p.Detail, "inside a session") {
		t.Errorf("detail %q", p.Detail)
	}
}
