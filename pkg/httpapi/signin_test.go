package httpapi_test

import (
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/httpapi"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
)

// browser keeps cookies by host and goes where it is sent, as far as asked.
type browser struct {
	t       *testing.T
	handler http.Handler
	jar     map[string]map[string]string
}

func newBrowser(t *testing.T, h *house) *browser {
	return &browser{t: t, handler: h.public(), jar: map[string]map[string]string{}}
}

func (b *browser) ask(method, to string, form url.Values) *http.Response {
	b.t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		b.t.Fatal(err)
	}
	header := []string{"Host", u.Host, "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	if form != nil {
		header = append(header, "Content-Type", "application/x-www-form-urlencoded", "Origin", u.Scheme+"://"+u.Host, "Sec-Fetch-Site", "same-origin")
	}
	var cookies []string
	for k, v := range b.jar[u.Host] {
		cookies = append(cookies, k+"="+v)
	}
	if len(cookies) > 0 {
		header = append(header, "Cookie", strings.Join(cookies, "; "))
	}
	resp := do(b.t, b.handler, method, u.RequestURI(), form.Encode(), header...)
	for _, c := range resp.Cookies() {
		if b.jar[u.Host] == nil {
			b.jar[u.Host] = map[string]string{}
		}
		if c.MaxAge < 0 {
			delete(b.jar[u.Host], c.Name)
		} else {
			b.jar[u.Host][c.Name] = c.Value
		}
	}
	return resp
}

// follow goes on while it is sent on, and returns where it ended.
func (b *browser) follow(method, to string, form url.Values) (string, *http.Response) {
	b.t.Helper()
	for range 8 {
		resp := b.ask(method, to, form)
		if resp.StatusCode != http.StatusSeeOther {
			return to, resp
		}
		base, err := url.Parse(to)
		if err != nil {
			b.t.Fatal(err)
		}
		next, err := base.Parse(resp.Header.Get("Location"))
		if err != nil {
			b.t.Fatal(err)
		}
		method, to, form = "GET", next.String(), nil
	}
	b.t.Fatalf("sent round in circles, now at %s", to)
	return "", nil
}

func TestAVisitorSignsInAndComesBack(t *testing.T) {
	t.Parallel()
	h := openHouse(t, httpapitest.Options{})
	b := newBrowser(t, h)
	wanted := "https://" + h.sessionHost + "/?folder=/workspace&a=b%20c"
	at, resp := b.follow("GET", wanted, nil)
	page := string(read(t, resp))
	if resp.StatusCode != 200 || !strings.HasPrefix(at, base+"/signin?return=") || !strings.Contains(page, `value="`+html.EscapeString(wanted)+`"`) {
		t.Fatalf("%d at %s: %s", resp.StatusCode, at, page)
	}
	csp := resp.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self' https://" + h.sessionHost + ";"} {
		if !strings.Contains(csp, want) {
			t.Errorf("no %q in %s", want, csp)
		}
	}
	if resp.Header.Get("Referrer-Policy") != "same-origin" || strings.Contains(page, "<script") {
		t.Errorf("%v", resp.Header)
	}
	_, resp = b.follow("POST", base+"/signin", url.Values{"email": {"alice@example.org"}, "password": {"wrong"}, "return": {wanted}})
	page = string(read(t, resp))
	if resp.StatusCode != 401 || !strings.Contains(page, `role="alert"`) || !strings.Contains(page, `value="alice@example.org"`) ||
		!strings.Contains(page, html.EscapeString(wanted)) || strings.Contains(page, "wrong\"") {
		t.Errorf("%d %s", resp.StatusCode, page)
	}
	at, resp = b.follow("POST", base+"/signin", url.Values{"email": {"alice@example.org"}, "password": {httpapitest.Password}, "return": {wanted}})
	if body := string(read(t, resp)); at != wanted || resp.StatusCode != 200 || body != ideAnswer {
		t.Fatalf("%d at %s: %s", resp.StatusCode, at, body)
	}
	// Signed in already: straight back, and the page says who.
	if at, _ = b.follow("GET", base+"/signin?"+url.Values{"return": {wanted}}.Encode(), nil); at != wanted {
		t.Errorf("at %s", at)
	}
	_, resp = b.follow("GET", base+"/", nil)
	if page = string(read(t, resp)); !strings.Contains(page, "signed in as Alice") || !strings.Contains(page, "https://"+h.sessionHost+"/") {
		t.Errorf("%s", page)
	}
	if at, resp = b.follow("POST", base+"/signout", url.Values{}); at != base+"/signin" || !strings.Contains(string(read(t, resp)), "Sign in to MedForge") {
		t.Errorf("signed out, at %s", at)
	}
	// That ended the session host's cookie too; the browser asks anew, once.
	if at, resp = b.follow("GET", wanted, nil); resp.StatusCode != 200 || !strings.HasPrefix(at, base+"/signin") || len(b.jar[h.sessionHost]) != 0 {
		t.Errorf("%d at %s with %v", resp.StatusCode, at, b.jar)
	}
}

