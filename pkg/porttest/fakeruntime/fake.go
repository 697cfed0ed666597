package fakeruntime

import (
	"context"
	"sort"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// Op is a method of the ports, as Before sees it.
type Op string

// The methods.
const (
	OpPing     Op = "ping"
	OpCreate   Op = "create"
	OpStart    Op = "start"
	OpStop     Op = "stop"
	OpRemove   Op = "remove"
	OpInspect  Op = "inspect"
	OpList     Op = "list"
	OpNetworks Op = "networks"
	OpExits    Op = "exits"
	OpLog      Op = "log"
	OpImport   Op = "import"
	OpPacks    Op = "packs"
)

// Exit codes of a process that a signal ended: 128 and the signal's number.
const (
	exitTerm = 143
	exitKill = 137
)

// Runtime is the fake. Its exported fields are set before first use; its
// methods may be called from several goroutines.
type Runtime struct {
	// Now is the clock of exits and imports.
	Now func() time.Time
	// Before is called at the start of every call of a port's method, without
	// a lock held; an error it returns is the call's answer, and nothing
	// happened. slug is empty where the method has none.
	Before func(ctx context.Context, op Op, slug string) error
	// After is called when a method has done its work; an error it returns is
	// the call's answer although the work is done, as when a connection breaks
	// before the answer arrives.
	After func(ctx context.Context, op Op, slug string) error
	// Started is called when a task has started, without a lock held: where a
	// test makes the IDE answer, prints, or lets the process die.
	Started func(spec session.Spec)

	mu         sync.Mutex
	lost       bool
	packs      map[string]session.Pack
	tampered   map[string]bool
	containers map[string]*container
	networks   map[string]bool
	logs       map[string]*logbook
	watchers   map[*watcher]bool
}

type container struct {
	spec     session.Spec
	running  bool
	ended    bool // a task has ended and is still there
	stubborn bool
	code     uint32
	at       time.Time
	killed   chan struct{} // closed when the task is no longer running
}

var (
	_ session.Runtime = (*Runtime)(nil)
	_ session.Packs   = (*Runtime)(nil)
)

// New returns an empty runtime.
func New() *Runtime {
	return &Runtime{
		Now:        time.Now,
		packs:      map[string]session.Pack{},
		tampered:   map[string]bool{},
		containers: map[string]*container{},
		networks:   map[string]bool{},
		logs:       map[string]*logbook{},
		watchers:   map[*watcher]bool{},
	}
}

// enter does what every method does first, and returns with the lock held when
// there is no error.
func (r *Runtime) enter(ctx context.Context, op Op, slug string) error {
	if r.Before != nil {
		if err := r.Before(ctx, op, slug); err != nil {
			return err
		}
	}
	if slug != "" && !session.ValidSlug(slug) {
		return fault.New(fault.Invalid, "runtime/bad-slug", "%q is not a session's slug (8 characters of a-z and 2-7).", slug)
	}
	if err := ctx.Err(); err != nil {
		return fault.Wrap(err, fault.Unavailable, "runtime/interrupted", "The container runtime was not waited for.")
	}
	r.mu.Lock()
	if r.lost {
		r.mu.Unlock()
		return errLost()
	}
	return nil
}

func (r *Runtime) leave(ctx context.Context, op Op, slug string, err error) error {
	if err == nil && r.After != nil {
		return r.After(ctx, op, slug)
	}
	return err
}

func errLost() error {
	return fault.New(fault.Unavailable, "runtime/unavailable", "The container runtime does not answer.")
}

func errNoContainer(slug string) error {
	return fault.New(fault.NotFound, "runtime/container-not-found", "Session %s has no container.", slug)
}

// Ping implements session.Runtime.
func (r *Runtime) Ping(ctx context.Context) (string, error) {
	if err := r.enter(ctx, OpPing, ""); err != nil {
		return "", err
	}
	defer r.mu.Unlock()
	return "fake-1", nil
}

// Create implements session.Runtime.
func (r *Runtime) Create(ctx context.Context, spec session.Spec) error {
	if err := r.enter(ctx, OpCreate, spec.Slug); err != nil {
		return err
	}
	err := r.create(spec)
	r.mu.Unlock()
	return r.leave(ctx, OpCreate, spec.Slug, err)
}

func (r *Runtime) create(spec session.Spec) error {
	if spec.Slug == "" {
		return fault.New(fault.Invalid, "runtime/bad-slug", "A session without a slug cannot have a container.")
	}
	if c := r.containers[spec.Slug]; c != nil {
		if c.spec.SessionID != spec.SessionID {
			return fault.New(fault.Conflict, "runtime/container-of-another-session",
				"Container %s belongs to session %s.", session.ContainerName(spec.Slug), c.spec.SessionID)
		}
		r.networks[spec.Slug] = true
		return nil
	}
	if _, ok := r.packs[spec.PackDigest]; !ok {
		return fault.New(fault.NotFound, "packs/not-found", "No Pack with digest %s is imported.", spec.PackDigest)
	}
	if r.tampered[spec.PackDigest] {
		return fault.New(fault.Conflict, "packs/digest-mismatch", "The Pack stored under %s has another digest.", spec.PackDigest)
	}
	r.containers[spec.Slug] = &container{spec: spec}
	r.networks[spec.Slug] = true
	return nil
}

// Start implements session.Runtime.
func (r *Runtime) Start(ctx context.Context, slug string) error {
	if err := r.enter(ctx, OpStart, slug); err != nil {
		return err
	}
	c := r.containers[slug]
	if c == nil {
		r.mu.Unlock()
		return r.leave(ctx, OpStart, slug, errNoContainer(slug))
	}
	started := !c.running
	if started {
		c.running, c.ended, c.stubborn, c.code, c.at = true, false, false, 0, time.Time{}
		c.killed = make(chan struct{})
		r.book(slug).add("fake IDE of " + slug + " started\n")
	}
	spec := c.spec
	r.mu.Unlock()
	if started && r.Started != nil {
		r.Started(spec)
	}
	return r.leave(ctx, OpStart, slug, nil)
}

// Stop implements session.Runtime. A stubborn process lives until grace is
// over.
func (r *Runtime) Stop(ctx context.Context, slug string, grace time.Duration) error {
	if err := r.enter(ctx, OpStop, slug); err != nil {
		return err
	}
	c := r.containers[slug]
	if c != nil && c.running && c.stubborn {
		killed := c.killed
		r.mu.Unlock()
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-killed:
		case <-ctx.Done():
			return fault.Wrap(ctx.Err(), fault.Unavailable, "runtime/interrupted", "Stopping session %s was not waited for.", slug)
		}
		r.mu.Lock()
	}
	if c != nil {
		code := uint32(exitTerm)
		if c.stubborn {
			code = exitKill
		}
		r.end(slug, c, code)
		c.ended, c.code, c.at = false, 0, time.Time{}
	}
	r.mu.Unlock()
	return r.leave(ctx, OpStop, slug, nil)
}

