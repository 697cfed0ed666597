package workspace

import (
	"context"
	"sync"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// Locks lets one caller at a time work on a workspace. The zero value is ready.
type Locks struct {
	mu   sync.Mutex
	held map[session.Ref]*lock
}

type lock struct {
	token chan struct{} // holds one value while the lock is taken
	users int           // who holds or waits for it
}

// Lock waits for the workspace's lock. Errors: Unavailable when ctx ends first.
func (l *Locks) Lock(ctx context.Context, ref session.Ref) (unlock func(), err error) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[session.Ref]*lock{}
	}
	k := l.held[ref]
	if k == nil {
		k = &lock{token: make(chan struct{}, 1)}
		l.held[ref] = k
	}
	k.users++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.held, ref)
		}
	}
	if err := ctx.Err(); err != nil {
		leave()
		return nil, Interrupted(err)
	}
	select {
	case k.token <- struct{}{}:
		return func() { <-k.token; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, Interrupted(ctx.Err())
	}
}

// Interrupted is the error for work that ctx ended.
func Interrupted(cause error) *fault.Error {
	return fault.Wrap(cause, fault.Unavailable, "workspaces/interrupted", "work on a workspace did not end in its time; it can be repeated")
}
