package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/errdefs"
	"golang.org/x/sync/errgroup"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/session/faultpoint"
)

// Create implements session.Runtime. Called again after a reboot, it makes the
// network anew for the container that is still there.
func (d *Driver) Create(ctx context.Context, s session.Spec) error {
	if err := checkSpec(s); err != nil {
		return err
	}
	unlock, err := d.lockSlug(ctx, s.Slug)
	if err != nil {
		return err
	}
	defer unlock()
	return d.fail(ctx, d.create(d.in(ctx), s), "creating the container of session %s", s.Slug)
}

func (d *Driver) create(ctx context.Context, s session.Spec) error {
	there, err := d.known(ctx, s)
	if err != nil {
		return err
	}
	var img images.Image
	if !there {
		if img, err = d.findImage(ctx, s.PackDigest); err != nil {
			return err
		}
		if err := d.unpack(ctx, img); err != nil {
			return fmt.Errorf("unpacking the Pack: %w", err)
		}
	}
	// The container needs the name of its network namespace only; nobody enters
	// it before the task.
	var both errgroup.Group
	both.Go(func() error {
		err := d.prepare(ctx, s.Slug)
		faultpoint.Hit("create.network")
		return err
	})
	if !there {
		both.Go(func() error { return d.newContainer(ctx, s, img) })
	}
	err = both.Wait()
	if err == nil && there {
		// A daemon that was killed as it made the container kept its lease.
		err = d.removeLease(ctx, session.ContainerName(s.Slug))
	}
	if err != nil && !there {
		undo, cancel := d.undoContext(ctx)
		defer cancel()
		// The container too: it can have been made although the answer was not
		// waited for.
		if left := d.remove(undo, s.Slug); left != nil {
			d.c.Logger.Warn("a container that could not be made left something behind; the next reconciliation takes it away", "slug", s.Slug, "error", left)
		}
	}
	return err
}

// known says whether the session's container is there already. One of the same
// name that is another session's is a Conflict.
func (d *Driver) known(ctx context.Context, s session.Spec) (bool, error) {
	c, err := d.cli.ContainerService().Get(ctx, session.ContainerName(s.Slug))
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if v, ours := view(c); !ours || v.SessionID != s.SessionID {
		return false, fault.New(fault.Conflict, "runtime/container-of-another-session",
			"The container %s is there and belongs to session %q, not to %s.", c.ID, v.SessionID, s.SessionID)
	}
	// Without its layer it can never start; it is made anew.
	_, err = d.cli.SnapshotService(d.c.Snapshotter).Stat(ctx, c.SnapshotKey)
	if errdefs.IsNotFound(err) {
		return false, d.remove(ctx, s.Slug)
	}
	return err == nil, err
}

// prepare makes what must be there before a task can be: network and files of
// /etc.
func (d *Driver) prepare(ctx context.Context, slug string) error {
	a, err := d.net.Attach(ctx, slug)
	if err != nil {
		return fmt.Errorf("making the session's network: %w", err)
	}
	return d.writeEtc(slug, a.Address)
}

func (d *Driver) newContainer(ctx context.Context, s session.Spec, img images.Image) error {
	id := session.ContainerName(s.Slug)
	image, err := d.image(ctx, img.Target)
	if err != nil {
		return fmt.Errorf("reading the Pack's configuration: %w", err)
	}
	i := client.NewImage(d.cli, img)
	// One that a crash left has no container and nobody's work in it.
	if err := d.removeSnapshot(ctx, id); err != nil {
		return err
	}
	// The lease keeps what is made from being collected in between. It is ours
	// and has the session's name: NewContainer's own has a random one, which a
	// call that is cut short leaves behind for a day.
	leased, done, err := d.lease(ctx, id)
	if err != nil {
		return err
	}
	defer done()
	faultpoint.Hit("create.lease")
	_, err = d.cli.NewContainer(leased, id,
		client.WithContainerLabels(labels(s)),
		// Not SystemdCgroup: a session in a unit of systemd's could lose its GPU when
		// systemd is reloaded (nvidia-container-toolkit#48).
		client.WithRuntime(runtimeName, &options.Options{Root: d.c.RuncRoot}),
		client.WithSnapshotter(d.c.Snapshotter),
		client.WithNewSnapshot(id, i),
		client.WithNewSpec(d.specOpts(s, image.Config, d.net.NetNS(s.Slug))...),
	)
	faultpoint.Hit("create.container")
	return err
}

// leaseFor is how long a lease that nobody gives back lives.
const leaseFor = time.Hour

// lease takes the session's lease, or finds it, and returns a context that
// uses it and what gives it back, also when ctx has ended by then.
func (d *Driver) lease(ctx context.Context, id string) (context.Context, func(), error) {
	_, err := d.cli.LeasesService().Create(ctx, leases.WithID(id), leases.WithExpiration(leaseFor))
	if err != nil && !errdefs.IsAlreadyExists(err) {
		return nil, nil, fmt.Errorf("taking the session's lease: %w", err)
	}
	return leases.WithLease(ctx, id), func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if err := d.removeLease(ctx, id); err != nil {
			d.c.Logger.Warn("lease stays until the session is removed", "lease", id, "error", err)
		}
	}, nil
}

// removeLease gives a lease back. Not there is no error.
func (d *Driver) removeLease(ctx context.Context, id string) error {
	err := d.cli.LeasesService().Delete(ctx, leases.Lease{ID: id})
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("giving the session's lease back: %w", err)
	}
	return nil
}

// removeSnapshot removes a session's writable layer. Not there is no error.
func (d *Driver) removeSnapshot(ctx context.Context, id string) error {
	err := d.cli.SnapshotService(d.c.Snapshotter).Remove(ctx, id)
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("removing the session's file system layer: %w", err)
	}
	return nil
}

// clear takes away all that belongs to a slug but its container.
func (d *Driver) clear(ctx context.Context, slug string) error {
	return errors.Join(
		d.removeSnapshot(ctx, session.ContainerName(slug)),
		d.removeLease(ctx, session.ContainerName(slug)),
		d.net.Detach(ctx, slug),
		os.RemoveAll(d.etcDir(slug)),
	)
}
