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
	"github.com/medforge/medforge/pkg/httpapi"
	"github.com/medforge/medforge/pkg/porttest/fakeaccounts"
	"github.com/medforge/medforge/pkg/session"
)

// Password is that of every account with an email address.
const Password = "correct horse"

// The accounts that there are.
var (
	Admin = account.User{ID: "00000000-0000-4000-8000-000000000001", UnixName: "root", Name: "root", Role: auth.RoleAdmin}
	Alice = account.User{ID: "00000000-0000-4000-8000-000000000002", UnixName: "alice", Email: "alice@example.org", Name: "Alice", Role: auth.RoleUser}
	Bob   = account.User{ID: "00000000-0000-4000-8000-000000000003", Email: "bob@example.org", Name: "Bob", Role: auth.RoleUser}
)

// Host is a running API.
type Host struct {
	Service *Service
	Bus     *event.Bus
	API     *httpapi.Server
	// Accounts is the real service, on a store in memory, or on Competitions'
	// database.
	Accounts *account.Service
	Socket   string
	// Competitions is nil unless Options asked for it.
	Competitions *competition.Service

	mu     sync.Mutex
	caller account.User
	server *http.Server
	secure bool
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
	// SignUp says who may make an account over the web; empty is open.
	SignUp account.SignUpMode
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
	h.startAccounts(t, o)
	opt := httpapi.Options{
		Sessions: h.Service, Accounts: h.Accounts, Tickets: h, Events: h.Bus,
		Doctor:      func(context.Context) []api.Check { return o.Doctor },
		Backup:      h.Service.Backup,
		SocketActor: func(context.Context, uint32) (auth.Actor, error) { return h.Actor(auth.ViaSocket), nil },
		Public:      h,
		SessionURL:  func(slug string) string { return "http://s-" + slug + ".medforge.localhost:8080/" },
		Now:         o.Now,
	}
	if h.Competitions != nil {
		opt.Competitions = h.Competitions
	}
	if o.Edit != nil {
		o.Edit(&opt)
	}
	var err error
	h.secure = opt.Secure
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

// startAccounts makes the real service of accounts. Hashes cost microseconds;
// what they do is the same.
func (h *Host) startAccounts(t testing.TB, o Options) {
	var store account.Store = &fakeaccounts.Store{}
	if o.Competitions {
		h.Competitions, store = startCompetitions(t, h.Bus)
	}
	if o.SignUp == "" {
		o.SignUp = account.SignUpOpen
	}
	ctx := context.Background()
	var err error
	h.Accounts, err = account.New(ctx, account.Options{
		Store: store, SignUp: o.SignUp, Invites: []string{"twelve-letters"}, Publish: h.Bus.Publish, Now: o.Now,
		Password: account.PasswordParams{MemoryKiB: 8, Passes: 1, Threads: 1, Slots: 1},
		UnixName: func(uint32) (string, error) { return Alice.UnixName, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, u := range []account.User{Admin, Alice, Bob} {
		if u.Email != "" {
			u.PasswordHash = passwordHash
		}
		u.CreatedAt = time.Date(2026, 11, 1, 0, i, 0, 0, time.UTC)
		if err := store.CreateUser(ctx, u); err != nil {
			t.Fatal(err)
		}
	}
}

// passwordHash is Password's by argon2id at its cheapest.
const passwordHash = "$argon2id$v=19$m=8,t=1,p=1$pzTpaBfWjZWYveFbHS9b4A$Nc/EuAqddVjqpcKx2NJqSzxaT95nnPyE/dqN3K4/XR8"

// ActorOf is a caller on the socket.
func ActorOf(u account.User) auth.Actor {
	return auth.Actor{UserID: u.ID, Name: u.Name, Role: u.Role, Via: auth.ViaSocket}
}

// Token makes a bearer token.
func (h *Host) Token(t testing.TB, u account.User) string {
	t.Helper()
	token, _, err := h.Accounts.CreateToken(context.Background(), ActorOf(u), "test", 0)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// SignIn signs a browser in: the value of its cookie.
func (h *Host) SignIn(t testing.TB, u account.User) account.SignIn {
	t.Helper()
	in, err := h.Accounts.SignIn(context.Background(), u.Email, Password, account.Origin{Agent: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// Authenticate is account.Service's, and knows two callers by the token that is
// their name besides.
func (h *Host) Authenticate(r *http.Request) (auth.Grant, error) {
	for name, u := range map[string]account.User{"root": Admin, "alice": Alice} {
		if r.Header.Get("Authorization") == "Bearer "+name {
			a := ActorOf(u)
			a.Via = auth.ViaToken
			return auth.Grant{Actor: a}, nil
		}
	}
	return h.Accounts.Authenticate(r, h.secure)
}

// Issue makes a link as the accounts do.
func (h *Host) Issue(_ context.Context, _ auth.Actor, s session.Session) (string, time.Time, error) {
	return "http://s-" + s.Slug + ".medforge.localhost:8080/.medforge/open?ticket=t1", time.Now().Add(time.Minute), nil
}
