package daemon

import (
	"strings"

	"github.com/medforge/medforge/pkg/config"
)

// codePoolDegraded is the zfs driver's for a pool that lost a device and serves.
const codePoolDegraded = "workspaces/pool-degraded"

// codeStrayWorkspaces says that there are workspaces without a session, and no
// other orphans.
const codeStrayWorkspaces = "sessions/stray-workspaces"

// codeNoUVM says that the node of NVIDIA's unified memory is missing.
const codeNoUVM = "gpus/no-uvm"

// fix is the command that mends what a driver found, by its code; empty for a
// code that is not among them.
func (d *Daemon) fix(code string) string {
	parent := d.cfg.Workspace.ZFSParent
	pool, _, _ := strings.Cut(parent, "/")
	return map[string]string{
		codeStrayWorkspaces: "medforge admin reconcile lists them; MedForge never deletes one. " + d.strayFix(),
		"sessions/orphans": "medforge admin reconcile; what runs without a session ends by: ctr -n " + d.cfg.Containerd.Namespace +
			" tasks kill -s SIGKILL NAME, then reconcile again",
		codeNoUVM:                   "modprobe nvidia-uvm; nvidia-modprobe -u -c 0",
		"gpus/no-hook":              "apt-get install nvidia-container-toolkit (from NVIDIA's repository), or put the program nvidia-cdi-hook beside medforged",
		"workspaces/pool-missing":   "zpool import " + pool,
		"workspaces/zfs-not-loaded": "modprobe zfs",
		"workspaces/pool-suspended": "zpool status -v " + pool + "; bring the disk back, then zpool clear " + pool,
		"workspaces/pool-unhealthy": "zpool status -v " + pool,
		codePoolDegraded:            "zpool status -v " + pool + "; then zpool replace " + pool + " OLD-DISK NEW-DISK",
		"workspaces/parent-missing": "zfs create -p " + parent,
		"workspaces/not-mounted":    "zfs mount " + parent,
		"workspaces/read-only":      "zfs set readonly=off " + parent,
		"workspaces/locked":         "zfs load-key -r " + parent + "; zfs mount " + parent,
		"workspaces/mountpoint":     "zfs set mountpoint=/srv/medforge/workspaces " + parent,
		"workspaces/zfs-parent":     "set workspace.zfs_parent to a filesystem: zfs list -t filesystem",
		"workspaces/out-of-space":   "zfs list -o space -r " + pool,
	}[code]
}

// strayFix is how an operator looks at a workspace that no session names.
func (d *Daemon) strayFix() string {
	if d.cfg.Workspace.Driver == config.WorkspaceZFS {
		return "Look at one: zfs list -r -t all " + d.cfg.Workspace.ZFSParent + "/NAME"
	}
	return "Look at one: ls -la " + d.cfg.WorkspaceDir() + "/NAME"
}
