package session

import "sync"

// View is what the proxy needs of a session, by value.
type View struct {
	ID      string
	UserID  string
	Slug    string
	Running bool
	// Starting is true while it is being made: worth telling a visitor.
	Starting bool
	// Done is closed when the session stops being the one it was: open
	// WebSockets end then.
	Done <-chan struct{}
}

// index is the active sessions in memory, so that a proxied request asks no
// database. The store stays the truth; the index follows each change.
type index struct {
	mu     sync.RWMutex
	bySlug map[string]entry
}

type entry struct {
	view View
	done chan struct{}
}

func newIndex() *index { return &index{bySlug: map[string]entry{}} }

func (x *index) put(row Session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	old, had := x.bySlug[row.Slug]
	if !row.Status.Active() {
		if had {
			close(old.done)
			delete(x.bySlug, row.Slug)
		}
		return
	}
	done := old.done
	if had && old.view.Running && row.Status == Stopping {
		// A stop ends what is open at once, not when the container is gone.
		close(old.done)
		had = false
	}
	if !had {
		done = make(chan struct{})
	}
	x.bySlug[row.Slug] = entry{done: done, view: View{
		ID: row.ID, UserID: row.UserID, Slug: row.Slug,
		Running: row.Status == Running, Starting: row.Status == Starting, Done: done,
	}}
}

func (x *index) get(slug string) (View, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	e, ok := x.bySlug[slug]
	return e.view, ok
}

// any reports whether any session is active.
func (x *index) any() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.bySlug) > 0
}

// BySlug returns an active session without asking the database or allocating.
func (s *Service) BySlug(slug string) (View, bool) { return s.index.get(slug) }
