package daemon

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/driver/cdi"
	"github.com/medforge/medforge/pkg/driver/zfs"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/store"
)

// doctorTimeout is for all looks together.
const doctorTimeout = 30 * time.Second

// doctor is what only the daemon can see of its host; medforge doctor looks at
// the rest.
func (d *Daemon) doctor(ctx context.Context) []api.Check {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	checks := []api.Check{
		d.check("containerd's answer", func() (string, error) {
			v, err := d.drivers.runtime.Ping(ctx)
			return "version " + v, err
		}, "systemctl restart containerd"),
		d.check("database", func() (string, error) { return d.databaseState(ctx) }, "systemctl restart mariadb; systemctl restart medforged"),
	}
	if w, is := d.drivers.workspaces.(*zfs.Workspaces); is {
		checks = append(checks, d.check("zfs pool", func() (string, error) { return "ONLINE", w.Health(ctx) }, ""))
	}
	checks = append(checks,
		d.check("workspaces", func() (string, error) { return d.workspacesState(ctx) }, "journalctl -u medforged"),
		d.check("pack", func() (string, error) { return d.packState(ctx) }, "medforge admin pack import FILE"),
		d.check("gpus", func() (string, error) { return d.gpusState(ctx) }, "nvidia-smi; medforge admin gpu enable INDEX"),
	)
	if d.drivers.nvml != nil {
		checks = append(checks, d.check("cdi", func() (string, error) { return d.cdiState(ctx) },
			"apt-get install nvidia-container-toolkit; nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml --device-name-strategy=uuid"))
	}
	if d.certs != nil {
		checks = append(checks, d.check("certificate", func() (string, error) { return certificateState(d.certs, time.Now()) }, "journalctl -u medforged"))
	}
	return append(checks, d.check("orphans", func() (string, error) { return d.orphans(ctx) }, "medforge admin reconcile"))
}

// check runs one look. The fix is that of the very failure where there is one.
func (d *Daemon) check(name string, look func() (string, error), fix string) api.Check {
	detail, err := look()
	if err == nil {
		return api.Check{Name: name, Status: api.CheckOK, Detail: detail}
	}
	c := api.Check{Name: name, Status: api.CheckFail, Detail: "it failed; the daemon's log says why", Fix: fix}
	if f := fault.As(err); f != nil {
		c.Detail = f.Message
		if known := d.fix(f.Code); known != "" {
			c.Fix = known
		}
	}
	switch fault.CodeOf(err) {
	case codePoolDegraded, codeStrayWorkspaces:
		c.Status = api.CheckWarn // all is served
	}
	d.logger.Warn("doctor", "check", name, "error", err)
	return c
}

func (d *Daemon) databaseState(ctx context.Context) (string, error) {
	if err := d.store.Ping(ctx); err != nil {
		return "", err
	}
	v, err := d.store.Version(ctx)
	if err == nil && v != store.Target() {
		err = fault.New(fault.Conflict, "database/version", "The database is at version %d, this daemon needs %d. Bring it there: medforged migrate", v, store.Target())
	}
	return fmt.Sprintf("%s, at version %d", d.cfg.Database.Driver, v), err
}

func (d *Daemon) workspacesState(ctx context.Context) (string, error) {
	if err := d.drivers.workspaces.Check(ctx); err != nil {
		return "", err
	}
	w, is := d.drivers.workspaces.(*zfs.Workspaces)
	if !is {
		return d.cfg.Workspace.Driver + " driver in " + d.cfg.WorkspaceDir(), nil
	}
	free, err := w.Free(ctx)
	return fmt.Sprintf("%s, %d GiB free", d.cfg.Workspace.ZFSParent, free>>30), err
}

func (d *Daemon) packState(ctx context.Context) (string, error) {
	packs, err := d.sessions.ListPacks(ctx, auth.Daemon())
	if err != nil {
		return "", err
	}
	for _, p := range packs {
		if p.InUse {
			return p.ID + " " + p.Digest, nil
		}
	}
	return "", fault.New(fault.NotFound, "sessions/no-pack", "No imported Pack is in use, so no session can start.")
}

func (d *Daemon) gpusState(ctx context.Context) (string, error) {
	gpus, err := d.sessions.GPUs(ctx, auth.Daemon())
	if err != nil {
		return "", err
	}
	var wrong []string
	for _, g := range gpus {
		switch status, reason := g.Status(); {
		case status == session.GPUFaulty:
			wrong = append(wrong, fmt.Sprintf("GPU %d is faulty: %s", g.Index, reason))
		case g.State.Reason != "":
			wrong = append(wrong, fmt.Sprintf("GPU %d is in quarantine: %s", g.Index, g.State.Reason))
		}
	}
	if len(wrong) > 0 {
		return "", fault.New(fault.Conflict, "gpus/unusable", "%d of %d cannot be given: %s", len(wrong), len(gpus), strings.Join(wrong, "; "))
	}
	return fmt.Sprintf("%d by the %s driver", len(gpus), d.cfg.GPU.Driver), nil
}

// cdiState asks for each healthy GPU's CDI device, as a start does: the spec is
// found or made, its hooks with it.
func (d *Daemon) cdiState(ctx context.Context) (string, error) {
	gpus, err := d.drivers.nvml.Inventory(ctx)
	if err != nil {
		return "", err
	}
	var names []string
	for _, g := range gpus {
		if g.Fault != "" {
			continue // the check of the GPUs says so
		}
		found, err := d.drivers.nvml.CDIDevices(ctx, g.UUID)
		if err != nil {
			return "", err
		}
		names = append(names, found...)
	}
	const uvm = "/dev/" + cdi.UVMName
	if _, err := os.Stat(uvm); err != nil && len(names) > 0 {
		return "", fault.New(fault.Unavailable, codeNoUVM, "%s is not there, so no CUDA program can start in a session.", uvm)
	}
	return strings.Join(names, ", "), nil
}

func (d *Daemon) orphans(ctx context.Context) (string, error) {
	r, err := d.sessions.Reconcile(ctx, auth.Daemon())
	if err != nil {
		return "", err
	}
	return orphanState(r)
}

// orphanState names what was found and not cleaned. Workspaces alone disturb
// nobody: they hold somebody's files, as after a restored backup.
func orphanState(r session.ReconcileReport) (string, error) {
	const most = 5
	var kept []string
	code, removed := codeStrayWorkspaces, 0
	for _, o := range r.Orphans {
		if o.Removed {
			removed++
			continue
		}
		kept = append(kept, fmt.Sprintf("%s %s: %s", o.Kind, o.Name, o.Why))
		if o.Kind != "workspace" {
			code = "sessions/orphans"
		}
	}
	if n := len(kept); n > most {
		kept = append(kept[:most], fmt.Sprintf("and %d more", n-most))
	}
	switch {
	case len(kept) > 0:
		return "", fault.New(fault.Conflict, code, "%s", strings.Join(kept, "; "))
	case removed > 0:
		return fmt.Sprintf("%d found and cleaned; %d active sessions", removed, r.Active), nil
	}
	return fmt.Sprintf("none; %d active sessions", r.Active), nil
}
