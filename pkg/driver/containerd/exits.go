package containerd

import (
	"context"
	"fmt"

	eventtypes "github.com/containerd/containerd/api/events"
	"github.com/containerd/containerd/v2/core/events"
	"github.com/containerd/typeurl/v2"

	"github.com/medforge/medforge/pkg/session"
)

const (
	topicExit = "/tasks/exit"
	topicOOM  = "/tasks/oom"
	// topicHello is our own: its arrival shows that the subscription stands.
	topicHello = "/medforge/hello"
)

// Exits implements session.Runtime.
func (d *Driver) Exits(ctx context.Context) (<-chan session.Exit, error) {
	ctx, cancel := context.WithCancel(ctx)
	var filters []string
	for _, topic := range []string{topicExit, topicOOM, topicHello} {
		filters = append(filters, fmt.Sprintf("namespace==%s,topic==%q", d.c.Namespace, topic))
	}
	received, errs := d.cli.Subscribe(d.in(ctx), filters...)
	early, err := d.subscribed(ctx, received, errs)
	if err != nil {
		cancel()
		return nil, d.fail(ctx, err, "subscribing to containerd's events")
	}
	out := make(chan session.Exit)
	go func() {
		defer cancel()
		defer close(out)
		deliver := func(e *events.Envelope) bool {
			exit, ok := d.exitOf(e)
			if !ok {
				return true
			}
			select {
			case out <- exit:
				return true
			case <-ctx.Done():
				return false
			}
		}
		for _, e := range early {
			if !deliver(e) {
				return
			}
		}
		for {
			select {
			case e := <-received:
				if e == nil || !deliver(e) {
					return
				}
			case err := <-errs:
				if ctx.Err() == nil {
					d.c.Logger.Warn("containerd's events ended", "error", err)
				}
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// subscribed returns when the subscription stands, with what it has already
// delivered. containerd does not say when it does, and an exit before that
// would be missed; so an event of our own is sent until it comes back.
func (d *Driver) subscribed(ctx context.Context, received <-chan *events.Envelope, errs <-chan error) (early []*events.Envelope, err error) {
	for {
		if err := d.cli.EventService().Publish(d.in(ctx), topicHello, &eventtypes.NamespaceUpdate{Name: d.c.Namespace}); err != nil {
			return nil, err
		}
		wait, cancel := context.WithTimeout(ctx, retryEvery)
		for again := false; !again; {
			select {
			case e := <-received:
				if e != nil && e.Topic == topicHello {
					cancel()
					return early, nil
				}
				early = append(early, e)
			case err := <-errs:
				cancel()
				if err == nil {
					err = context.Canceled
				}
				return nil, err
			case <-wait.Done():
				again = true
			}
		}
		cancel()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// exitOf reads an event: the end of a session's main process, or not.
func (d *Driver) exitOf(e *events.Envelope) (session.Exit, bool) {
	if e == nil || e.Event == nil {
		return session.Exit{}, false
	}
	body, err := typeurl.UnmarshalAny(e.Event)
	if err != nil {
		d.c.Logger.Warn("an event of containerd's cannot be read", "topic", e.Topic, "error", err)
		return session.Exit{}, false
	}
	switch body := body.(type) {
	case *eventtypes.TaskExit:
		slug, ours := slugOf(body.ContainerID)
		if !ours || body.ID != body.ContainerID { // another process in it
			return session.Exit{}, false
		}
		return session.Exit{Slug: slug, ExitCode: body.ExitStatus, At: body.ExitedAt.AsTime()}, true
	case *eventtypes.TaskOOM:
		if slug, ours := slugOf(body.ContainerID); ours {
			d.c.Logger.Warn("a session used more memory than it may; the kernel ended a process in it", "slug", slug)
		}
	}
	return session.Exit{}, false
}
