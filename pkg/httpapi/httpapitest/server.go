package httpapitest

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/httpapi"
	"github.com/medforge/medforge/pkg/session"
)

// The two accounts that there are.
var (
	Admin = account.User{ID: "00000000-0000-4000-8000-000000000001", UnixName: "root", Name: "root", Role: auth.RoleAdmin}
	Alice = account.User{ID: "00000000-0000-4000-8000-000000000002", UnixName: "alice", Email: "alice@example.org", Name: "Alice", Role: auth.RoleUser}
)

// Host is a running API.
type Host struct {
	Service *Service
	Bus     *event.Bus
	API     *httpapi.Server
	Socket  string
	// Competitions is nil unless Options asked for it.
	Competitions *competition.Service

	mu     sync.Mutex
	caller account.User
	server *http.Server
}

// Options change what Start makes. Zero is fine.
type Options struct {
	GPUs   int                             // 7
	Caller account.User                    // Admin: who calls on the socket, whatever its uid
	Doctor []api.Check                     // what the daemon's doctor finds
	Edit   func(*httpapi.Options)          // the last word
	Events func() event.Options            // of the bus
	Now    func() time.Time                // of the API
	Before func(http.Handler) http.Handler // stands before the handler
	// Competitions adds the real service of them, on a database of its own.
	Competitions bool
}

// Start serves the API on a unix socket in a folder of its own until the test
// ends.
func Start(t testing.TB, o Options) *Host {
	t.Helper()
	if o.GPUs == 0 {
		o.GPUs = 7
	}
	if o.Caller.ID == "" {
		o.Caller = Admin
	}
	var bo event.Options
	if o.Events != nil {
		bo = o.Events()
	}
	h := &Host{Bus: event.NewBus(bo), caller: o.Caller}
	h.Bus.Publish(event.Event{Type: event.DaemonReady})
	h.Service = New(h.Bus, o.GPUs)
	opt := httpapi.Options{
		Sessions: h.Service, Accounts: h, Tickets: h, Events: h.Bus,
		Doctor:      func(context.Context) []api.Check { return o.Doctor },
		Backup:      h.Service.Backup,
		SocketActor: func(context.Context, uint32) (auth.Actor, error) { return h.Actor(auth.ViaSocket), nil },
		Public:      h,
		SessionURL:  func(slug string) string { return "http://s-" + slug + ".medforge.localhost:8080/" },
		Now:         o.Now,
	}
	if o.Competitions {
		h.Competitions = startCompetitions(t, h.Bus)
		opt.Competitions = h.Competitions
	}
	if o.Edit != nil {
		o.Edit(&opt)
	}
	var err error
	if h.API, err = httpapi.New(opt); err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir: a socket's path must stay below 108 bytes.
	dir, err := os.MkdirTemp("", "mf-api-")
	if err != nil {
		t.Fatal(err)
	}
	h.Socket = filepath.Join(dir, "medforged.sock")
	l, err := net.Listen("unix", h.Socket)
	if err != nil {
		t.Fatal(err)
	}
	handler := h.API.Socket()
	if o.Before != nil {
		handler = o.Before(handler)
	}
	h.server = &http.Server{Handler: handler, ConnContext: httpapi.PeerContext, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = h.server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = h.Bus.Close(ctx)
		_ = h.server.Close()
		<-done
		h.Service.releaseAll()
		h.Service.Wait()
		_ = os.RemoveAll(dir)
	})
	return h
}

// Become changes who calls from now on.
func (h *Host) Become(u account.User) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.caller = u
}

// Actor is whoever calls now.
func (h *Host) Actor(via auth.Via) auth.Actor {
	h.mu.Lock()
	defer h.mu.Unlock()
	return auth.Actor{UserID: h.caller.ID, Name: h.caller.Name, Role: h.caller.Role, Via: via}
}

// Me is what account.Service answers.
func (h *Host) Me(_ context.Context, a auth.Actor) (account.User, error) {
	for _, u := range []account.User{Admin, Alice} {
		if u.ID == a.UserID {
			return u, nil
		}
	}
	return account.User{}, fault.New(fault.Unauthenticated, api.CodeNotSignedIn, "You are not signed in.")
}

// Authenticate knows the public callers by the token that is their name.
func (h *Host) Authenticate(r *http.Request) (auth.Actor, error) {
	switch r.Header.Get("Authorization") {
	case "":
		return auth.Actor{}, nil
	case "Bearer root":
		return auth.Actor{UserID: Admin.ID, Name: Admin.Name, Role: Admin.Role, Via: auth.ViaToken}, nil
	case "Bearer alice":
		return auth.Actor{UserID: Alice.ID, Name: Alice.Name, Role: Alice.Role, Via: auth.ViaToken}, nil
	}
	return auth.Actor{}, fault.New(fault.Unauthenticated, "auth/invalid-token", "The token is not valid. Sign in anew: medforge login URL")
}

// Issue makes a link as the accounts do.
func (h *Host) Issue(_ context.Context, _ auth.Actor, s session.Session) (string, time.Time, error) {
	return "http://s-" + s.Slug + ".medforge.localhost:8080/.medforge/open?ticket=t1", time.Now().Add(time.Minute), nil
}
