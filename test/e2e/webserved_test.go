package e2e

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var hashed = regexp.MustCompile(`"(/_next/static/[^"]+\.js)"`)

// pageIsServedWell checks how the page comes: to whatever address with a slug,
// compressed when it was built, asked for again by its ETag or kept for a year,
// and with a policy that runs nothing inline but what it came with.
func pageIsServedWell(t *testing.T, h *host, name string) {
	t.Helper()
	for _, path := range []string{"/", "/signin", "/sessions/abcd2345", "/competitions/any-slug/leaderboard", "/datasets/any.slug", "/admin/users"} {
		page, _ := ask(t, h, name, path, "Accept-Encoding", "br")
		scripts := policyOf(page, "script-src")
		if page.StatusCode != http.StatusOK || page.Header.Get("Content-Encoding") != "br" || !strings.Contains(scripts, "'sha256-") || strings.Contains(scripts, "unsafe") || policyOf(page, "default-src") != "'none'" {
			t.Errorf("%s: %s %v", path, page.Status, page.Header)
		}
		tag := page.Header.Get("Etag")
		if again, body := ask(t, h, name, path, "Accept-Encoding", "br", "If-None-Match", tag); tag == "" || again.StatusCode != http.StatusNotModified || body != "" {
			t.Errorf("%s, with its ETag %q: %s", path, tag, again.Status)
		}
	}
	_, text := ask(t, h, name, "/", "Accept-Encoding", "identity")
	found := hashed.FindStringSubmatch(text)
	if found == nil {
		t.Fatal("the first page names no script")
	}
	script, _ := ask(t, h, name, found[1], "Accept-Encoding", "br")
	if script.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || script.Header.Get("Content-Encoding") != "br" {
		t.Errorf("%s: %s %v", found[1], script.Status, script.Header)
	}
	if page, _ := ask(t, h, name, "/no/such/page", "Accept-Encoding", "br"); page.StatusCode != http.StatusNotFound {
		t.Errorf("an address that is none: %s", page.Status)
	}
}

// policyOf returns what a page's policy says for one kind of content.
func policyOf(page *http.Response, kind string) string {
	for rule := range strings.SplitSeq(page.Header.Get("Content-Security-Policy"), "; ") {
		if sources, ok := strings.CutPrefix(rule, kind+" "); ok {
			return sources
		}
	}
	return ""
}

// ask gets a path as it is sent, header being names and values in turns.
func ask(t *testing.T, h *host, name, path string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", h.port, path), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = name
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}
