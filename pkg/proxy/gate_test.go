package proxy_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/proxy"
)

const html = "Accept: text/html"

func TestTheOneTimeLink(t *testing.T) {
	t.Parallel()
	r := open(t)
	ticket, _, err := r.accounts.Ticket(t.Context(), r.ada.Actor, "id-"+slugA, r.ada.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	link := proxy.Hosts{Domain: domain, Port: r.port}.TicketURL(slugA, ticket, "/?folder=/workspace&x=1")
	u, _ := url.Parse(link)
	if u.Host != r.host(slugA) {
		t.Fatalf("link %s", link)
	}
	res := r.get(u.Host, u.RequestURI(), html)
	c := res.Cookies()
	if res.StatusCode != 303 || len(c) != 1 || c[0].Name != "medforge_ide" || c[0].Domain != "" || !c[0].HttpOnly ||
		c[0].SameSite != http.SameSiteLaxMode || c[0].Path != "/" || c[0].Secure || c[0].MaxAge < 29*86400 {
		t.Fatalf("%d %+v", res.StatusCode, res.Header)
	}
	cookie := "Cookie: medforge_ide=" + c[0].Value
	next := res.Header.Get("Location")
	if strings.Contains(next, ticket) || res.Header.Get("Referrer-Policy") != "no-referrer" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%q %+v", next, res.Header)
	}
	// A browser that keeps no cookie is told so and not sent round.
	if res := r.get(u.Host, next, html); res.StatusCode != 401 || !strings.Contains(text(res), "cookie") {
		t.Errorf("without the cookie: %d", res.StatusCode)
	}
	res = r.get(u.Host, next, html, cookie)
	if res.StatusCode != 303 || res.Header.Get("Location") != "/?folder=/workspace&x=1" {
		t.Fatalf("%d %q", res.StatusCode, res.Header.Get("Location"))
	}
	if res = r.get(u.Host, res.Header.Get("Location"), cookie); res.StatusCode != 200 || text(res) != "ide GET /?folder=/workspace&x=1 " {
		t.Fatalf("%d", res.StatusCode)
	}
	// Replay: with the cookie it just goes on, without it is refused.
	if res = r.get(u.Host, u.RequestURI(), html, cookie); res.StatusCode != 303 || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("reloaded: %d", res.StatusCode)
	}
	if res = r.get(u.Host, u.RequestURI(), html); res.StatusCode != 401 || !strings.Contains(text(res), "medforge session open "+slugA) {
		t.Errorf("replayed: %d", res.StatusCode)
	}
	if strings.Contains(r.ide.all(), ticket) || strings.Contains(r.ide.all(), c[0].Value) {
		t.Error("the IDE saw the ticket or the cookie")
	}
}

