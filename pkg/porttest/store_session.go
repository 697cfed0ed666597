package porttest

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// epoch is a time with microseconds, and in another zone than UTC: a store
// keeps the moment.
var epoch = time.Date(2026, 11, 3, 10, 20, 30, 123456000, time.FixedZone("", 3600))

// gpus makes n devices.
func gpus(n int) []session.GPU {
	out := make([]session.GPU, n)
	for i := range out {
		out[i] = session.GPU{Index: i, UUID: fmt.Sprintf("GPU-%08d-aaaa", i)}
	}
	return out
}

// claimOf asks for a session of a user, the nth of this test.
func claimOf(user string, n int, devices []session.GPU) session.Claim {
	return session.Claim{
		Session: session.Session{
			ID: uuid.NewString(), UserID: user, Slug: fmt.Sprintf("slug%04d", n), Tier: session.TierPublic, Status: session.Starting,
			PackID: "default", PackDigest: "sha256:" + strings.Repeat("a", 64), CreatedAt: epoch.Add(time.Duration(n) * time.Millisecond),
		},
		GPUs: devices, UserLimit: 1, HostLimit: 7,
	}
}

// end is the change that ends a session, whatever it was, and frees all.
func end(at time.Time) session.Change {
	return session.Change{From: []session.Status{session.Starting, session.Running, session.Stopping}, To: session.Stopped,
		At: at, Reason: session.ReasonRequested, Release: true}
}

func wantFault(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if !fault.Is(err, kind) || (code != "" && fault.CodeOf(err) != code) {
		t.Fatalf("got error %v (kind %q, code %q), want kind %q, code %q", err, fault.KindOf(err), fault.CodeOf(err), kind, code)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// val is a call's value, when it must not fail: val(f())(t).
func val[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// storeContext ends before the test binary's own limit, and late enough for the
// race detector on a machine that has much else to do.
func storeContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// SessionStore checks what session.Store promises. open returns an empty store.
func SessionStore(t *testing.T, open func(t *testing.T) session.Store) {
	for name, f := range map[string]func(*testing.T, session.Store){
		"claim takes the first free GPU":    claimFirstFree,
		"claim refuses above limits":        claimLimits,
		"claim is all or nothing":           claimAllOrNothing,
		"a lowered limit counts":            claimLoweredLimit,
		"get by id and slug":                sessionGet,
		"apply records":                     applyRecords,
		"apply refuses other states":        applyConflict,
		"release":                           releaseClaims,
		"list":                              sessionList,
		"GPU states":                        gpuStates,
		"settings":                          settings,
		"odd text":                          oddText,
		"a context that ended":              endedContext,
		"race: 50 for one GPU":              func(t *testing.T, s session.Store) { claimRace(t, s, 1) },
		"race: 50 for seven GPUs":           func(t *testing.T, s session.Store) { claimRace(t, s, 7) },
		"race: one user's limit":            userRace,
		"race: one change of state":         applyRace,
		"race: claims and releases in turn": churn,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}
