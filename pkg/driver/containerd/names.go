package containerd

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

const (
	// runtimeName is containerd's runtime for runc.
	runtimeName = "io.containerd.runc.v2"
	// connectTime bounds one try to connect, and the pause between two.
	connectTime = 3 * time.Second
	// undoTime bounds taking back what failed.
	undoTime = 20 * time.Second
)

// Labels on containers, by which a restarted daemon recognises its own.
const (
	labelSlug    = "medforge.local/slug"
	labelSession = "medforge.local/session-id"
	labelUser    = "medforge.local/user-id"
	labelPack    = "medforge.local/pack-digest"
	labelGPU     = "medforge.local/gpu-uuid"
)

func labels(s session.Spec) map[string]string {
	return map[string]string{labelSlug: s.Slug, labelSession: s.SessionID, labelUser: s.UserID, labelPack: s.PackDigest, labelGPU: s.GPUUUID}
}

// view is what the labels tell of a container, and whether it is one of ours.
func view(c containers.Container) (session.Container, bool) {
	slug := c.Labels[labelSlug]
	v := session.Container{
		Slug:       slug,
		SessionID:  c.Labels[labelSession],
		UserID:     c.Labels[labelUser],
		PackDigest: c.Labels[labelPack],
		GPUUUID:    c.Labels[labelGPU],
	}
	return v, session.ValidSlug(slug) && c.ID == session.ContainerName(slug)
}

// slugOf is the slug in a container's id, if it is one of ours.
func slugOf(id string) (string, bool) {
	slug, ok := strings.CutPrefix(id, session.ContainerName(""))
	return slug, ok && session.ValidSlug(slug)
}

// checkSlug keeps anything but a slug out of names and paths.
func checkSlug(slug string) error {
	if !session.ValidSlug(slug) {
		return fault.New(fault.Invalid, "runtime/bad-slug", "%q is not a session's slug (%d characters of a-z and 2-7).", slug, session.SlugLength)
	}
	return nil
}

func checkSpec(s session.Spec) error {
	if err := checkSlug(s.Slug); err != nil {
		return err
	}
	for what, id := range map[string]string{"session": s.SessionID, "user": s.UserID} {
		if _, err := uuid.Parse(id); err != nil {
			return fault.New(fault.Invalid, "runtime/bad-id", "%q is not the UUID of a %s.", id, what)
		}
	}
	for what, path := range map[string]string{"workspace": s.WorkspacePath, "socket folder": s.SocketPath} {
		if !strings.HasPrefix(path, "/") {
			return fault.New(fault.Invalid, "runtime/bad-path", "The %s %q of session %s is not an absolute path.", what, path, s.Slug)
		}
	}
	if s.Limits.CPUMillis < 0 || s.Limits.MemoryBytes < 0 || s.Limits.PIDs < 0 {
		return fault.New(fault.Invalid, "runtime/bad-limits", "A limit of session %s is below zero: %+v.", s.Slug, s.Limits)
	}
	return nil
}

// keyed is one lock per key, for as long as somebody wants it. The zero value
// is ready.
type keyed struct {
	mu   sync.Mutex
	held map[string]*hold
}

type hold struct {
	token chan struct{}
	users int
}

// lock waits for the key until ctx ends, and returns what unlocks it.
func (k *keyed) lock(ctx context.Context, key string) (unlock func(), err error) {
	k.mu.Lock()
	if k.held == nil {
		k.held = map[string]*hold{}
	}
	h := k.held[key]
	if h == nil {
		h = &hold{token: make(chan struct{}, 1)}
		k.held[key] = h
	}
	h.users++
	k.mu.Unlock()

	leave := func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if h.users--; h.users == 0 {
			delete(k.held, key)
		}
	}
	if err := ctx.Err(); err != nil {
		leave()
		return nil, err
	}
	select {
	case h.token <- struct{}{}:
		return func() { <-h.token; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

// lockSlug is for whoever changes a session's container.
func (d *Driver) lockSlug(ctx context.Context, slug string) (func(), error) {
	if err := checkSlug(slug); err != nil {
		return nil, err
	}
	unlock, err := d.slugs.lock(ctx, slug)
	if err != nil {
		return nil, d.fail(ctx, err, "waiting for what else happens to session %s", slug)
	}
	return unlock, nil
}
