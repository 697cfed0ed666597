package zfs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/medforge/medforge/pkg/driver/internal/workspace"
	"github.com/medforge/medforge/pkg/fault"
)

// reason is what a message of the commands means.
type reason int

const (
	unknown reason = iota
	noDataset
	noParent
	noPool
	exists
	busy
	outOfSpace
	hasChildren
	suspended
	notLoaded
	readOnly
	locked
)

// messages are texts of libzfs_util.c (libzfs_error_description and the
// zfs_error_aux calls) and of the commands, as OpenZFS 2.1 to 2.3 have them;
// testdata/messages are those that 2.1.11 and 2.3.9 were made to say.
// The programs give no other sign of what went wrong: the exit status is 1.
var messages = []struct {
	text string
	why  reason
}{
	{"dataset does not exist", noDataset},
	{"no such pool or dataset", noDataset},
	{"parent does not exist", noParent},
	{"no such pool", noPool},
	{"dataset already exists", exists},
	{"pool or dataset exists", exists},
	{"is busy", busy}, // "dataset is busy", "pool or dataset is busy", "target is busy"
	{"out of space", outOfSpace},
	{"no space left on device", outOfSpace},
	{"quota exceeded", outOfSpace},
	{"has children", hasChildren},
	{"has dependent clones", hasChildren},
	{"I/O is currently suspended", suspended},
	{"pool is currently unavailable", suspended},
	{"/dev/zfs and /proc/self/mounts are required", notLoaded},
	{"ZFS modules", notLoaded}, // "... are not loaded", "... cannot be auto-loaded"
	{"Failed to initialize the libzfs library", notLoaded},
	{"dataset is read only", readOnly},
	{"dataset is read-only", readOnly},
	{"pool is read-only", readOnly},
	{"Read-only file system", readOnly}, // no folder to mount on can be made
	{"encryption key not loaded", locked},
	{"Key must be loaded", locked},
	{"key is not loaded", locked}, // "encryption root's key is not loaded or provided"
}

// why tells from a command's failure what it means.
func why(err error) reason {
	f := (*failure)(nil)
	if !errors.As(err, &f) {
		return unknown
	}
	said := strings.ToLower(f.stderr)
	for _, m := range messages {
		if strings.Contains(said, strings.ToLower(m.text)) {
			return m.why
		}
	}
	return unknown
}

// fail gives an error its kind; one that has a kind keeps it, and a message
// that nobody knows stays, whole, as the cause.
func (w *Workspaces) fail(err error, format string, args ...any) error {
	if fault.As(err) != nil {
		return err
	}
	what := fmt.Sprintf(format, args...)
	switch why(err) {
	case noDataset, noParent:
		return fault.Wrap(err, fault.NotFound, "workspaces/not-found", "%s: there is no such dataset", what)
	case noPool:
		return fault.Wrap(err, fault.Unavailable, "workspaces/pool-missing",
			"%s: the pool %s is not imported: zpool import %[2]s", what, w.pool())
	case exists:
		return fault.Wrap(err, fault.Exists, "workspaces/exists", "%s: there is a dataset of that name", what)
	case busy:
		return fault.Wrap(err, fault.Busy, "workspaces/busy", "%s: something holds the dataset", what)
	case outOfSpace:
		return fault.Wrap(err, fault.OutOfSpace, "workspaces/out-of-space",
			"%s: the pool %s or a quota is full; delete what is not needed, or raise the quota: zfs list -o space -r %s", what, w.pool(), w.cfg.Parent)
	case hasChildren:
		return fault.Wrap(err, fault.Conflict, "workspaces/has-children", "%s: it has snapshots or datasets of its own", what)
	case suspended:
		return fault.Wrap(err, fault.Unavailable, "workspaces/pool-suspended",
			"%s: the pool %s does not answer: zpool status -x, then zpool clear %[2]s", what, w.pool())
	case notLoaded:
		return fault.Wrap(err, fault.Unavailable, "workspaces/zfs-not-loaded",
			"%s: the ZFS kernel module is not loaded: modprobe zfs", what)
	case readOnly:
		return fault.Wrap(err, fault.Unavailable, "workspaces/read-only", "%s: it is read-only", what)
	case locked:
		return fault.Wrap(err, fault.Unavailable, "workspaces/locked",
			"%s: its encryption key is not loaded: zfs load-key -r %s", what, w.cfg.Parent)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return workspace.Interrupted(err)
	}
	return fault.Wrap(err, fault.Internal, "workspaces/failed", "%s", what)
}

// parentFault is fail for a command on the parent: that it is not there never
// means that nothing is.
func (w *Workspaces) parentFault(ctx context.Context, err error, format string, args ...any) error {
	if why(err) != noDataset {
		return w.fail(err, format, args...)
	}
	if _, poolErr := w.cmd.zpool(ctx, "list", "-Hp", "-o", "name", w.pool()); poolErr != nil {
		return w.fail(poolErr, format, args...)
	}
	return fault.Wrap(err, fault.Unavailable, "workspaces/parent-missing",
		"%s: the dataset %s is not there: zfs create -p %[2]s", fmt.Sprintf(format, args...), w.cfg.Parent)
}
