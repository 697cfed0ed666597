package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

// doctor is what only the daemon can see of its host.
func (d *Daemon) doctor(ctx context.Context) []api.Check {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return []api.Check{
		d.check("containerd", func() (string, error) {
			v, err := d.drivers.runtime.Ping(ctx)
			return "version " + v, err
		}, "systemctl start containerd"),
		d.check("database", func() (string, error) {
			if err := d.store.Ping(ctx); err != nil {
				return "", err
			}
			v, err := d.store.Version(ctx)
			return fmt.Sprintf("%s, at version %d", d.cfg.Database.Driver, v), err
		}, "medforged check; then see that the database runs"),
		d.check("workspaces", func() (string, error) {
			return d.cfg.Workspace.Driver + " driver", d.drivers.workspaces.Check(ctx)
		}, "zpool status; zfs list"),
		d.check("pack", func() (string, error) {
			packs, err := d.sessions.ListPacks(ctx, auth.Daemon())
			for _, p := range packs {
				if p.InUse {
					return p.ID + " " + p.Digest, nil
				}
			}
			if err == nil {
				err = fault.New(fault.NotFound, "sessions/no-pack", "No imported Pack is in use.")
			}
			return "", err
		}, "medforge admin pack import FILE"),
		d.check("gpus", func() (string, error) {
			gpus, err := d.sessions.GPUs(ctx, auth.Daemon())
			for _, g := range gpus {
				switch {
				case g.Fault != "":
					err = fault.New(fault.Unavailable, "gpus/fault", "GPU %d: %s", g.Index, g.Fault)
				case g.State.Reason != "":
					err = fault.New(fault.Conflict, "gpus/quarantined", "GPU %d is in quarantine: %s", g.Index, g.State.Reason)
				}
			}
			return fmt.Sprintf("%d by the %s driver", len(gpus), d.cfg.GPU.Driver), err
		}, "nvidia-smi; medforge admin gpu enable INDEX"),
		d.check("orphans", func() (string, error) {
			r, err := d.sessions.Reconcile(ctx, auth.Daemon())
			for _, o := range r.Orphans {
				if !o.Removed {
					err = fault.New(fault.Conflict, "sessions/orphans", "%s %s: %s", o.Kind, o.Name, o.Why)
				}
			}
			return fmt.Sprintf("none; %d active sessions", r.Active), err
		}, "medforge admin reconcile"),
	}
}

// check runs one look.
func (d *Daemon) check(name string, look func() (string, error), fix string) api.Check {
	detail, err := look()
	if err == nil {
		return api.Check{Name: name, Status: api.CheckOK, Detail: detail}
	}
	msg := "it failed; the daemon's log says why"
	if f := fault.As(err); f != nil {
		msg = f.Message
	}
	d.logger.Warn("doctor", "check", name, "error", err)
	return api.Check{Name: name, Status: api.CheckFail, Detail: msg, Fix: fix}
}
