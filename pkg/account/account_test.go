package account_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/porttest/fakeaccounts"
)

// cheap makes a hash cost microseconds; what it does is the same.
var cheap = account.PasswordParams{MemoryKiB: 8, Passes: 1, Threads: 1, Slots: 2}

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }

func (c *clock) add(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.t = c.t.Add(d) }

type house struct {
	*account.Service
	store  *fakeaccounts.Store
	clock  *clock
	mu     sync.Mutex
	events []event.Event
	opts   account.Options
}

var (
	home  = account.Origin{Address: netip.MustParseAddr("192.0.2.1"), Agent: "browser"}
	away  = account.Origin{Address: netip.MustParseAddr("198.51.100.7"), Agent: "other"}
	admin = auth.Actor{UserID: "00000000-0000-4000-8000-000000000001", Role: auth.RoleAdmin, Via: auth.ViaSocket}
)

const pass = "correct horse"

func open(t testing.TB, change func(*account.Options)) *house {
	t.Helper()
	h := &house{store: &fakeaccounts.Store{}, clock: &clock{t: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)}}
	h.opts = account.Options{Store: h.store, SignUp: account.SignUpOpen, Password: cheap, Now: h.clock.now,
		Idle: 7 * 24 * time.Hour, Absolute: 30 * 24 * time.Hour,
		UnixName: func(uid uint32) (string, error) {
			if uid >= 2000 {
				return "", errors.New("unknown")
			}
			return fmt.Sprintf("user%d", uid), nil
		},
		Publish: func(e event.Event) event.Event {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.events = append(h.events, e)
			return e
		}}
	if change != nil {
		change(&h.opts)
	}
	h.restart(t)
	return h
}

// restart is what a new daemon finds.
func (h *house) restart(t testing.TB) {
	t.Helper()
	s, err := account.New(context.Background(), h.opts)
	if err != nil {
		t.Fatal(err)
	}
	h.Service = s
}

func (h *house) signUp(t testing.TB, email string) account.SignIn {
	t.Helper()
	in, err := h.SignUp(context.Background(), account.NewAccount{Email: email, Password: pass}, home)
	if err != nil {
		t.Fatalf("sign-up of %s: %v", email, err)
	}
	return in
}

func (h *house) signIn(t testing.TB, email string, from account.Origin) account.SignIn {
	t.Helper()
	in, err := h.SignIn(context.Background(), email, pass, from)
	if err != nil {
		t.Fatalf("sign-in of %s: %v", email, err)
	}
	return in
}

func (h *house) seen(typ event.Type) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if e.Type == typ {
			n++
		}
	}
	return n
}

func code(t testing.TB, err error, want string) {
	t.Helper()
	if fault.CodeOf(err) != want {
		t.Fatalf("error %v (%s), want code %q", err, fault.CodeOf(err), want)
	}
}

func ended(p auth.Pass) bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

func TestSignUp(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	in := h.signUp(t, "  Ada.Lovelace@Example.ORG ")
	if in.User.Email != "ada.lovelace@example.org" || in.User.Name != "ada.lovelace" || in.User.Role != auth.RoleUser {
		t.Errorf("%+v", in.User)
	}
	if strings.Contains(in.User.PasswordHash, pass) || !strings.HasPrefix(in.User.PasswordHash, "$argon2id$v=19$m=8,t=1,p=1$") {
		t.Errorf("hash %q", in.User.PasswordHash)
	}
	g, ok := h.Browser(in.Secret)
	if !ok || g.Actor.UserID != in.User.ID || g.Actor.Via != auth.ViaCookie || g.Actor.CredentialID == "" {
		t.Errorf("signed in: %v %+v", ok, g)
	}
	_, err := h.SignUp(t.Context(), account.NewAccount{Email: "ADA.lovelace@example.org", Password: pass}, home)
	code(t, err, "accounts/email-taken")
	_, err = h.SignUp(t.Context(), account.NewAccount{Email: "no", Password: "short", Name: "a\x1b[31mb"}, home)
	if code(t, err, "accounts/invalid-account"); len(fault.As(err).Fields) != 3 {
		t.Errorf("all mistakes at once: %+v", fault.As(err).Fields)
	}
	if h.seen(event.AccountCreated) != 1 || h.seen(event.SignedIn) != 1 {
		t.Errorf("events %+v", h.events)
	}
}

