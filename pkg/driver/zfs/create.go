package zfs

import (
	"context"
	"errors"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/beneath"
	"github.com/medforge/medforge/pkg/driver/internal/workspace"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// Create implements session.Workspaces.
func (w *Workspaces) Create(ctx context.Context, ref session.Ref) error {
	if err := workspace.CheckRef(ref); err != nil {
		return err
	}
	unlock, err := w.locks.Lock(ctx, ref)
	if err != nil {
		return err
	}
	defer unlock()
	accept := func(dataset) error { return nil }
	args := append(append([]string{"create"}, w.options(ref, 0)...), w.Name(ref))
	return w.make(ctx, ref, accept, args)
}

// Clone implements session.Workspaces.
func (w *Workspaces) Clone(ctx context.Context, from session.Snapshot, ref session.Ref) error {
	for _, err := range []error{workspace.CheckRef(from.Ref), workspace.CheckSnapshot(from.Name), workspace.CheckRef(ref)} {
		if err != nil {
			return err
		}
	}
	unlock, err := w.locks.Lock(ctx, ref)
	if err != nil {
		return err
	}
	defer unlock()
	snapshot := w.Name(from.Ref) + "@" + from.Name
	accept := func(d dataset) error {
		if d.own(propOrigin) != snapshot {
			return w.exists(ref, "was not cloned from "+snapshot)
		}
		return nil
	}
	_, there, err := w.standing(ctx, ref)
	if err != nil {
		return err
	}
	var size int64
	if !there {
		if size, err = w.snapshotSize(ctx, from.Ref, from.Name); err != nil {
			return err
		}
	}
	args := append([]string{"clone", "-o", propOrigin + "=" + snapshot}, w.options(ref, size)...)
	return w.make(ctx, ref, accept, append(args, snapshot, w.Name(ref)))
}

// make sees that ref's dataset stands: kept if it is there, this session's and
// accepted, else made by command. Whatever a crash left half done is finished.
func (w *Workspaces) make(ctx context.Context, ref session.Ref, accept func(dataset) error, command []string) error {
	d, there, err := w.standing(ctx, ref)
	if err != nil {
		return err
	}
	if !there {
		made := w.makeNew(ctx, ref, command)
		// zfs says no also when it made the dataset and could not mount it, and
		// when another was faster: what stands counts.
		if d, there, err = w.standing(ctx, ref); err != nil || !there {
			return w.fail(errors.Join(made, err), "the workspace of session %s cannot be made", ref.SessionID)
		}
	}
	if !ours(d, ref) {
		return w.exists(ref, "is not this session's")
	}
	if err := accept(d); err != nil {
		return err
	}
	return w.finish(ctx, d)
}

func (w *Workspaces) makeNew(ctx context.Context, ref session.Ref, args []string) error {
	_, err := w.cmd.zfs(ctx, args...)
	if why(err) != noParent {
		return err
	}
	// A user's dataset only holds the sessions': nothing is mounted on it.
	_, err = w.cmd.zfs(ctx, "create", "-o", "canmount=off", w.cfg.Parent+"/"+ref.UserID)
	if err != nil && why(err) != exists {
		return err
	}
	_, err = w.cmd.zfs(ctx, args...)
	return err
}

// room is what a clone gets beyond the files it starts with where those alone
// fill its quota: enough to delete some.
const room = 64 << 20

// options are the properties of a workspace that starts with files of a size.
// Compression and the mount point are the parent's.
func (w *Workspaces) options(ref session.Ref, size int64) []string {
	set := []string{
		"devices=off", "setuid=off", "exec=on", "xattr=sa", "acltype=posixacl",
		propSession + "=" + ref.SessionID,
	}
	if w.cfg.QuotaBytes > 0 {
		// A full workspace holds a little more than its quota, and ZFS makes no
		// clone whose files exceed its refquota.
		set = append(set, "quota="+strconv.FormatInt(w.cfg.QuotaBytes, 10),
			"refquota="+strconv.FormatInt(max(w.cfg.QuotaBytes, min(size+room, size+w.cfg.QuotaBytes)), 10))
	}
	var args []string
	for _, p := range set {
		args = append(args, "-o", p)
	}
	return args
}

// finish gives the top folder to the session's user where a crash came before
// that, and records of a clone when it was complete.
func (w *Workspaces) finish(ctx context.Context, d dataset) error {
	if err := w.closeParent(ctx); err != nil {
		return err
	}
	top, err := w.open(ctx, d)
	if err != nil {
		return err
	}
	defer top.Close()
	if d.own(propOrigin) == "" {
		err = own(top)
	} else if d.ready().IsZero() {
		err = w.record(ctx, d.name, top)
	}
	if err != nil {
		return w.fail(err, "the dataset %s cannot be given to its user", d.name)
	}
	return nil
}

// own makes a new top folder the session's user's. Its owner is changed last:
// that says that it was done.
func own(top *beneath.Dir) error {
	st, err := top.Stat(".")
	if err != nil || st.Uid == workspace.UID && st.Gid == workspace.GID {
		return err
	}
	if err := unix.Fchmod(top.Fd(), workspace.Mode); err != nil {
		return err
	}
	return unix.Fchown(top.Fd(), workspace.UID, workspace.GID)
}

// record makes a clone's top folder the session's user's and notes the time: a
// change after it is somebody's work.
func (w *Workspaces) record(ctx context.Context, name string, top *beneath.Dir) error {
	if err := unix.Fchown(top.Fd(), workspace.UID, workspace.GID); err != nil {
		return err
	}
	st, err := top.Stat(".")
	if err != nil {
		return err
	}
	at := workspace.Changed(&st)
	if _, err := w.cmd.zfs(ctx, "set", propReady+"="+strconv.FormatInt(at.UnixNano(), 10), name); err != nil {
		return err
	}
	return workspace.WaitAfter(ctx, at)
}

// closeParent keeps other users of the host out of all workspaces: inside a
// session the user is 1000, which on a host is often a person.
func (w *Workspaces) closeParent(ctx context.Context) error {
	if w.closed.Load() {
		return nil
	}
	d, err := w.get(ctx, w.cfg.Parent, "mounted", "mountpoint")
	if err != nil {
		return w.parentFault(ctx, err, "the parent of workspaces cannot be read")
	}
	top, err := w.open(ctx, d)
	if err != nil {
		return err
	}
	defer top.Close()
	st, err := top.Stat(".")
	if err == nil && st.Mode&0o077 != 0 {
		err = unix.Fchmod(top.Fd(), 0o700)
	}
	if err != nil {
		return w.fail(err, "the folder of %s cannot be closed to others", d.name)
	}
	w.closed.Store(true)
	return nil
}

// open opens the top folder of a dataset, mounted.
func (w *Workspaces) open(ctx context.Context, d dataset) (*beneath.Dir, error) {
	path, err := w.mount(ctx, d)
	if err != nil {
		return nil, err
	}
	top, err := beneath.OpenRoot(path)
	if err != nil {
		return nil, w.fail(err, "the folder of %s cannot be opened", d.name)
	}
	st, err := top.Stat(".")
	if err == nil && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0 {
		err = fault.New(fault.Unavailable, "workspaces/not-mounted",
			"nothing is mounted at %s, though zfs says that %s is: is the daemon in a mount namespace of its own?", path, d.name)
	}
	if err != nil {
		top.Close()
		return nil, w.fail(err, "the folder of %s cannot be read", d.name)
	}
	return top, nil
}

// mount mounts a dataset where it is not, and returns its folder.
func (w *Workspaces) mount(ctx context.Context, d dataset) (string, error) {
	path := d.props["mountpoint"].value
	if len(path) == 0 || path[0] != '/' {
		return "", fault.New(fault.Invalid, "workspaces/mountpoint",
			"the dataset %s has the mount point %q: give its parent a folder: zfs set mountpoint=/srv/medforge/workspaces %s", d.name, path, w.cfg.Parent)
	}
	if d.props["mounted"].value == "yes" {
		return path, nil
	}
	err := w.retry(ctx, d.name, func() error {
		_, err := w.cmd.zfs(ctx, "mount", d.name)
		return err
	})
	if err != nil {
		again, getErr := w.get(ctx, d.name, "mounted") // by another, or at the boot
		if getErr == nil && again.props["mounted"].value == "yes" {
			return path, nil
		}
		return "", w.fail(err, "the dataset %s cannot be mounted", d.name)
	}
	return path, nil
}
