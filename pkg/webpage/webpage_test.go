package webpage_test

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/medforge/medforge/pkg/webpage"
	"github.com/medforge/medforge/web"
)

const inline = `self.__next_f.push([1,"a"])`

// export is a small one with all that a real one has.
func export() fstest.MapFS {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	return fstest.MapFS{
		"index.html":    file(`<!DOCTYPE html><script src="/_next/static/a.js" async=""></script><script>` + inline + `</script><p>home</p>`),
		"index.html.br": file("brotli of home"), "index.html.gz": file("gzip of home"),
		"404.html": file(`<p>not here</p>`), "competitions.html": file("list"), "competitions.txt": file("list data"),
		"competitions/_.html": file("one"), "competitions/_.txt": file("one data"), "competitions/_/board.html": file("board"),
		"competitions/_/__next._tree.txt": file("tree"), "competitions/__next._tree.txt": file("list tree"),
		"_next/static/a.js": file("js"), "_next/static/a.js.gz": file("gzip of js"), "icon.svg": file("<svg/>"),
	}
}

func get(t *testing.T, h http.Handler, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func open(t *testing.T) http.Handler {
	t.Helper()
	p, err := webpage.New(export())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPaths(t *testing.T) {
	t.Parallel()
	h := open(t)
	for path, want := range map[string]string{
		"/competitions": "200 list", "/competitions.txt": "200 list data", "/competitions/any-slug": "200 one",
		"/competitions/any-slug.txt": "200 one data", "/competitions/any.slug/board": "200 board",
		"/competitions/any-slug/__next._tree.txt": "200 tree", "/competitions/__next._tree.txt": "200 list tree",
		"/icon.svg": "200 <svg/>", "/_next/static/a.js": "200 js",
		"/competitions/a/b": "404 <p>not here</p>", "/nothing": "404 <p>not here</p>", "/index.html.br": "404 <p>not here</p>",
		"/competitions.html": "404 <p>not here</p>", "/_next": "404 <p>not here</p>", "/_next/static/": "308 ", "//evil.example/": "308 ",
	} {
		r := get(t, h, "GET", path)
		if got := strings.Split(r.Status, " ")[0] + " " + body(t, r); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
		if to := r.Header.Get("Location"); strings.HasPrefix(to, "//") {
			t.Errorf("%s leads to %s", path, to)
		}
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	h := open(t)
	etags := map[string]bool{}
	for accept, want := range map[string]string{
		"gzip, deflate, br": "brotli of home", "gzip": "gzip of home", "br;q=0, gzip;q=0.5": "gzip of home", "GZIP;q=0": "", "*": "", "": "",
	} {
		r := get(t, h, "GET", "/", "Accept-Encoding", accept)
		got := body(t, r)
		if (want == "") != strings.Contains(got, "<p>home") || want != "" && got != want {
			t.Errorf("%q: %q", accept, got)
		}
		if r.Header.Get("Vary") != "Accept-Encoding" || (want == "") != (r.Header.Get("Content-Encoding") == "") {
			t.Errorf("%q: %v", accept, r.Header)
		}
		tag := r.Header.Get("Etag")
		etags[tag] = true
		if again := get(t, h, "GET", "/", "Accept-Encoding", accept, "If-None-Match", tag); again.StatusCode != 304 || body(t, again) != "" {
			t.Errorf("%q again: %s", accept, again.Status)
		}
		if head := get(t, h, "HEAD", "/", "Accept-Encoding", accept); head.StatusCode != 200 || body(t, head) != "" || head.ContentLength != int64(len(got)) {
			t.Errorf("%q: HEAD %s, length %d for %d", accept, head.Status, head.ContentLength, len(got))
		}
	}
	if len(etags) != 3 {
		t.Errorf("%d entity tags for three forms", len(etags))
	}
	if r := get(t, h, "GET", "/nothing", "If-None-Match", "*"); r.StatusCode != 404 {
		t.Errorf("404 to somebody who has it: %s", r.Status)
	}
	if r := get(t, h, "POST", "/"); r.StatusCode != 405 || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %s", r.Status)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	h := open(t)
	sum := sha256.Sum256([]byte(inline))
	r := get(t, h, "GET", "/")
	policy := r.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "script-src 'self' 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"';") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	for name, want := range map[string]string{
		"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Content-Type": "text/html; charset=utf-8",
		"Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := get(t, h, "GET", "/_next/static/a.js").Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
		t.Errorf("a hashed file: %q", got)
	}
}

// TestAPageThatThePolicyWouldBreakIsRefused: at the start, not in a browser.
func TestAPageThatThePolicyWouldBreakIsRefused(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{
		"style": `<p style="color:red">`, "sheet": `<style>p{}</style>`, "handler": `<p onclick="x()">`,
	} {
		files := export()
		files["bad.html"] = &fstest.MapFile{Data: []byte(page)}
		if _, err := webpage.New(files); err == nil || !strings.Contains(err.Error(), "bad.html") {
			t.Errorf("%s: %v", name, err)
		}
	}
	files := export()
	delete(files, "404.html")
	if _, err := webpage.New(files); err == nil {
		t.Error("an export without a 404 page was taken")
	}
}

// TestTheRealExport is served whole, when this was built with it (-tags webpage).
func TestTheRealExport(t *testing.T) {
	t.Parallel()
	files := web.Files()
	if files == nil {
		t.Skip("the page is not in this build; go test -tags webpage after sh scripts/web")
	}
	h, err := webpage.New(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/signin", "/signup", "/sessions", "/sessions/abcd2345", "/competitions/x", "/competitions/x/leaderboard", "/datasets/x", "/gpus", "/account", "/admin/users"} {
		r := get(t, h, "GET", path, "Accept-Encoding", "br")
		if r.StatusCode != 200 || r.Header.Get("Content-Encoding") != "br" || !strings.Contains(r.Header.Get("Content-Security-Policy"), "'sha256-") {
			t.Errorf("%s: %s %v", path, r.Status, r.Header)
		}
	}
}