func TestAnotherUserIsNotTakenIn(t *testing.T) {
	t.Parallel()
	h := openHouse(t, httpapitest.Options{})
	b := newBrowser(t, h)
	wanted := "https://" + h.sessionHost + "/"
	at, resp := b.follow("POST", base+"/signin", url.Values{"email": {"bob@example.org"}, "password": {httpapitest.Password}, "return": {wanted}})
	if body := string(read(t, resp)); resp.StatusCode != 403 || !strings.HasPrefix(at, base+"/open") || !strings.Contains(body, "somebody else") {
		t.Errorf("%d at %s: %s", resp.StatusCode, at, body)
	}
}

// Signing in leads to a session's host, exactly as it is configured, or stays.
func TestSignInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	h := openHouse(t, httpapitest.Options{})
	for _, target := range []string{
		"", "/", "//evil.example", "https://evil.example/", "http://" + h.sessionHost + "/", "https://" + h.sessionHost + ":8443/",
		"https://" + h.sessionHost + ".evil.example/", "https://evil-" + h.sessionHost + "/", "https://" + h.sessionHost + "@evil.example/",
		"https://medforge.example.org/", "https://S-AAAAAA22.medforge.example.org/", "https://" + h.sessionHost + "\\@evil.example",
		"javascript:alert(1)", "https:" + h.sessionHost, "https://" + h.sessionHost + "/\r\nX: y", "\thttps://" + h.sessionHost + "/",
	} {
		b := newBrowser(t, h)
		resp := b.ask("POST", base+"/signin", url.Values{"email": {"alice@example.org"}, "password": {httpapitest.Password}, "return": {target}})
		if got := resp.Header.Get("Location"); resp.StatusCode != 303 || got != "/signin" {
			t.Errorf("return %q leads to %d %q", target, resp.StatusCode, got)
		}
		resp = newBrowser(t, h).ask("GET", base+"/signin?"+url.Values{"return": {target}}.Encode(), nil)
		if page := string(read(t, resp)); !strings.Contains(page, `name="return" value=""`) || strings.Contains(resp.Header.Get("Content-Security-Policy"), "evil") {
			t.Errorf("return %q is kept: %s", target, page)
		}
	}
}

