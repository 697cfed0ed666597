package containerd

import (
	"context"
	"fmt"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/session/faultpoint"
)

// Remove implements session.Runtime.
func (d *Driver) Remove(ctx context.Context, slug string) error {
	unlock, err := d.lockSlug(ctx, slug)
	if err != nil {
		return err
	}
	defer unlock()
	return d.fail(ctx, d.remove(d.in(ctx), slug), "removing the container of session %s", slug)
}

func (d *Driver) remove(ctx context.Context, slug string) error {
	c, err := d.cli.LoadContainer(ctx, session.ContainerName(slug))
	switch {
	case errdefs.IsNotFound(err):
	case err != nil:
		return err
	default:
		if err := d.removeContainer(ctx, c, slug); err != nil {
			return err
		}
	}
	if err := d.endShim(ctx, session.ContainerName(slug)); err != nil {
		return err
	}
	// The container may be gone and the rest not.
	return d.clear(ctx, slug)
}

func (d *Driver) removeContainer(ctx context.Context, c client.Container, slug string) error {
	_, status, err := d.task(ctx, c)
	if err != nil {
		return err
	}
	switch status {
	case client.Running, client.Paused, client.Pausing:
		return fault.New(fault.Busy, "runtime/still-running", "Session %s still runs; stop it first.", slug)
	case noTask:
	default:
		if err := d.deleteTask(ctx, c); err != nil {
			return fmt.Errorf("removing its task: %w", err)
		}
	}
	if err := c.Delete(ctx, client.WithSnapshotCleanup); err != nil && !errdefs.IsNotFound(err) {
		return err
	}
	faultpoint.Hit("remove.container")
	return nil
}

// Networks implements session.Runtime. It also puts the rules that keep
// sessions apart back, where a reloaded firewall took them away: the daemon
// asks for the networks regularly, and nothing else would notice.
func (d *Driver) Networks(ctx context.Context) ([]string, error) {
	if err := d.net.Repair(ctx); err != nil {
		return nil, d.fail(ctx, err, "repairing the sessions' network")
	}
	slugs, err := d.net.List(ctx)
	return slugs, d.fail(ctx, err, "listing the sessions' networks")
}
