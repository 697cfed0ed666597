package porttest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// claimsOf returns what a session holds, or everything that is held.
func claimsOf(t *testing.T, s session.Store, id string) []session.ClaimRow {
	t.Helper()
	all := val(s.Claims(storeContext(t)))(t)
	return slices.DeleteFunc(all, func(c session.ClaimRow) bool { return id != "" && c.SessionID != id })
}

func claimFirstFree(t *testing.T, s session.Store) {
	ctx := storeContext(t)
	devices := gpus(3)
	devices[0], devices[2] = devices[2], devices[0] // the order is the caller's, best first
	for i, want := range devices {
		c := claimOf(uuid.NewString(), i, devices)
		row := val(s.Claim(ctx, c))(t)
		c.Session.GPUIndex, c.Session.GPUUUID, c.Session.CreatedAt = want.Index, want.UUID, c.Session.CreatedAt.UTC()
		same(t, "the claimed row", row, c.Session)
		same(t, "the row read again", val(s.Get(ctx, row.ID))(t), row)
		held := claimsOf(t, s, row.ID)
		slices.SortFunc(held, func(a, b session.ClaimRow) int { return len(a.Kind) - len(b.Kind) })
		if len(held) != 3 || held[0] != (session.ClaimRow{Kind: "gpu", Key: want.UUID, SessionID: row.ID}) {
			t.Fatalf("it holds %+v", held)
		}
		if !slices.Contains(held, session.ClaimRow{Kind: "user_slot", Key: row.UserID + "/0", SessionID: row.ID}) ||
			!slices.Contains(held, session.ClaimRow{Kind: "host_slot", Key: fmt.Sprint(i), SessionID: row.ID}) {
			t.Fatalf("it holds %+v", held)
		}
	}
}

func claimLimits(t *testing.T, s session.Store) {
	ctx := storeContext(t)
	user, devices := uuid.NewString(), gpus(9)
	val(s.Claim(ctx, claimOf(user, 0, devices)))(t)
	_, err := s.Claim(ctx, claimOf(user, 1, devices))
	wantFault(t, err, fault.LimitReached, "sessions/user-limit-reached")
	second := claimOf(user, 2, devices)
	second.UserLimit = 2
	val(s.Claim(ctx, second))(t)
	for i := 3; i < 8; i++ {
		val(s.Claim(ctx, claimOf(uuid.NewString(), i, devices)))(t)
	}
	_, err = s.Claim(ctx, claimOf(uuid.NewString(), 8, devices))
	wantFault(t, err, fault.LimitReached, "sessions/no-gpu-available") // the eighth: no host slot
	more := claimOf(uuid.NewString(), 9, devices[:7])
	more.HostLimit = 100
	_, err = s.Claim(ctx, more)
	wantFault(t, err, fault.LimitReached, "sessions/no-gpu-available") // a slot, and no GPU
	more.GPUs = nil
	_, err = s.Claim(ctx, more)
	wantFault(t, err, fault.LimitReached, "sessions/no-gpu-available")
	_, err = s.Claim(ctx, claimOf(user, 10, nil))
	wantFault(t, err, fault.LimitReached, "sessions/user-limit-reached") // one's own limit is told first
}

func claimAllOrNothing(t *testing.T, s session.Store) {
	ctx := storeContext(t)
	first := val(s.Claim(ctx, claimOf(uuid.NewString(), 0, gpus(2))))(t)
	taken := claimOf(uuid.NewString(), 0, gpus(2)) // the same slug
	_, err := s.Claim(ctx, taken)
	wantFault(t, err, fault.Exists, "")
	_, err = s.Get(ctx, taken.Session.ID)
	wantFault(t, err, fault.NotFound, "")
	again := claimOf(uuid.NewString(), 1, gpus(2)) // the same session
	again.Session.ID = first.ID
	_, err = s.Claim(ctx, again)
	wantFault(t, err, fault.Exists, "")
	if n := len(claimsOf(t, s, "")); n != 3 {
		t.Fatalf("%d claims are held, want the first session's 3", n)
	}
}

