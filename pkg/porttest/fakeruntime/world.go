package fakeruntime

import (
	"context"
	"fmt"

	"github.com/medforge/medforge/pkg/session"
)

// watcher is one reader of exits. Its queue grows as containerd's does, so no
// exit is lost on a slow reader.
type watcher struct {
	queue []session.Exit
	more  chan struct{} // holds one token while the queue has news
	gone  chan struct{} // closed when the runtime is lost
}

// Exits implements session.Runtime.
func (r *Runtime) Exits(ctx context.Context) (<-chan session.Exit, error) {
	if err := r.enter(ctx, OpExits, ""); err != nil {
		return nil, err
	}
	w := &watcher{more: make(chan struct{}, 1), gone: make(chan struct{})}
	r.watchers[w] = true
	r.mu.Unlock()

	out := make(chan session.Exit)
	go func() {
		defer close(out)
		defer func() {
			r.mu.Lock()
			delete(r.watchers, w)
			r.mu.Unlock()
		}()
		for {
			r.mu.Lock()
			batch := w.queue
			w.queue = nil
			r.mu.Unlock()
			for _, e := range batch {
				select {
				case out <- e:
				case <-ctx.Done():
					return
				}
			}
			select {
			case <-w.more:
			case <-w.gone:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// end records the end of a running main process and tells the watchers. The
// lock is held.
func (r *Runtime) end(slug string, c *container, code uint32) {
	if !c.running {
		return
	}
	c.running, c.ended, c.code, c.at = false, true, code, r.Now()
	close(c.killed)
	for w := range r.watchers {
		w.queue = append(w.queue, session.Exit{Slug: slug, ExitCode: code, At: c.at})
		select {
		case w.more <- struct{}{}:
		default:
		}
	}
}

// Exit ends a session's main process from the inside, with a code. It reports
// whether one was running.
func (r *Runtime) Exit(slug string, code uint32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.containers[slug]
	if c == nil || !c.running {
		return false
	}
	r.end(slug, c, code)
	return true
}

// IgnoreTerm makes the running main process ignore SIGTERM.
func (r *Runtime) IgnoreTerm(slug string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.containers[slug]; c != nil {
		c.stubborn = true
	}
}

// Say makes the main process print a line.
func (r *Runtime) Say(slug, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.book(slug).add(fmt.Sprintf(format, args...) + "\n")
}

// Lose takes the runtime away: every call is Unavailable and every channel of
// Exits is closed. Containers live on.
func (r *Runtime) Lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lost {
		return
	}
	r.lost = true
	for w := range r.watchers {
		close(w.gone)
		delete(r.watchers, w)
	}
}

// Restore brings a lost runtime back.
func (r *Runtime) Restore() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost = false
}

// Reboot ends every task without telling anybody, as a reboot of the host
// does, and takes the networks with it.
func (r *Runtime) Reboot() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.containers {
		if c.running {
			close(c.killed)
		}
		c.running, c.ended = false, false
	}
	r.networks = map[string]bool{}
}

// AddPack imports a Pack without an archive.
func (r *Runtime) AddPack(p session.Pack) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.packs[p.Digest] = p
}

// Tamper makes the Pack stored under a digest another one.
func (r *Runtime) Tamper(digest string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tampered[digest] = true
}

// AddNetwork leaves a network of a session behind, as a crash can.
func (r *Runtime) AddNetwork(slug string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.networks[slug] = true
}

// DropContainer makes a container vanish and keeps its network.
func (r *Runtime) DropContainer(slug string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.containers[slug]; c != nil {
		r.end(slug, c, exitKill)
	}
	delete(r.containers, slug)
}

// Spec returns what a container was created from.
func (r *Runtime) Spec(slug string) (session.Spec, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.containers[slug]
	if c == nil {
		return session.Spec{}, false
	}
	return c.spec, true
}

// Leftovers names what is still there, for a test that wants nothing left.
func (r *Runtime) Leftovers() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var left []string
	for slug := range r.containers {
		left = append(left, "container "+slug)
	}
	for slug := range r.networks {
		left = append(left, "network "+slug)
	}
	return left
}
