package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/medforge/medforge/pkg/testkit/minipack"
)

// miniHost has the small Pack whose IDE is a stand-in that answers the health
// check: for all that is not about VS Code itself.
func miniHost(t *testing.T, more string) *host {
	t.Helper()
	h := newHost(t, more)
	h.importMini()
	return h
}

// importMini imports the small Pack, which is used when it is the first.
func (h *host) importMini() {
	h.t.Helper()
	archive := filepath.Join(h.dir, "mini.tar")
	if err := os.WriteFile(archive, minipack.Build(h.t), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.must("admin", "pack", "import", archive)
}

// The one-time link: good once, for its host alone, becomes a cookie, leads to
// a clean address; and what the public listener answers without it.
func TestProxyStatuses(t *testing.T) {
	t.Parallel()
	h := miniHost(t, "")
	s := h.start()
	sessionHost := "s-" + s.Slug + ".medforge.localhost"

	for _, c := range []struct {
		what, host, path string
		want             int
	}{
		{"not signed in", sessionHost, "/", http.StatusUnauthorized},
		{"unknown session", "s-aaaaaaaa.medforge.localhost", "/", http.StatusUnauthorized},
		{"unknown host", "example.net", "/", http.StatusMisdirectedRequest},
		{"a host that begins like ours", "medforge.localhost.example.net", "/", http.StatusMisdirectedRequest},
		{"forward-auth by a session's own host", sessionHost, "/api/v1/auth/session-proxy", http.StatusForbidden},
		{"health", "medforge.localhost", "/healthz", http.StatusOK},
	} {
		if resp := h.get(c.host, c.path); resp.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", c.what, resp.StatusCode, c.want)
		}
	}

	link, err := url.Parse(h.link(s.Slug))
	if err != nil {
		t.Fatal(err)
	}
	if link.Hostname() != sessionHost {
		t.Fatalf("link is for %s", link.Hostname())
	}
	if resp := h.get("s-aaaaaaaa.medforge.localhost", link.RequestURI()); resp.StatusCode/100 == 2 || len(resp.Cookies()) > 0 {
		t.Errorf("a ticket at another host: %d, cookies %v", resp.StatusCode, resp.Cookies())
	}
	link, err = url.Parse(h.link(s.Slug)) // the try at the other host has used that one up
	if err != nil {
		t.Fatal(err)
	}
	resp := h.get(sessionHost, link.RequestURI())
	if resp.StatusCode/100 != 3 || strings.Contains(resp.Header.Get("Location"), link.Query().Get("ticket")) {
		t.Fatalf("entering: %d to %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	cookies := resp.Cookies()
	if len(cookies) != 1 || cookies[0].Domain != "" || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode {
		t.Fatalf("cookies = %v", cookies)
	}
	if again := h.get(sessionHost, link.RequestURI()); len(again.Cookies()) > 0 && again.Cookies()[0].MaxAge >= 0 {
		t.Errorf("the same link again: %d, cookies %v", again.StatusCode, again.Cookies())
	}
	ok := h.get(sessionHost, "/healthz", cookies...)
	var body struct {
		Status string `json:"status"`
	}
	if err := json.NewDecoder(ok.Body).Decode(&body); err != nil || ok.StatusCode != http.StatusOK || body.Status == "" {
		t.Errorf("through the proxy: %d, %+v, %v", ok.StatusCode, body, err)
	}
	if resp := h.get("s-aaaaaaaa.medforge.localhost", "/", cookies...); resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the cookie at another session's host: %d", resp.StatusCode)
	}
	h.must("session", "stop", s.Slug)
	if resp := h.get(sessionHost, "/healthz", cookies...); resp.StatusCode == http.StatusOK {
		t.Errorf("a stopped session still answers")
	}
}

// SIGKILL to the daemon: the session lives on, a second daemon on the same
// folder is refused, and the next one takes the session up again.
func TestDaemonKilled(t *testing.T) {
	t.Parallel()
	h := miniHost(t, "")
	s := h.start()
	for _, kind := range []string{"session.start", "session.running"} {
		h.eventually("a line "+kind+" on stdout", func() bool { return strings.Contains(h.events(), `"event":"`+kind+`"`) })
	}
	h.signal(syscall.SIGKILL)
	if _, errOut, code := h.run("session", "list"); code != 6 || !strings.Contains(errOut, "systemctl start medforged") {
		t.Errorf("without a daemon: exit %d, %s", code, errOut)
	}
	h.up()
	if got := h.session(s.Slug); got.Status != "running" {
		t.Errorf("after the restart the session is %s: %s", got.Status, got.ErrorMessage)
	}
	h.must("session", "stop", s.Slug)
}

// Exit codes and messages of what goes wrong.
func TestBadInput(t *testing.T) {
	t.Parallel()
	h := miniHost(t, "[session]\nper_user = 1\n")
	s := h.start()
	for _, c := range []struct {
		args []string
		code int
		say  string
	}{
		{[]string{"session", "start"}, 5, "medforge session"},
		{[]string{"session", "start", "--tier", "private"}, 1, "not offered"},
		{[]string{"session", "show", "zzzzzzzz"}, 3, "medforge session list"},
		{[]string{"session", "stop", "zzzzzzzz"}, 3, "medforge session list"},
		{[]string{"session", "start", "--from", s.Slug}, 5, "no snapshot"},
		{[]string{"sesion", "list"}, 2, "medforge session"},
		{[]string{"admin", "pack", "use", "sha256:" + strings.Repeat("0", 64)}, 3, "Pack"},
	} {
		_, errOut, code := h.run(c.args...)
		if code != c.code || !strings.Contains(errOut, c.say) {
			t.Errorf("medforge %s: exit %d, want %d; said %q, want %q in it", strings.Join(c.args, " "), code, c.code, errOut, c.say)
		}
	}
	h.must("session", "stop", s.Slug)
	if out := h.must("session", "stop", s.Slug); strings.Contains(out, "error") {
		t.Errorf("stopped twice: %s", out)
	}
}