func TestSignUpModes(t *testing.T) {
	t.Parallel()
	h := open(t, func(o *account.Options) { o.SignUp = "" })
	_, err := h.SignUp(t.Context(), account.NewAccount{Email: "a@b.c", Password: pass}, home)
	code(t, err, "accounts/signup-closed")
	h = open(t, func(o *account.Options) { o.SignUp = account.SignUpInvite; o.Invites = []string{"one", "two"} })
	for _, invite := range []string{"", "three", "ONE"} {
		_, err = h.SignUp(t.Context(), account.NewAccount{Email: "a@b.c", Password: pass, Invite: invite}, home)
		code(t, err, "accounts/bad-invite")
	}
	if _, err = h.SignUp(t.Context(), account.NewAccount{Email: "a@b.c", Password: pass, Invite: "two"}, home); err != nil {
		t.Error(err)
	}
	// Guessing codes is throttled as well.
	for err = nil; fault.CodeOf(err) != "auth/too-many-attempts"; {
		_, err = h.SignUp(t.Context(), account.NewAccount{Email: "x@b.c", Password: pass, Invite: "guess"}, away)
		if err == nil {
			t.Fatal("a guess was right")
		}
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.signUp(t, "ada@example.org")
	if in := h.signIn(t, " ADA@example.org", away); in.ExpiresAt != h.clock.now().Add(30*24*time.Hour) {
		t.Errorf("expires %v", in.ExpiresAt)
	}
	for _, c := range [][2]string{{"ada@example.org", "wrong password"}, {"bob@example.org", pass}, {"not an address", pass},
		{"ada@example.org", ""}, {"ada@example.org", strings.Repeat("x", 1<<20)}} {
		_, err := h.SignIn(t.Context(), c[0], c[1], away)
		code(t, err, "auth/bad-credentials")
	}
	if n := h.seen(event.SignInFailed); n != 3 {
		t.Errorf("%d failures told", n)
	}
}

func TestRehashOnSignIn(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	in := h.signUp(t, "ada@example.org")
	h.opts.Password.Passes = 2
	h.restart(t)
	h.signIn(t, "ada@example.org", home)
	u, _ := h.store.UserByID(t.Context(), in.User.ID)
	if !strings.Contains(u.PasswordHash, "t=2") {
		t.Fatalf("hash %s", u.PasswordHash)
	}
	h.signIn(t, "ada@example.org", home)
	if again, _ := h.store.UserByID(t.Context(), in.User.ID); again.PasswordHash != u.PasswordHash {
		t.Error("hashed anew without need")
	}
}

func TestGuesserCannotLockTheOwnerOut(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.signUp(t, "ada@example.org")
	h.signIn(t, "ada@example.org", home)
	guess := func(from netip.Addr) error {
		_, err := h.SignIn(t.Context(), "ada@example.org", "wrong password", account.Origin{Address: from})
		return err
	}
	// One address has a handful of tries, then waits.
	for range 5 {
		code(t, guess(away.Address), "auth/bad-credentials")
	}
	err := guess(away.Address)
	code(t, err, "auth/too-many-attempts")
	wait := fault.As(err).RetryAfter
	if wait <= 0 || wait > 2*time.Minute {
		t.Fatalf("RetryAfter %v", wait)
	}
	// The right password waits too: else a guesser would learn it here.
	_, err = h.SignIn(t.Context(), "ada@example.org", pass, away)
	code(t, err, "auth/too-many-attempts")
	h.clock.add(wait)
	code(t, guess(away.Address), "auth/bad-credentials")
	// Many addresses: the account's own allowance runs out ...
	for i := range 200 {
		from := netip.AddrFrom4([4]byte{203, 0, 113, byte(i)})
		for guess(from) == nil || fault.CodeOf(guess(from)) == "auth/bad-credentials" {
		}
	}
	// ... each new address still has one try, ...
	fresh := account.Origin{Address: netip.MustParseAddr("2001:db8:1::1")}
	code(t, guess(fresh.Address), "auth/bad-credentials")
	code(t, guess(netip.MustParseAddr("2001:db8:1::2")), "auth/too-many-attempts") // the same /64
	h.signIn(t, "ada@example.org", account.Origin{Address: netip.MustParseAddr("2001:db8:2::1")})
	// ... and where the owner has been before nothing has changed.
	for range 4 {
		code(t, guess(home.Address), "auth/bad-credentials")
	}
	h.signIn(t, "ada@example.org", home)
	// An address that tries many accounts is slowed down as well, and an
	// account of the guesser's own does not wash it clean.
	spray := account.Origin{Address: netip.MustParseAddr("192.0.2.99")}
	h.signUp(t, "mallory@example.org")
	tries := 0
	for ; tries < 100; tries++ {
		_, err := h.SignIn(t.Context(), fmt.Sprintf("user%d@example.org", tries), "wrong password", spray)
		if fault.CodeOf(err) == "auth/too-many-attempts" {
			break
		}
		h.SignIn(t.Context(), "mallory@example.org", pass, spray)
	}
	if tries > 25 {
		t.Errorf("%d accounts tried from one address", tries)
	}
}

func TestManySignInsAtOnce(t *testing.T) {
	t.Parallel()
	h := open(t, func(o *account.Options) {
		o.Password = account.PasswordParams{MemoryKiB: 1024, Passes: 1, Threads: 1, Slots: 1}
	})
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	for i := range 500 {
		wg.Go(func() {
			from := account.Origin{Address: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}
			_, err := h.SignIn(t.Context(), fmt.Sprintf("u%d@example.org", i), pass, from)
			mu.Lock()
			defer mu.Unlock()
			got[fault.CodeOf(err)]++
		})
	}
	wg.Wait()
	if got["auth/bad-credentials"] == 0 || got["auth/bad-credentials"]+got["auth/too-many-sign-ins"] != 500 {
		t.Errorf("%v", got)
	}
}

func TestLifetimes(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	in := h.signUp(t, "ada@example.org")
	day := 24 * time.Hour
	for range 4 { // used every six days: not idle
		h.clock.add(6 * day)
		if _, ok := h.Browser(in.Secret); !ok {
			t.Fatal("ended while in use")
		}
		h.Sweep(t.Context())
		h.restart(t)
	}
	g, _ := h.Browser(in.Secret)
	h.clock.add(6*day + 1)
	if _, ok := h.Browser(in.Secret); ok {
		t.Error("outlived its absolute lifetime")
	}
	if h.Sweep(t.Context()); !ended(g.Pass) {
		t.Error("Done not closed after the sweep")
	}
	in = h.signIn(t, "ada@example.org", home)
	g, _ = h.Browser(in.Secret)
	g.Pass.Hold() // an open WebSocket
	h.clock.add(8 * day)
	h.Sweep(t.Context())
	if _, ok := h.Browser(in.Secret); !ok {
		t.Error("idle while something stands on it")
	}
	g.Pass.Release()
	h.clock.add(7 * day)
	if _, ok := h.Browser(in.Secret); ok {
		t.Error("outlived its idle lifetime")
	}
	h.Sweep(t.Context())
	left, _ := h.store.ListCredentials(t.Context(), in.User.ID)
	if len(left) != 0 {
		t.Errorf("left in the store: %+v", left)
	}
}

func TestChecksAskNoDatabase(t *testing.T) {
	h := open(t, nil)
	in := h.signUp(t, "ada@example.org")
	token, _, err := h.CreateToken(t.Context(), in.Actor, "ci", 0)
	if err != nil {
		t.Fatal(err)
	}
	ticket, _, _ := h.Ticket(t.Context(), in.Actor, "sid", in.User.ID)
	ide, _, err := h.Redeem(t.Context(), ticket, "sid", "ua")
	if err != nil {
		t.Fatal(err)
	}
	before := h.store.Calls()
	checks := func() {
		if _, ok := h.SessionHost(ide); !ok {
			t.Fatal("the cookie is not good")
		}
		if _, ok := h.Token(token); !ok {
			t.Fatal("the token is not good")
		}
		h.SessionHost(in.Secret)
		h.SessionHost("nonsense")
	}
	if n := testing.AllocsPerRun(100, checks); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if n := h.store.Calls(); n != before {
		t.Errorf("%d calls of the store", n-before)
	}
}

func TestSignOutWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	in := h.signUp(t, "ada@example.org")
	g, _ := h.Browser(in.Secret)
	h.store.SetDown(true)
	code(t, h.SignOut(t.Context(), in.Actor), "store/unavailable")
	if _, ok := h.Browser(in.Secret); ok || !ended(g.Pass) {
		t.Fatal("still signed in")
	}
	h.store.SetDown(false)
	h.Sweep(t.Context())
	h.restart(t)
	if _, ok := h.Browser(in.Secret); ok {
		t.Error("signed in again after a restart")
	}
}

func BenchmarkCheck(b *testing.B) {
	h := open(b, func(o *account.Options) { o.Now = nil })
	in := h.signUp(b, "ada@example.org")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := h.Browser(in.Secret); !ok {
			b.Fatal("not signed in")
		}
	}
}

func BenchmarkPassword(b *testing.B) {
	h := open(b, func(o *account.Options) { o.Password = account.PasswordParams{}; o.Now = nil })
	h.signUp(b, "ada@example.org")
	for b.Loop() {
		h.signIn(b, "ada@example.org", home)
	}
}