func TestTicketsThatDoNotOpen(t *testing.T) {
	t.Parallel()
	r := open(t)
	ticket := func() string {
		s, _, err := r.accounts.Ticket(t.Context(), r.ada.Actor, "id-"+slugA, r.ada.User.ID)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	late, head := ticket(), ticket()
	if res := r.do("HEAD", r.host(slugA), "/.medforge/enter?ticket="+head); res.StatusCode != 404 {
		t.Errorf("HEAD: %d", res.StatusCode)
	}
	if res := r.get(r.host(slugA), "/.medforge/enter?ticket="+head); res.StatusCode != 303 {
		t.Errorf("a HEAD before used the ticket up: %d", res.StatusCode)
	}
	for name, c := range map[string][2]string{
		"none":         {slugA, ""},
		"nonsense":     {slugA, "x%00%0d%0aSet-Cookie:a=b"},
		"another host": {slugB, ticket()},
		"unknown slug": {"zzzzzzzz", ticket()},
		"huge":         {slugA, strings.Repeat("A", 8000)},
	} {
		res := r.get(r.host(c[0]), "/.medforge/enter?ticket="+c[1])
		if res.StatusCode != 401 || len(res.Cookies()) != 0 {
			t.Errorf("%s: %d %+v", name, res.StatusCode, res.Cookies())
		}
	}
	r.later(time.Minute)
	if res := r.get(r.host(slugA), "/.medforge/enter?ticket="+late); res.StatusCode != 401 {
		t.Errorf("after a minute: %d", res.StatusCode)
	}
	if res := r.get(r.host(slugA), "/.medforge/other"); res.StatusCode != 404 {
		t.Errorf("another path of ours: %d", res.StatusCode)
	}
	if len(r.ide.all()) != 0 {
		t.Errorf("the IDE saw %q", r.ide.all())
	}
}

// TestMatrix is the session host's row of the authorisation matrix.
func TestMatrix(t *testing.T) {
	t.Parallel()
	r := open(t)
	token := func(a auth.Actor) string {
		s, _, err := r.accounts.CreateToken(t.Context(), a, "t", 0)
		if err != nil {
			t.Fatal(err)
		}
		return "Authorization: Bearer " + s
	}
	ada, bob, admin := r.enter(r.ada.Actor, slugA), r.enter(r.bob.Actor, slugB), r.enter(r.admin, slugA)
	stale := "Cookie: medforge_ide=" + strings.Repeat("A", 43)
	gone, disabled := "zzzzzzzz", "cccccccc"
	carol, err := r.accounts.SignUp(t.Context(), account.NewAccount{Email: "carol@example.org", Password: pass}, account.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	r.sessions.run(disabled, carol.User.ID)
	carols, carolsToken := r.enter(carol.Actor, disabled), token(carol.Actor)
	yes := true
	if _, _, err := r.accounts.SetUser(t.Context(), r.admin, carol.User.ID, account.UserChange{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, slug, header string
		want               int
	}{
		{"anonymous", slugA, "", 401},
		{"anonymous, unknown slug", gone, "", 401},
		{"owner", slugA, ada, 200},
		{"owner's token", slugA, token(r.ada.Actor), 200},
		{"admin", slugA, admin, 200},
		{"admin's token", slugA, token(r.admin), 200},
		{"other user's cookie of another host", slugA, bob, 401},
		{"other user's token", slugA, token(r.bob.Actor), 403},
		{"admin's cookie of another host", slugB, admin, 401},
		{"stale cookie", slugA, stale, 401},
		{"unknown token", slugA, "Authorization: Bearer mf_" + strings.Repeat("A", 43), 401},
		{"MedForge's own cookie", slugA, "Cookie: medforge_session=" + r.ada.Secret, 401},
		{"MedForge's own cookie by this name", slugA, "Cookie: medforge_ide=" + r.ada.Secret, 401},
		{"the name behind TLS", slugA, strings.Replace(ada, "medforge_ide", "__Host-medforge_ide", 1), 401},
		{"stale and good", slugA, stale + "; " + strings.TrimPrefix(ada, "Cookie: "), 200},
		{"owner, unknown slug", gone, ada, 404},
		{"token, unknown slug", gone, token(r.ada.Actor), 404},
		{"disabled", disabled, carols, 401},
		{"disabled's token", disabled, carolsToken, 401},
	} {
		var lines []string
		if c.header != "" {
			lines = append(lines, c.header)
		}
		if res := r.get(r.host(c.slug), "/", lines...); res.StatusCode != c.want {
			t.Errorf("%s: %d, want %d: %s", c.name, res.StatusCode, c.want, text(res))
		}
		h := http.Header{}
		if k, v, ok := strings.Cut(c.header, ": "); ok {
			h.Set(k, v)
		}
		_, err := r.proxy.Check(r.host(c.slug), h)
		want := map[int]fault.Kind{200: "", 401: fault.Unauthenticated, 403: fault.Denied, 404: fault.NotFound}[c.want]
		if fault.KindOf(err) != want {
			t.Errorf("%s: Check says %v", c.name, err)
		}
	}
	if _, err := r.proxy.Check(r.mainHost(), nil); !fault.Is(err, fault.Misdirected) {
		t.Errorf("Check of the main host: %v", err)
	}
	// A cookie that opens nothing is expired, so that it is not sent for ever.
	res := r.get(r.host(slugA), "/", stale)
	if c := res.Cookies(); len(c) != 1 || c[0].MaxAge >= 0 || c[0].Value != "" {
		t.Errorf("stale: %+v", c)
	}
	// Somebody who owned the session and no longer does.
	r.sessions.set(slugA, func(v *proxy.View) { v.UserID = r.bob.User.ID })
	if res := r.get(r.host(slugA), "/", ada); res.StatusCode != 403 {
		t.Errorf("no longer the owner: %d", res.StatusCode)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	r := open(t)
	ada := r.enter(r.ada.Actor, slugA)
	check := func(name string, res *http.Response, status int, words ...string) {
		t.Helper()
		body := text(res)
		if res.StatusCode != status || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") ||
			!strings.Contains(res.Header.Get("Content-Security-Policy"), "default-src 'none'") || res.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: %d %+v", name, res.StatusCode, res.Header)
		}
		for _, w := range words {
			if !strings.Contains(body, w) {
				t.Errorf("%s: no %q in %s", name, w, body)
			}
		}
	}
	check("signed out", r.get(r.host(slugA), "/", html), 401, "medforge session open "+slugA)
	r.sessions.set(slugA, func(v *proxy.View) { v.Running, v.Status = false, "starting" })
	check("starting", r.get(r.host(slugA), "/", html, ada), 404, `http-equiv="refresh"`, "medforge session show "+slugA)
	r.sessions.stop(slugA)
	check("stopped", r.get(r.host(slugA), "/", html, ada), 404, "medforge session start --from "+slugA)
	res := r.get(r.host(slugA), "/", ada)
	if res.StatusCode != 404 || res.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(text(res), "sessions/not-running") {
		t.Errorf("not a browser: %d %+v", res.StatusCode, res.Header)
	}
	check("dead IDE", r.get(r.host(slugB), "/", html, r.enter(r.bob.Actor, slugB)), 502, "medforge session logs "+slugB)
}

func TestSignInAndBack(t *testing.T) {
	t.Parallel()
	r := open(t, func(o *proxy.Options) { o.OpenPath, o.SignInPath = "/open", "/signin" })
	res := r.get(r.host(slugA), "/a%20b?x=1&y", html)
	first, _ := url.Parse(res.Header.Get("Location"))
	if res.StatusCode != 303 || first.Host != r.mainHost() || first.Path != "/open" {
		t.Fatalf("%d %s", res.StatusCode, first)
	}
	res = r.get(first.Host, first.RequestURI(), html)
	signin, _ := url.Parse(res.Header.Get("Location"))
	if res.StatusCode != 303 || signin.Host != r.mainHost() || signin.Path != "/signin" || signin.Query().Get("return") != first.Query().Get("return") {
		t.Fatalf("%d %s", res.StatusCode, signin)
	}
	me := "Cookie: medforge_session=" + r.ada.Secret
	res = r.get(first.Host, first.RequestURI(), html, me)
	ticket, _ := url.Parse(res.Header.Get("Location"))
	if res.StatusCode != 303 || ticket.Host != r.host(slugA) {
		t.Fatalf("%d %s", res.StatusCode, ticket)
	}
	res = r.get(ticket.Host, ticket.RequestURI(), html)
	cookie := "Cookie: medforge_ide=" + res.Cookies()[0].Value
	res = r.get(ticket.Host, res.Header.Get("Location"), html, cookie)
	if res.Header.Get("Location") != "/a%20b?x=1&y" {
		t.Fatalf("back at %q", res.Header.Get("Location"))
	}
	// Signing out ends what came of it.
	if err := r.accounts.SignOut(t.Context(), r.ada.Actor); err != nil {
		t.Fatal(err)
	}
	if res := r.get(r.host(slugA), "/", html, cookie); res.StatusCode != 303 || res.Cookies()[0].MaxAge >= 0 {
		t.Errorf("after signing out: %d %+v", res.StatusCode, res.Header)
	}
	// A request of a script is not sent to a page.
	if res := r.get(r.host(slugA), "/", html, "Sec-Fetch-Mode: cors"); res.StatusCode != 401 {
		t.Errorf("a script: %d", res.StatusCode)
	}
	// Somebody else, and targets that are not a session's host.
	bob := "Cookie: medforge_session=" + r.bob.Secret
	if res := r.get(r.mainHost(), first.RequestURI(), html, bob); res.StatusCode != 403 {
		t.Errorf("not his: %d", res.StatusCode)
	}
	for _, target := range []string{
		"", "/", "https://evil.example/", "//evil.example/", "http://evil.example/", "javascript:alert(1)",
		"https://" + r.host(slugA) + "/",                               // another scheme
		"http://s-" + slugA + ".medforge." + domain + "/",              // another port
		"http://s-" + slugA + ".medforge." + domain + ".evil.example/", // our name as a prefix
		"http://evil-s-" + slugA + ".medforge." + domain + "/",         // as a suffix
		"http://" + r.host(slugA) + "@evil.example/", "http://x@" + r.host(slugA) + "/",
		"http://" + r.mainHost() + "/", "http://S-" + slugA + ".medforge." + domain + ":" + r.port + "/",
		"http://" + r.host(slugA) + "\\@evil.example/", "http:/" + r.host(slugA) + "/", "http://" + r.host(slugA) + "/\r\nSet-Cookie: a=b",
	} {
		res := r.get(r.mainHost(), "/open?"+url.Values{"return": {target}}.Encode(), html, bob)
		if res.StatusCode != 400 {
			t.Errorf("return to %q: %d %s", target, res.StatusCode, res.Header.Get("Location"))
		}
	}
}

// Another page may link to the way in, and not pull it into itself.
func TestNoPageSignsItsVisitorIn(t *testing.T) {
	t.Parallel()
	r := open(t, func(o *proxy.Options) { o.OpenPath, o.SignInPath = "/open", "/signin" })
	ticket, _, err := r.accounts.Ticket(t.Context(), r.ada.Actor, "id-"+slugA, r.ada.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	me := "Cookie: medforge_session=" + r.ada.Secret
	enter, take := "/.medforge/enter?ticket="+ticket, "/open?"+url.Values{"return": {"http://" + r.host(slugA) + "/"}}.Encode()
	for _, lines := range [][]string{
		{"Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}, {"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}, {"Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"},
	} {
		if res := r.get(r.host(slugA), enter, lines...); res.StatusCode != 403 || len(res.Cookies()) != 0 {
			t.Errorf("%v: %d %v", lines, res.StatusCode, res.Cookies())
		}
		if res := r.get(r.mainHost(), take, append(lines, me)...); res.StatusCode != 403 || res.Header.Get("Location") != "" {
			t.Errorf("open, %v: %d", lines, res.StatusCode)
		}
	}
	link := []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", html}
	if res := r.get(r.mainHost(), take, append(link, me)...); res.StatusCode != 303 {
		t.Errorf("open by a link: %d", res.StatusCode)
	}
	if res := r.get(r.host(slugA), enter, link...); res.StatusCode != 303 || len(res.Cookies()) != 1 {
		t.Errorf("the ticket was used up: %d", res.StatusCode)
	}
}

func TestCookieBehindTLS(t *testing.T) {
	t.Parallel()
	r := open(t, func(o *proxy.Options) { o.Hosts.Secure = true })
	ticket, _, _ := r.accounts.Ticket(t.Context(), r.ada.Actor, "id-"+slugA, r.ada.User.ID)
	res := r.get(r.host(slugA), "/.medforge/enter?ticket="+ticket)
	if c := res.Cookies(); len(c) != 1 || c[0].Name != "__Host-medforge_ide" || !c[0].Secure || c[0].Path != "/" || c[0].Domain != "" {
		t.Fatalf("%+v", res.Header)
	}
	secret := res.Cookies()[0].Value
	if res := r.get(r.host(slugA), "/", "Cookie: __Host-medforge_ide="+secret); res.StatusCode != 200 {
		t.Errorf("%d", res.StatusCode)
	}
	if res := r.get(r.host(slugA), "/", "Cookie: medforge_ide="+secret); res.StatusCode != 401 {
		t.Errorf("by the name that any host can set: %d", res.StatusCode)
	}
}

func TestTheCheckAllocatesNothing(t *testing.T) {
	r := open(t)
	h := http.Header{}
	k, v, _ := strings.Cut(r.enter(r.ada.Actor, slugA), ": ")
	h.Set(k, "a=b; vscode-tkn=x; "+v)
	host := r.host(slugA)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := r.proxy.Check(host, h); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