// claimLoweredLimit: slots above a limit that was lowered are still held.
func claimLoweredLimit(t *testing.T, s session.Store) {
	ctx := storeContext(t)
	user := uuid.NewString()
	var rows []session.Session
	for i := range 3 {
		c := claimOf(user, i, gpus(7))
		c.UserLimit = 3
		rows = append(rows, val(s.Claim(ctx, c))(t))
	}
	for _, r := range rows[:2] {
		val(s.Apply(ctx, r.ID, end(epoch)))(t)
	}
	_, err := s.Claim(ctx, claimOf(user, 4, gpus(7))) // one is active, in slot 2; the limit is 1
	wantFault(t, err, fault.LimitReached, "sessions/user-limit-reached")
	c := claimOf(uuid.NewString(), 5, gpus(7))
	c.HostLimit = 1
	_, err = s.Claim(ctx, c)
	wantFault(t, err, fault.LimitReached, "sessions/no-gpu-available")
	c.HostLimit = 2
	val(s.Claim(ctx, c))(t)
}

// claimRace: of 50 callers at once exactly as many win as there are GPUs, the
// others are told that none is free, and nothing is left of their tries.
func claimRace(t *testing.T, s session.Store, devices int) {
	ctx := storeContext(t)
	const callers = 50
	for round := range 3 {
		rows, errs := make([]session.Session, callers), make([]error, callers)
		together(callers, func(i int) {
			c := claimOf(uuid.NewString(), round*callers+i, gpus(devices))
			rows[i], errs[i] = s.Claim(ctx, c)
		})
		seen := map[string]bool{}
		for i, err := range errs {
			if err != nil {
				wantFault(t, err, fault.LimitReached, "sessions/no-gpu-available")
				continue
			}
			if seen[rows[i].GPUUUID] {
				t.Fatalf("%s was given twice", rows[i].GPUUUID)
			}
			seen[rows[i].GPUUUID] = true
		}
		if len(seen) != devices {
			t.Fatalf("%d callers won, want %d", len(seen), devices)
		}
		if n := len(claimsOf(t, s, "")); n != 3*devices {
			t.Fatalf("%d claims are held, want %d", n, 3*devices)
		}
		active := val(s.List(ctx, session.Filter{Statuses: []session.Status{session.Starting}}))(t)
		if len(active) != devices {
			t.Fatalf("%d rows are active, want %d", len(active), devices)
		}
		for _, r := range active {
			val(s.Apply(ctx, r.ID, end(epoch)))(t)
		}
	}
}

func userRace(t *testing.T, s session.Store) {
	ctx := storeContext(t)
	const callers, limit = 30, 2
	user := uuid.NewString()
	errs := make([]error, callers)
	together(callers, func(i int) {
		c := claimOf(user, i, gpus(7))
		c.UserLimit = limit
		_, errs[i] = s.Claim(ctx, c)
	})
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantFault(t, err, fault.LimitReached, "sessions/user-limit-reached")
	}
	if won != limit {
		t.Fatalf("%d sessions of one user, the limit is %d", won, limit)
	}
}

// churn starts and stops sessions from many sides, and looks all the while
// whether a GPU has two sessions.
func churn(t *testing.T, s session.Store) {
	ctx := storeContext(t)
	const callers, rounds, devices = 12, 6, 3
	var mu sync.Mutex
	holders := map[string]string{}
	var errs []error
	note := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
	}
	together(callers, func(i int) {
		user := uuid.NewString()
		for r := range rounds {
			row, err := s.Claim(ctx, claimOf(user, i*rounds+r, gpus(devices)))
			if fault.CodeOf(err) == "sessions/no-gpu-available" {
				continue
			} else if err != nil {
				note(fmt.Errorf("claim: %w", err))
				return
			}
			mu.Lock()
			if other := holders[row.GPUUUID]; other != "" {
				errs = append(errs, fmt.Errorf("%s was given to %s while %s had it", row.GPUUUID, row.ID, other))
			}
			holders[row.GPUUUID] = row.ID
			mu.Unlock()
			if _, err := s.Apply(ctx, row.ID, session.Change{From: []session.Status{session.Starting}, To: session.Running, At: epoch}); err != nil {
				note(fmt.Errorf("running: %w", err))
			}
			mu.Lock()
			delete(holders, row.GPUUUID)
			mu.Unlock()
			if _, err := s.Apply(ctx, row.ID, end(epoch.Add(time.Second))); err != nil {
				note(fmt.Errorf("stopped: %w", err))
			}
		}
	})
	ok(t, errors.Join(errs...))
	if held := claimsOf(t, s, ""); len(held) != 0 {
		t.Fatalf("still held: %+v", held)
	}
}

// together runs f n times, all let go at the same moment.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() { <-gate; f(i) })
	}
	close(gate)
	wg.Wait()
}
