package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/medforge/medforge/pkg/api"
)

const password = "correct horse"

// visitor is a browser's worth of HTTP: cookies by host, redirects followed.
type visitor struct {
	h *host
	*http.Client
}

func (h *host) visitor() *visitor {
	h.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", h.port))
	}}
	h.t.Cleanup(tr.CloseIdleConnections)
	return &visitor{h: h, Client: &http.Client{Jar: jar, Transport: tr, Timeout: 30 * time.Second}}
}

// main is the URL of a path on MedForge's own host.
func (h *host) main(path string) string {
	return fmt.Sprintf("http://medforge.localhost:%d%s", h.port, path)
}

// open asks for a page as a browser does, and returns where it ended, its
// status and what it says.
func (v *visitor) open(to string) (at string, status int, body string) {
	v.h.t.Helper()
	req, err := http.NewRequestWithContext(v.h.t.Context(), http.MethodGet, to, nil)
	if err != nil {
		v.h.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	return v.end(v.Do(req))
}

// signIn signs in as MedForge's page does, and goes on to where the visitor
// wanted to be.
func (v *visitor) signIn(email, wanted string) (at string, status int, body string) {
	v.h.t.Helper()
	if at, status, body = v.post(v.h.main("/api/v1/auth/login"), api.Login{Email: email, Password: password}); status != http.StatusOK {
		return at, status, body
	}
	return v.open(v.h.main("/open?" + url.Values{"return": {wanted}}.Encode()))
}

// post sends JSON.
func (v *visitor) post(to string, in any) (at string, status int, body string) {
	v.h.t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		v.h.t.Fatal(err)
	}
	return v.end(v.Post(to, "application/json", bytes.NewReader(raw)))
}

func (v *visitor) end(resp *http.Response, err error) (string, int, string) {
	v.h.t.Helper()
	if err != nil {
		v.h.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.h.t.Fatal(err)
	}
	return resp.Request.URL.String(), resp.StatusCode, string(body)
}

// signUp makes an account over HTTP and is signed in then.
func (h *host) signUp(email string) *visitor {
	h.t.Helper()
	v := h.visitor()
	if _, status, body := v.post(h.main("/api/v1/auth/signup"), api.Signup{Email: email, Password: password}); status != http.StatusCreated {
		h.t.Fatalf("sign up: %d %s", status, body)
	}
	return v
}

// socket opens a WebSocket to the session's IDE with the visitor's cookies.
func (v *visitor) socket(s api.Session) *websocket.Conn {
	v.h.t.Helper()
	ctx, cancel := context.WithTimeout(v.h.t.Context(), 30*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, strings.TrimSuffix(s.URL, "/")+"/probe/echo", &websocket.DialOptions{
		HTTPClient: &http.Client{Jar: v.Jar, Transport: v.Transport}, HTTPHeader: http.Header{"Origin": {strings.TrimSuffix(s.URL, "/")}},
	})
	if err != nil {
		v.h.t.Fatal(err)
	}
	v.h.t.Cleanup(func() { _ = c.CloseNow() })
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		v.h.t.Fatal(err)
	}
	if _, got, err := c.Read(ctx); err != nil || string(got) != "hello" {
		v.h.t.Fatalf("echo: %q %v", got, err)
	}
	return c
}

// cutOff waits until the WebSocket has ended, and says how long that took.
func (h *host) cutOff(what string, c *websocket.Conn) {
	h.t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(h.t.Context(), 30*time.Second)
	defer cancel()
	if _, _, err := c.Read(ctx); err == nil || ctx.Err() != nil {
		h.t.Errorf("%s: the WebSocket is still open: %v", what, err)
		return
	}
	h.t.Logf("%s: the WebSocket ended after %d ms", what, time.Since(began).Milliseconds())
}

// elsewhere runs medforge as somebody on another computer: a home of its own,
// and no socket.
type elsewhere struct {
	h    *host
	home string
}