// Remove implements session.Runtime.
func (r *Runtime) Remove(ctx context.Context, slug string) error {
	if err := r.enter(ctx, OpRemove, slug); err != nil {
		return err
	}
	var err error
	if c := r.containers[slug]; c != nil && c.running {
		err = fault.New(fault.Busy, "runtime/still-running", "Session %s still runs; stop it first.", slug)
	} else {
		delete(r.containers, slug)
		delete(r.networks, slug)
	}
	r.mu.Unlock()
	return r.leave(ctx, OpRemove, slug, err)
}

// Inspect implements session.Runtime.
func (r *Runtime) Inspect(ctx context.Context, slug string) (session.Container, error) {
	if err := r.enter(ctx, OpInspect, slug); err != nil {
		return session.Container{}, err
	}
	defer r.mu.Unlock()
	c := r.containers[slug]
	if c == nil {
		return session.Container{}, errNoContainer(slug)
	}
	return c.view(), nil
}

func (c *container) view() session.Container {
	return session.Container{
		Slug: c.spec.Slug, SessionID: c.spec.SessionID, UserID: c.spec.UserID, PackDigest: c.spec.PackDigest,
		GPUUUID: c.spec.GPUUUID, Running: c.running, ExitCode: c.code, ExitedAt: c.at,
	}
}

// List implements session.Runtime.
func (r *Runtime) List(ctx context.Context) ([]session.Container, error) {
	if err := r.enter(ctx, OpList, ""); err != nil {
		return nil, err
	}
	defer r.mu.Unlock()
	var all []session.Container
	for _, c := range r.containers {
		all = append(all, c.view())
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Slug < all[j].Slug })
	return all, nil
}

// Networks implements session.Runtime.
func (r *Runtime) Networks(ctx context.Context) ([]string, error) {
	if err := r.enter(ctx, OpNetworks, ""); err != nil {
		return nil, err
	}
	defer r.mu.Unlock()
	var all []string
	for slug := range r.networks {
		all = append(all, slug)
	}
	sort.Strings(all)
	return all, nil
}
