// Package zfs keeps each workspace in a ZFS dataset of its own,
// <parent>/<user id>/<session id>, with a snapshot @stop-<unix ms> at every
// stop. It runs the zfs and zpool commands: the kept Go libraries either link
// libzfs, which promises no stable interface, or take no context and give
// errors as text (mistifyio/go-zfs). Arguments are passed as a list, names are
// validated before, output is read in its parseable form (-Hp).
//
// Both quota and refquota are set, so that snapshots count and a workspace that
// is full says so. The
// folders of the parent are closed to others than root, and devices and set-uid
// files mean nothing in a workspace (devices=off, setuid=off).
//
// The mounts that zfs makes must be seen by the runtime: the daemon runs in the
// host's mount namespace, or in one that shares its mounts with it.
package zfs

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/medforge/medforge/pkg/driver/internal/workspace"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// Config is what the driver needs.
type Config struct {
	Parent     string // dataset below which workspaces stand; it is not made
	QuotaBytes int64  // of a workspace with its snapshots; 0: none
	// MinFreeBytes is the space that Check wants below Parent.
	MinFreeBytes int64
	// BusyFor is how long a busy dataset is tried again; 0: three seconds.
	BusyFor time.Duration
	ZFS     string       // the programs; empty: found in PATH
	Zpool   string       //
	Proc    string       // empty: /proc
	Logger  *slog.Logger // nil: none
}

// Workspaces implements session.Workspaces.
type Workspaces struct {
	cfg    Config
	cmd    *commands
	locks  workspace.Locks
	closed atomic.Bool // the parent's folder was closed to others
}

var _ session.Workspaces = (*Workspaces)(nil)

// User properties that tell a session's dataset from another's.
const (
	propSession = "medforge:session" // the session's id
	propOrigin  = "medforge:origin"  // the snapshot it was cloned from
	propReady   = "medforge:ready"   // unix ns of our last change to a clone
)

// parentForm is what zfs itself takes for a dataset's name, less blanks and '%'.
var parentForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.:-]*(/[A-Za-z0-9][A-Za-z0-9_.:-]*)*$`)

// maxParent leaves room for "/<uuid>/<uuid>@stop-<18 digits>" in the 255 bytes
// of a dataset's name.
const maxParent = 255 - 2*37 - len("@stop-") - 18

// New checks the configuration and runs nothing. Errors: Invalid.
func New(cfg Config) (*Workspaces, error) {
	if !parentForm.MatchString(cfg.Parent) || len(cfg.Parent) > maxParent {
		return nil, fault.New(fault.Invalid, "workspaces/zfs-parent",
			"%q cannot be the parent of workspaces: give a dataset such as tank/medforge/workspaces, at most %d characters", cfg.Parent, maxParent)
	}
	if cfg.QuotaBytes < 0 {
		return nil, fault.New(fault.Invalid, "workspaces/quota", "the quota of a workspace is %d bytes: give 0 or more", cfg.QuotaBytes)
	}
	if cfg.BusyFor == 0 {
		cfg.BusyFor = 3 * time.Second
	}
	if cfg.Proc == "" {
		cfg.Proc = "/proc"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Workspaces{cfg: cfg, cmd: newCommands(cfg.ZFS, cfg.Zpool)}, nil
}

// Name implements session.Workspaces.
func (w *Workspaces) Name(ref session.Ref) string {
	return w.cfg.Parent + "/" + ref.UserID + "/" + ref.SessionID
}

func (w *Workspaces) pool() string {
	pool, _, _ := strings.Cut(w.cfg.Parent, "/")
	return pool
}

// Path implements session.Workspaces. A dataset that is not mounted, as after
// an import, is mounted.
func (w *Workspaces) Path(ctx context.Context, ref session.Ref) (string, error) {
	s, err := w.find(ctx, ref)
	if err != nil {
		return "", err
	}
	return w.mount(ctx, s)
}

// Usage implements session.Workspaces. quota counts what the dataset holds with
// its snapshots, refquota its files, those that a clone shares with its origin
// included: the pair that is nearer to its limit is returned. ZFS counts what
// was written a few seconds later.
func (w *Workspaces) Usage(ctx context.Context, ref session.Ref) (session.Usage, error) {
	props := []string{"used", "quota", "referenced", "refquota"}
	d, err := w.find(ctx, ref, props...)
	if err != nil {
		return session.Usage{}, err
	}
	var n [4]int64
	for i, p := range props {
		if n[i], err = d.number(p); err != nil {
			return session.Usage{}, err
		}
	}
	all := session.Usage{UsedBytes: n[0], QuotaBytes: n[1]}
	files := session.Usage{UsedBytes: n[2], QuotaBytes: n[3]}
	if fullness(files) > fullness(all) {
		return files, nil
	}
	return all, nil
}

// fullness compares uses: by their limit, or by size where there is none.
func fullness(u session.Usage) float64 {
	if u.QuotaBytes == 0 {
		return float64(u.UsedBytes) / (1 << 63)
	}
	return float64(u.UsedBytes) / float64(u.QuotaBytes)
}

// List implements session.Workspaces.
func (w *Workspaces) List(ctx context.Context) ([]session.Ref, error) {
	rows, err := w.cmd.zfs(ctx, "list", "-Hp", "-t", "filesystem", "-d", "2", "-o", "name", w.cfg.Parent)
	if err != nil {
		return nil, w.parentFault(ctx, err, "the workspaces cannot be listed")
	}
	var refs []session.Ref
	for _, row := range rows {
		below, ok := strings.CutPrefix(row[0], w.cfg.Parent+"/")
		user, id, deep := strings.Cut(below, "/")
		if ok && deep && workspace.ValidID(user) && workspace.ValidID(id) {
			refs = append(refs, session.Ref{UserID: user, SessionID: id})
		}
	}
	return refs, nil
}
