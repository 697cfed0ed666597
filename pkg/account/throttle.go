package account

import (
	"net/netip"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/fault"
)

// Failed sign-ins cost tokens; tokens come back with time. Three buckets:
//
//   - an address (an IPv6 /64 counts as one), whatever the account;
//   - an account from one address;
//   - an account from everywhere. It never refuses by itself, since whoever
//     guesses could then keep the owner out for as long as he goes on. While
//     it is empty, each address that the owner has not signed in from before
//     has one try at a time instead of several.
//
// So a guesser only ever uses up his own addresses' tries.
var (
	perAddress = allowance{burst: 20, every: 30 * time.Second}
	perPair    = allowance{burst: 5, every: time.Minute}
	perAccount = allowance{burst: 50, every: time.Minute}
)

// throttleMax bounds the memory that strangers' addresses take: about 10 MB.
const throttleMax = 100_000

type allowance struct {
	burst float64
	every time.Duration // one token comes back
}

// bucket counts what is used, which falls with time: an empty one is dropped.
type bucket struct {
	used float64
	at   time.Time
}

func (b *bucket) settle(a allowance, now time.Time) {
	if d := now.Sub(b.at); d > 0 {
		b.used = max(0, b.used-float64(d)/float64(a.every))
	}
	b.at = now
}

type pair struct {
	account string
	address netip.Prefix
}

type throttle struct {
	mu      sync.Mutex
	address map[netip.Prefix]*bucket
	pair    map[pair]*bucket
	account map[string]*bucket
	known   map[pair]time.Time // where an account has signed in from, lately
}

// knownFor is how long an address counts as the owner's after a sign-in.
const knownFor = 30 * 24 * time.Hour

func newThrottle() *throttle {
	return &throttle{address: map[netip.Prefix]*bucket{}, pair: map[pair]*bucket{},
		account: map[string]*bucket{}, known: map[pair]time.Time{}}
}

// prefix is what counts as one address.
func prefix(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

// try takes a token of each bucket before the password is looked at, so that
// many tries at once are counted too. The account may be one that does not
// exist. Errors: TooMany "auth/too-many-attempts" with RetryAfter.
func (t *throttle) try(account string, from netip.Addr, now time.Time) error {
	k := pair{account, prefix(from)}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.makeRoom(now)
	whole := get(t.account, account, perAccount, now)
	each := perPair
	if seen, ok := t.known[k]; whole.used >= perAccount.burst && (!ok || now.Sub(seen) > knownFor) {
		each.burst = 1
	}
	address, mine := get(t.address, k.address, perAddress, now), get(t.pair, k, perPair, now)
	if !from.IsValid() {
		// The unix socket: everybody on the host would share the one bucket.
		address = &bucket{}
	}
	if wait := max(address.wait(perAddress), mine.wait(each)); wait > 0 {
		return tooManyAttempts(wait)
	}
	address.used++
	mine.used++
	whole.used = min(whole.used+1, perAccount.burst+1)
	return nil
}

// tryAddress is for what costs us a hash without an account: signing up.
func (t *throttle) tryAddress(from netip.Addr, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.makeRoom(now)
	b := get(t.address, prefix(from), perAddress, now)
	if wait := b.wait(perAddress); wait > 0 {
		return tooManyAttempts(wait)
	}
	b.used++
	return nil
}

// right gives back what a try took, and remembers the address as the owner's.
func (t *throttle) right(account string, from netip.Addr, now time.Time) {
	k := pair{account, prefix(from)}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.pair, k)
	// One each, not all: an account of the guesser's own must not wash his
	// address clean.
	if b := t.address[k.address]; b != nil {
		b.used = max(0, b.used-1)
	}
	if b := t.account[account]; b != nil {
		b.used = max(0, b.used-1)
	}
	t.known[k] = now
}

func (b *bucket) wait(a allowance) time.Duration {
	if over := b.used + 1 - a.burst; over > 0 {
		return time.Duration(over*float64(a.every)).Round(time.Second) + time.Second
	}
	return 0
}

func tooManyAttempts(wait time.Duration) error {
	return fault.New(fault.TooMany, "auth/too-many-attempts",
		"too many failed attempts; try again in %s", wait).After(wait)
}

func get[K comparable](m map[K]*bucket, k K, a allowance, now time.Time) *bucket {
	b := m[k]
	if b == nil {
		b = &bucket{}
		m[k] = b
	}
	b.settle(a, now)
	return b
}

// makeRoom forgets what has run out; if that is not enough, some others.
func (t *throttle) makeRoom(now time.Time) {
	if len(t.address)+len(t.pair)+len(t.account) < throttleMax {
		return
	}
	t.drop(now)
	shrink(t.address)
	shrink(t.pair)
	shrink(t.account)
}

func shrink[K comparable](m map[K]*bucket) {
	for k := range m {
		if len(m) < throttleMax/4 {
			return
		}
		delete(m, k)
	}
}

func (t *throttle) sweep(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop(now)
}

func (t *throttle) drop(now time.Time) {
	dropEmpty(t.address, perAddress, now)
	dropEmpty(t.pair, perPair, now)
	dropEmpty(t.account, perAccount, now)
	for k, at := range t.known {
		if now.Sub(at) > knownFor {
			delete(t.known, k)
		}
	}
}

func dropEmpty[K comparable](m map[K]*bucket, a allowance, now time.Time) {
	for k, b := range m {
		if b.settle(a, now); b.used == 0 {
			delete(m, k)
		}
	}
}
