package zfs

import (
	"context"
	"fmt"

	"github.com/medforge/medforge/pkg/fault"
)

// Check implements session.Workspaces. A pool that is degraded still serves:
// see Health.
func (w *Workspaces) Check(ctx context.Context) error {
	health, err := w.poolHealth(ctx)
	if err != nil {
		return err
	}
	if health != "ONLINE" && health != "DEGRADED" {
		return w.unhealthy(health)
	}
	d, err := w.get(ctx, w.cfg.Parent, "type", "mounted", "mountpoint", "readonly", "available", "keystatus")
	if err != nil {
		return w.parentFault(ctx, err, "workspaces cannot be made")
	}
	value := func(name string) string { return d.props[name].value }
	switch path := value("mountpoint"); {
	case value("type") != "filesystem":
		return fault.New(fault.Invalid, "workspaces/zfs-parent", "%s is a %s: the parent of workspaces is a filesystem", d.name, value("type"))
	case value("keystatus") == "unavailable":
		return fault.New(fault.Unavailable, "workspaces/locked", "the encryption key of %s is not loaded: zfs load-key -r %[1]s", d.name)
	case value("readonly") == "on":
		return fault.New(fault.Unavailable, "workspaces/read-only", "%s is read-only: zfs set readonly=off %[1]s", d.name)
	case path == "" || path[0] != '/':
		return fault.New(fault.Invalid, "workspaces/mountpoint",
			"%s has the mount point %q: zfs set mountpoint=/srv/medforge/workspaces %[1]s", d.name, path)
	case value("mounted") != "yes":
		return fault.New(fault.Unavailable, "workspaces/not-mounted", "%s is not mounted: zfs mount %[1]s", d.name)
	}
	free, err := d.number("available")
	if err != nil {
		return err
	}
	if free <= w.cfg.MinFreeBytes {
		return fault.New(fault.OutOfSpace, "workspaces/out-of-space",
			"%s has %d MiB left; %d MiB are kept free: zfs list -o space -r %[1]s", d.name, free>>20, w.cfg.MinFreeBytes>>20)
	}
	return nil
}

// Health says whether the pool is as it should be. Errors: Unavailable
// "workspaces/pool-degraded" for one that lost a device and still serves, which
// Check lets pass, "workspaces/pool-suspended" and "workspaces/pool-unhealthy".
func (w *Workspaces) Health(ctx context.Context) error {
	health, err := w.poolHealth(ctx)
	switch {
	case err != nil:
		return err
	case health == "ONLINE":
		return nil
	case health == "DEGRADED":
		return fault.New(fault.Unavailable, "workspaces/pool-degraded",
			"the pool %s is DEGRADED: it serves, and another failure may lose it: zpool status %[1]s", w.pool())
	}
	return w.unhealthy(health)
}

// unhealthy is the error for a pool that does not serve.
func (w *Workspaces) unhealthy(health string) error {
	if health == "SUSPENDED" {
		return fault.New(fault.Unavailable, "workspaces/pool-suspended",
			"the pool %s is SUSPENDED: a disk does not answer, and what must reach it waits: zpool status -v %[1]s; bring the disk back, then zpool clear %[1]s", w.pool())
	}
	return fault.New(fault.Unavailable, "workspaces/pool-unhealthy", "the pool %s is %s: zpool status %[1]s", w.pool(), health)
}

// poolHealth is zpool's word for the pool: ONLINE, DEGRADED, FAULTED, OFFLINE,
// REMOVED, UNAVAIL, SUSPENDED.
func (w *Workspaces) poolHealth(ctx context.Context) (string, error) {
	rows, err := w.cmd.zpool(ctx, "list", "-Hp", "-o", "health", w.pool())
	if err != nil {
		return "", w.fail(err, "workspaces cannot be made")
	}
	if len(rows) != 1 || len(rows[0]) != 1 {
		return "", w.fail(fmt.Errorf("zpool list -o health says %q", rows), "the health of the pool %s cannot be read", w.pool())
	}
	return rows[0][0], nil
}