func TestTheSignInFormIsOursAlone(t *testing.T) {
	t.Parallel()
	h := openHouse(t, httpapitest.Options{})
	form := url.Values{"email": {"alice@example.org"}, "password": {httpapitest.Password}}.Encode()
	ctype := []string{"Content-Type", "application/x-www-form-urlencoded"}
	post := func(body string, header ...string) *http.Response {
		return do(t, h.public(), "POST", "/signin", body, append(header, ctype...)...)
	}
	for _, header := range [][]string{
		{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Origin", "https://" + h.sessionHost}, {"Sec-Fetch-Site", "same-site"},
	} {
		resp := post(form, header...)
		wantProblem(t, resp, 403, api.CodeForeignOrigin)
		if len(resp.Cookies()) != 0 {
			t.Errorf("%v signs in", header)
		}
	}
	wantProblem(t, do(t, h.public(), "POST", "/signin", `{}`), 415, api.CodeUnsupportedMedia)
	wantProblem(t, post(strings.Repeat("a", 20<<10)), 413, api.CodeTooLarge)
	wantProblem(t, post("a=%zz"), 400, api.CodeMalformedRequest)
	resp := do(t, h.public(), "DELETE", "/signin", "")
	wantProblem(t, resp, 405, api.CodeMethodNotAllowed)
	if got := resp.Header.Get("Allow"); got != "GET, POST" {
		t.Errorf("Allow %q", got)
	}
	wantProblem(t, do(t, h.public(), "GET", "/signin", "", "Host", "api.medforge.example.org"), 404, api.CodeUnknownPath)
	if resp := do(t, h.public(), "GET", "/api/v1/competitions", "", "Host", "api.medforge.example.org"); resp.StatusCode != 404 && resp.StatusCode != 200 {
		t.Errorf("the API's host: %d", resp.StatusCode)
	}
	// What is typed comes back as text, whatever it is.
	page := string(read(t, post(url.Values{"email": {`"><script>alert(1)</script>@example.org`}, "password": {"x"}}.Encode())))
	if strings.Contains(page, "<script") {
		t.Errorf("%s", page)
	}
	for range 8 {
		resp = post(url.Values{"email": {"bob@example.org"}, "password": {"wrong"}}.Encode())
	}
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}

// The web page takes the same path over, and everything that is no API.
func TestTheWebPageTakesOver(t *testing.T) {
	t.Parallel()
	h := openHouse(t, httpapitest.Options{Edit: func(o *httpapi.Options) {
		o.Pages.Web = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "web "+r.URL.Path) })
	}})
	for _, path := range []string{"/", "/signin", "/competitions/titanic", "/apiary"} {
		if got := string(read(t, do(t, h.public(), "GET", path, ""))); got != "web "+path {
			t.Errorf("%s: %s", path, got)
		}
	}
	for path, want := range map[string]int{"/healthz": 200, "/api/v1/me": 401, "/api/v2/me": 404, "/api": 404, "/open": 400} {
		if resp := do(t, h.public(), "GET", path, ""); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
}

// A body that comes too slowly, or a head that is too large, is not waited for.
func TestSlowAndLarge(t *testing.T) {
	t.Parallel()
	h := openHouse(t, httpapitest.Options{})
	srv := httptest.NewUnstartedServer(h.public())
	srv.Config.MaxHeaderBytes = 8 << 10
	srv.Start()
	t.Cleanup(srv.Close)
	for _, c := range []struct{ name, request, want string }{
		{"slow JSON", "POST /api/v1/auth/login HTTP/1.1\r\nHost: medforge.example.org\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", " 408 "},
		{"slow form", "POST /signin HTTP/1.1\r\nHost: medforge.example.org\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nemail=", " 408 "},
		{"large head", "GET /healthz HTTP/1.1\r\nHost: medforge.example.org\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n", " 431 "},
		{"two lengths", "POST /signin HTTP/1.1\r\nHost: medforge.example.org\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", " 400 "},
		{"length and chunks", "POST /api/v1/auth/login HTTP/1.1\r\nHost: medforge.example.org\r\nContent-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", " 400 "},
		{"a line end in a header", "GET /healthz HTTP/1.1\r\nHost: medforge.example.org\r\nX: a\rb\r\n\r\n", " 400 "},
		{"two hosts", "GET /healthz HTTP/1.1\r\nHost: medforge.example.org\r\nHost: evil.example\r\n\r\n", " 400 "},
		{"absolute form of another host", "GET http://evil.example/healthz HTTP/1.1\r\nHost: medforge.example.org\r\n\r\n", " 421 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(60 * time.Second))
			if _, err := io.WriteString(conn, c.request); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 64)
			n, err := io.ReadAtLeast(conn, got, 16)
			if err != nil || !strings.Contains(string(got[:n]), c.want) {
				t.Errorf("%q %v, want%s", got[:n], err, c.want)
			}
		})
	}
}