func (e elsewhere) run(stdin string, args ...string) (stdout, stderr string, code int) {
	e.h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(e.h.bin, "medforge"), args...)
	cmd.Env = []string{"HOME=" + e.home}
	cmd.Stdin = strings.NewReader(stdin)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); cmd.ProcessState == nil {
		e.h.t.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

func (e elsewhere) must(stdin string, args ...string) string {
	e.h.t.Helper()
	out, errOut, code := e.run(stdin, args...)
	if code != 0 {
		e.h.t.Fatalf("medforge %s: exit %d\n%s%s\nthe daemon's log:\n%s", strings.Join(args, " "), code, out, errOut, e.h.log())
	}
	return out
}

// The way of a person who has only a browser and a laptop: sign up, sign in on
// the command line, start a session, visit it signed out, and sign out.
func TestFromSignUpToSignOut(t *testing.T) {
	t.Parallel()
	h := miniHost(t, "[signup]\nmode = \"open\"\n")
	h.signUp("ada@example.org")
	laptop := elsewhere{h, t.TempDir()}

	if _, errOut, code := laptop.run("", "--server", h.main(""), "session", "list"); code != 4 || !strings.Contains(errOut, "medforge login "+h.main("")) {
		t.Errorf("not signed in: exit %d, %s", code, errOut)
	}
	if _, errOut, code := laptop.run("wrong\n", "login", h.main(""), "--email", "ada@example.org"); code != 4 {
		t.Errorf("a wrong password: exit %d, %s", code, errOut)
	}
	laptop.must(password+"\n", "login", h.main(""), "--email", "ada@example.org")
	if out := laptop.must("", "whoami"); !strings.Contains(out, "ada@example.org") || !strings.Contains(out, "(token)") {
		t.Errorf("whoami: %s", out)
	}
	var s api.Session
	h.decode(laptop.must("", "session", "start", "-o", "json"), &s)

	// Signed out in the browser: to MedForge's sign-in, and back to where one
	// wanted to go.
	v, wanted := h.visitor(), s.URL+"headers?a=b%20c"
	at, status, page := v.open(wanted)
	if status != http.StatusOK || at != h.main("/signin?"+url.Values{"return": {wanted}}.Encode()) {
		t.Fatalf("%d at %s: %s", status, at, page)
	}
	at, status, page = v.signIn("ada@example.org", wanted)
	if status != http.StatusOK || at != wanted {
		t.Fatalf("%d at %s: %s", status, at, page)
	}
	for _, ours := range []string{"medforge_session", "medforge_ide", "mf_", "ticket"} {
		if strings.Contains(page, ours) {
			t.Errorf("the IDE got %q: %s", ours, page)
		}
	}

	// Somebody else does not get in, by no way.
	bob := h.signUp("bob@example.org")
	if at, status, _ := bob.open(wanted); status != http.StatusForbidden || !strings.HasPrefix(at, h.main("/open")) {
		t.Errorf("another user: %d at %s", status, at)
	}
	desk := elsewhere{h, t.TempDir()}
	desk.must(password+"\n", "login", h.main(""), "--email", "bob@example.org")
	for _, args := range [][]string{{"session", "show", s.Slug}, {"session", "stop", s.Slug}, {"session", "open", s.Slug}} {
		if _, errOut, code := desk.run("", args...); code != 3 {
			t.Errorf("another user's %v: exit %d, %s", args, code, errOut)
		}
	}
	if _, errOut, code := desk.run("", "admin", "user", "list"); code != 4 {
		t.Errorf("another user's accounts: exit %d, %s", code, errOut)
	}

	// Signing out in the browser ends its cookies of every host, and what is
	// open.
	open := v.socket(s)
	if _, status, body := v.post(h.main("/api/v1/auth/logout"), nil); status != http.StatusOK {
		t.Errorf("signing out: %d %s", status, body)
	}
	h.cutOff("signing out", open)
	if at, _, _ := v.open(wanted); !strings.HasPrefix(at, h.main("/signin")) {
		t.Errorf("signed out, and got to %s", at)
	}
	laptop.must("", "session", "stop", s.Slug)
	laptop.must("", "logout")
	if _, errOut, code := laptop.run("", "--server", h.main(""), "whoami"); code != 4 {
		t.Errorf("signed out: exit %d, %s", code, errOut)
	}
}

// What ends an open WebSocket: stopping the session, signing out everywhere
// else, revoking the token that made the link, and an admin who disables the
// account. Then a front's question is answered, over the socket.
func TestRevokedIsCutOff(t *testing.T) {
	t.Parallel()
	h := miniHost(t, "[session]\nper_user = 1\n")
	here := h.signUp("ada@example.org")
	laptop := elsewhere{h, t.TempDir()}
	laptop.must(password+"\n", "login", h.main(""), "--email", "ada@example.org")
	var s api.Session
	h.decode(laptop.must("", "session", "start", "-o", "json"), &s)
	signedIn := func() *visitor {
		v := h.visitor()
		if at, status, body := v.signIn("ada@example.org", s.URL); status != http.StatusOK || at != s.URL {
			t.Fatalf("%d at %s: %s", status, at, body)
		}
		return v
	}

	there := signedIn().socket(s)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, h.main("/api/v1/me/sessions"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, status, body := here.end(here.Do(req)); status != http.StatusOK {
		t.Errorf("sign out everywhere else: %d %s", status, body)
	}
	h.cutOff("signing out everywhere else", there)

	var link struct {
		URL string `json:"url"`
	}
	h.decode(laptop.must("", "session", "open", s.Slug, "-o", "json"), &link)
	byLink := h.visitor()
	if at, status, _ := byLink.open(link.URL); status != http.StatusOK || at != s.URL {
		t.Fatalf("the link: %d at %s", status, at)
	}
	linked := byLink.socket(s)
	laptop.must("", "logout")
	h.cutOff("revoking the token that made the link", linked)

	disabled := signedIn().socket(s)
	h.must("admin", "user", "set", "ada@example.org", "--disabled")
	h.cutOff("disabling the account", disabled)
	if at, status, body := h.visitor().signIn("ada@example.org", s.URL); status != http.StatusForbidden {
		t.Errorf("a disabled account: %d at %s: %s", status, at, body)
	}
	h.must("admin", "user", "set", "ada@example.org", "--disabled=false")

	last := signedIn()
	stopped := last.socket(s)
	front := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", h.socket())
	}}}
	ask := func(v *visitor) *http.Response {
		u, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://medforge/api/v1/auth/session-proxy", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Forwarded-Host", u.Host)
		for _, c := range v.Jar.Cookies(u) {
			req.AddCookie(c)
		}
		resp, err := front.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp
	}
	if resp := ask(last); resp.StatusCode != http.StatusOK || resp.Header.Get("X-Upstream") != fmt.Sprintf("127.0.0.1:%d", h.port) {
		t.Errorf("a front asks: %d %v", resp.StatusCode, resp.Header)
	}
	if resp := ask(h.visitor()); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a front asks for nobody: %d", resp.StatusCode)
	}
	// The IDE does not end when it is asked to: what is open must not last as
	// long as it does.
	if _, status, body := last.post(s.URL+"probe/ignore-term", nil); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	h.must("admin", "session", "stop", s.Slug, "--no-wait")
	h.cutOff("stopping the session", stopped)
	cut := time.Now()
	h.eventually("the cookies of an ended session's host to end", func() bool { return ask(last).StatusCode == http.StatusUnauthorized })
	if got := h.session(s.Slug); got.StoppedAt == nil || got.StoppedAt.Before(cut) {
		t.Errorf("the session ended at %v, the WebSocket at %s: it may have ended with its container", got.StoppedAt, cut)
	}
}
