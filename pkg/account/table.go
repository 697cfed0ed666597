package account

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/medforge/medforge/pkg/auth"
)

// person is the account behind entries, as it stands now.
type person struct{ atomic.Pointer[User] }

// Entry is a credential in memory. It is an auth.Pass.
type Entry struct {
	cred   Credential // LastUsed is as loaded; used has the present one
	user   *person
	parent *Entry
	used   atomic.Int64 // unix seconds
	saved  int64        // what the store has; the sweeper's own
	held   atomic.Int64
	done   chan struct{}
}

// Done is closed when the credential has ended.
func (e *Entry) Done() <-chan struct{} { return e.done }

// Hold keeps it from running out for want of use.
func (e *Entry) Hold() {
	for ; e != nil; e = e.parent {
		e.held.Add(1)
	}
}

// Release undoes a Hold.
func (e *Entry) Release() {
	for ; e != nil; e = e.parent {
		e.held.Add(-1)
	}
}

// touch records a use, of the parent too: who works in the IDE is not idle.
func (e *Entry) touch(now time.Time) {
	for ; e != nil; e = e.parent {
		if unix := now.Unix(); e.used.Load() < unix {
			e.used.Store(unix)
		}
	}
}

func (e *Entry) expired(now time.Time, idle time.Duration) bool {
	if !e.cred.ExpiresAt.IsZero() && !now.Before(e.cred.ExpiresAt) {
		return true
	}
	return e.cred.Kind != TokenCredential && e.held.Load() <= 0 &&
		now.Unix()-e.used.Load() >= int64(idle/time.Second)
}

func (e *Entry) grant() auth.Grant {
	u := e.user.Load()
	via := auth.ViaCookie
	if e.cred.Kind == TokenCredential {
		via = auth.ViaToken
	}
	a := actorOf(u, via)
	a.CredentialID = e.cred.ID
	return auth.Grant{Actor: a, Pass: e, SessionID: e.cred.SessionID}
}

// table is every credential that stands, by hash. Reading takes a read lock
// and allocates nothing.
type table struct {
	mu     sync.RWMutex
	byHash map[[32]byte]*Entry
	byID   map[string]*Entry
}

func newTable() *table {
	return &table{byHash: map[[32]byte]*Entry{}, byID: map[string]*Entry{}}
}

// add reports whether the entry could be added: its parent must still stand.
func (t *table) add(c Credential, p *person) (*Entry, bool) {
	e := &Entry{cred: c, user: p, saved: c.LastUsed.Unix(), done: make(chan struct{})}
	e.used.Store(e.saved)
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.ParentID != "" {
		if e.parent = t.byID[c.ParentID]; e.parent == nil {
			return nil, false
		}
	}
	t.byHash[c.Hash], t.byID[c.ID] = e, e
	return e, true
}

func (t *table) find(hash [32]byte) *Entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byHash[hash]
}

func (t *table) get(id string) *Entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byID[id]
}

// end takes away the chosen entries and those that came from them, and closes
// their Done. It returns those it took.
func (t *table) end(choose func(*Entry) bool) []*Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	var gone []*Entry
	for _, e := range t.byID {
		if choose(e) || (e.parent != nil && choose(e.parent)) {
			gone = append(gone, e)
		}
	}
	for _, e := range gone {
		delete(t.byHash, e.cred.Hash)
		delete(t.byID, e.cred.ID)
		close(e.done)
	}
	return gone
}

// all returns every entry, for the sweeper.
func (t *table) all() []*Entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := make([]*Entry, 0, len(t.byID))
	for _, e := range t.byID {
		out = append(out, e)
	}
	return out
}
