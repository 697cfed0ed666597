package httpapi_test

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/httpapi"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
	"github.com/medforge/medforge/pkg/proxy"
	"github.com/medforge/medforge/pkg/session"
)

// house is the API with the proxy before it, as the daemon puts them together,
// and Alice's running session aaaaaa22 behind it.
type house struct {
	*httpapitest.Host
	proxy       *proxy.Proxy
	sessionHost string
	dir         string // with the IDE's socket
	done        chan struct{}
	alice       account.SignIn
	tokenID     string // of a token of Alice's
	carol       account.User
}

const ideAnswer = "the IDE"

func openHouse(t *testing.T, o httpapitest.Options) *house {
	t.Helper()
	h := &house{sessionHost: "s-aaaaaa22.medforge.example.org", dir: t.TempDir(), done: make(chan struct{})}
	edit := o.Edit
	o.Edit = func(opt *httpapi.Options) {
		opt.SessionProxy = httpapi.SessionProxy{Upstream: "127.0.0.1:8080", Check: func(host string, header http.Header) error {
			_, err := h.proxy.Check(host, header)
			return err
		}}
		opt.TrustedProxy = func(r *http.Request) bool { return strings.HasPrefix(r.RemoteAddr, "192.0.2.1:") } // httptest's client
		hosts := proxy.Hosts{Domain: "example.org", Secure: true}
		opt.SessionURL = func(slug string) string { return hosts.SessionOrigin(slug) + "/" }
		opt.Pages = httpapi.Pages{Return: hosts.ReturnOrigin, Open: func(w http.ResponseWriter, r *http.Request, a auth.Actor) {
			h.proxy.Open(w, r, a)
		}}
		if edit != nil {
			edit(opt)
		}
	}
	h.Host = start(t, o)
	h.Service.Add(row("aaaaaa22", session.Running), "hello\n")
	h.proxy = proxy.New(proxy.Options{
		Hosts: proxy.Hosts{Domain: "example.org", Secure: true}, Sessions: h, Dialer: h, Keys: h.Accounts,
		Main: h.API.Public(), API: h.API.PublicAPI(), OpenPath: api.PathOpen, SignInPath: api.PathSignIn,
	})
	h.serveIDE(t)
	h.alice = h.SignIn(t, httpapitest.Alice)
	_, token, err := h.Accounts.CreateToken(t.Context(), h.alice.Actor, "laptop", 0)
	if err != nil {
		t.Fatal(err)
	}
	h.tokenID = token.ID
	h.carol, _, err = h.Accounts.CreateUser(t.Context(), httpapitest.ActorOf(httpapitest.Admin),
		account.UserSpec{Email: "carol@example.org", Password: httpapitest.Password})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) serveIDE(t *testing.T) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(h.dir, "ide.sock"))
	if err != nil {
		t.Fatal(err)
	}
	h.serveOn(t, l, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(ideAnswer)) })
}

// serveOn answers as an IDE until the test ends.
func (h *house) serveOn(t *testing.T, l net.Listener, answer http.HandlerFunc) {
	t.Helper()
	srv := &http.Server{Handler: answer}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = h.proxy.Close(ctx)
		_ = srv.Close()
	})
}

// BySlug is proxy.Sessions.
func (h *house) BySlug(slug string) (proxy.View, bool) {
	r := row("aaaaaa22", session.Running)
	if slug != r.Slug {
		return proxy.View{}, false
	}
	return proxy.View{ID: r.ID, UserID: r.UserID, Slug: slug, Running: true, Status: "running", Done: h.done}, true
}

// DialIDE is proxy.Dialer.
func (h *house) DialIDE(ctx context.Context, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(h.dir, "ide.sock"))
}

// cookies are what a browser has that is signed in on MedForge and on Alice's
// session's host, as a Cookie header: each host gets its own, but the matrix
// asks them all.
func (h *house) cookies(t *testing.T, in account.SignIn, ownerID string) []string {
	t.Helper()
	r := row("aaaaaa22", session.Running)
	ticket, _, err := h.Accounts.Ticket(t.Context(), in.Actor, r.ID, ownerID)
	if err != nil {
		t.Fatal(err)
	}
	secret, _, err := h.Accounts.Redeem(t.Context(), ticket, r.ID, "test")
	if err != nil {
		t.Fatal(err)
	}
	return []string{"Cookie", "__Host-medforge_session=" + in.Secret + "; __Host-medforge_ide=" + secret}
}

// caller is a column of the matrix.
type caller struct {
	name  string
	email string // whose password it gives when it signs in
	// come returns the listener that it comes by and the headers it sends.
	come func(t *testing.T, h *house) (http.Handler, []string)
}

var callers = []caller{
	{"anonymous", "alice@example.org", func(_ *testing.T, h *house) (http.Handler, []string) { return h.public(), nil }},
	{"owner", "alice@example.org", func(t *testing.T, h *house) (http.Handler, []string) {
		return h.public(), h.cookies(t, h.alice, httpapitest.Alice.ID)
	}},
	{"other user", "bob@example.org", func(t *testing.T, h *house) (http.Handler, []string) {
		return h.public(), []string{"Authorization", "Bearer " + h.Token(t, httpapitest.Bob)}
	}},
	{"admin", "alice@example.org", func(t *testing.T, h *house) (http.Handler, []string) {
		return h.public(), []string{"Authorization", "Bearer " + h.Token(t, httpapitest.Admin)}
	}},
	{"disabled", "carol@example.org", func(t *testing.T, h *house) (http.Handler, []string) {
		header := h.cookies(t, h.SignIn(t, h.carol), h.carol.ID)
		disabled := true
		if _, _, err := h.Accounts.SetUser(t.Context(), httpapitest.ActorOf(httpapitest.Admin), h.carol.ID, account.UserChange{Disabled: &disabled}); err != nil {
			t.Fatal(err)
		}
		return h.public(), header
	}},
	{"stale cookie", "alice@example.org", func(_ *testing.T, h *house) (http.Handler, []string) {
		return h.public(), []string{"Cookie", "__Host-medforge_session=" + strings.Repeat("A", 43) + "; __Host-medforge_ide=" + strings.Repeat("A", 43)}
	}},
	{"foreign token", "alice@example.org", func(_ *testing.T, h *house) (http.Handler, []string) {
		return h.public(), []string{"Authorization", "Bearer mf_" + strings.Repeat("A", 43)}
	}},
	{"in the session", "alice@example.org", func(_ *testing.T, h *house) (http.Handler, []string) {
		return h.API.Session(auth.Actor{UserID: httpapitest.Alice.ID, Role: auth.RoleUser}, row("aaaaaa22", "").ID), nil
	}},
	{"in an admin's session", "alice@example.org", func(_ *testing.T, h *house) (http.Handler, []string) {
		return h.API.Session(auth.Actor{UserID: httpapitest.Admin.ID, Role: auth.RoleAdmin}, row("aaaaaa22", "").ID), nil
	}},
}

// public is the listener that strangers reach: requests without a Host of
// their own are MedForge's.
func (h *house) public() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "medforge" {
			r.Host = "medforge.example.org"
		}
		h.proxy.ServeHTTP(w, r)
	})
}
