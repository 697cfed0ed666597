package httpapi_test

import (
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
)

// byteRecorder keeps every byte that comes in on its listener.
type byteRecorder struct {
	net.Listener
	mu   sync.Mutex
	seen strings.Builder
}

type recordedConn struct {
	net.Conn
	r *byteRecorder
}

func (l *byteRecorder) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return recordedConn{c, l}, err
}

func (c recordedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.r.seen.Write(b[:n])
	return n, err
}

func (l *byteRecorder) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen.String()
}

// An admin visits a hostile session: by the address, over the sign-in, by the
// link of the socket, and with a token. Its server records every byte, sets
// whatever cookies, and sends the visitor to the sign-in and the forward-auth
// route. Nothing of MedForge's is in what it got, and nothing it did shows on
// MedForge's own host.
func TestAnAdminVisitsAHostileSession(t *testing.T) {
	t.Parallel()
	h := openHouse(t, httpapitest.Options{})
	h.dir = t.TempDir() // another IDE than the friendly one
	l, err := net.Listen("unix", filepath.Join(h.dir, "ide.sock"))
	if err != nil {
		t.Fatal(err)
	}
	rec := &byteRecorder{Listener: l}
	lead := map[string]string{
		"/to-sign-in": base + "/signin?return=https://evil.example/", "/to-sign-out": base + "/signout",
		"/to-front": base + forwardAuth, "/to-enter": "/.medforge/enter?ticket=x", "/to-open": base + "/open?return=https://" + h.sessionHost + "/landed",
	}
	h.serveOn(t, rec, func(w http.ResponseWriter, r *http.Request) {
		for _, c := range []string{
			"__Host-medforge_session=planted; Path=/; Secure", "medforge_session=planted; Domain=medforge.example.org", "medforge_session=planted; Domain=example.org",
			"__Host-medforge_ide=planted; Path=/; Secure", "innocent=1; Domain=example.org", "own=1",
		} {
			w.Header().Add("Set-Cookie", c)
		}
		if to := lead[r.URL.Path]; to != "" {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		w.Header().Set("Clear-Site-Data", `"*"`)
		_, _ = w.Write([]byte("hostile"))
	})

	root := httpapitest.ActorOf(httpapitest.Admin)
	made, _, err := h.Accounts.CreateUser(t.Context(), root, account.UserSpec{Email: "boss@example.org", Role: "admin", Password: httpapitest.Password})
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, h)
	wanted := "https://" + h.sessionHost + "/"
	form := url.Values{"email": {made.Email}, "password": {httpapitest.Password}, "return": {wanted}}
	if at, resp := b.follow("POST", base+"/signin", form); at != wanted || string(read(t, resp)) != "hostile" {
		t.Fatalf("%d at %s", resp.StatusCode, at)
	}
	for path := range lead {
		resp := b.ask("GET", wanted+path[1:], nil)
		for _, c := range resp.Cookies() {
			if c.Name != "own" {
				t.Errorf("%s sets %v", path, c)
			}
		}
	}
	if at, _ := b.follow("GET", lead["/to-open"], nil); at != wanted+"landed" {
		t.Errorf("by the open link: at %s", at)
	}
	token := h.Token(t, made)
	if resp := do(t, h.public(), "GET", "/tool", "", "Host", h.sessionHost, "Authorization", "Bearer "+token); resp.StatusCode != 200 {
		t.Errorf("with a token: %d", resp.StatusCode)
	}
	ticket, _, err := h.Accounts.Ticket(t.Context(), root, row("aaaaaa22", "").ID, httpapitest.Alice.ID)
	if err != nil {
		t.Fatal(err)
	}
	linked := newBrowser(t, h)
	if at, _ := linked.follow("GET", wanted+".medforge/enter?ticket="+ticket+"&to=/linked", nil); at != wanted+"linked" {
		t.Errorf("by the link: at %s", at)
	}

	seen := rec.text()
	for _, path := range []string{"/landed", "/linked", "/tool", "/to-front"} {
		if !strings.Contains(seen, "GET "+path+" ") {
			t.Fatalf("the session did not see %s: %s", path, seen)
		}
	}
	never := map[string]string{
		"a cookie of ours": "medforge_", "a token": "mf_", "the token": strings.TrimPrefix(token, "mf_"), "a ticket": ticket,
		"the parameter of a ticket": "ticket=", "the visitor's address": made.Email, "the visitor's id": made.ID, "the forward-auth route": "session-proxy HTTP",
		"Authorization": "Authorization",
	}
	for host, jar := range b.jar {
		for name, value := range jar {
			if name != "own" {
				never[name+" of "+host] = value
			}
		}
	}
	for what, text := range never {
		if strings.Contains(strings.ToLower(seen), strings.ToLower(text)) {
			t.Errorf("the session saw %s: %s", what, seen)
		}
	}
	if _, resp := b.follow("GET", base+"/signin", nil); !strings.Contains(string(read(t, resp)), "signed in as boss") {
		t.Error("the visitor is no longer signed in")
	}
}
