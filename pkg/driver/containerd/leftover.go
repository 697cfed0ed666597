package containerd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/beneath"
)

// containerd takes a task whose making was cut off, by the end of the daemon
// that asked for it, away in the background: it ends the shim, runs the shim's
// program once more to delete what is left, forgets the task of that name and
// removes its folder. A task of the same name that is made meanwhile is given
// the dying shim, or is deleted and forgotten together with the old one, and
// then counts as running for nobody. So a start waits until nothing of an
// earlier try is at work any more.

// clearTime is how long containerd may take for that; its own bounds for it add
// up to 8 s.
const clearTime = 10 * time.Second

// quietTime without any program of an earlier try is its end: there are moments
// between the shim's end and the program that deletes what is left.
const quietTime = 500 * time.Millisecond

// settle waits until the container has a task, or nothing of an earlier one is
// at work any more. It ends a shim that stays.
func (d *Driver) settle(ctx context.Context, c client.Container) error {
	end := time.Now().Add(clearTime)
	for seen := time.Now(); time.Since(seen) < quietTime; {
		if _, status, err := d.task(ctx, c); err == nil && status != noTask {
			return nil
		}
		pids, err := d.shims(c.ID())
		if err != nil {
			return err
		}
		if len(pids) > 0 {
			seen = time.Now()
		}
		if len(pids) > 0 && (seen.After(end) || slices.ContainsFunc(pids, folderGone)) {
			if err := d.endShim(ctx, c.ID()); err != nil {
				return err
			}
		}
		if err := pause(ctx, retryEvery); err != nil {
			return err
		}
	}
	return nil
}

// folderGone says whether a shim has lost its task's folder, which containerd
// removes last: it has forgotten the shim. One that was just being started
// when the daemon was killed hangs so, and takes every call of a task that is
// made after it without an answer.
func folderGone(pid int) bool {
	dir, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "cwd"))
	return err == nil && strings.HasSuffix(dir, " (deleted)")
}

// mayBeCut says whether an earlier daemon may have begun a task for the
// container: it made the container.
func (d *Driver) mayBeCut(ctx context.Context, c client.Container) (bool, error) {
	info, err := c.Info(ctx, client.WithoutRefreshedMetadata)
	return info.CreatedAt.Before(d.opened), err
}

// leftover says whether a task could not be made because containerd still
// clears one away that a daemon began before it was killed. Of that task's
// folder, there or taken away while the new task is made in it, and of its shim
// that ends under the new one, only the text tells.
func leftover(err error) bool {
	text := err.Error()
	if errdefs.IsAlreadyExists(err) || strings.Contains(text, "file exists") || strings.Contains(text, "getwd: no such file") {
		return true
	}
	if strings.Contains(text, "failed to create shim task") && strings.Contains(text, "ttrpc: closed") {
		return true
	}
	// The folder is every step's, down to the shim's own working directory. A
	// program that is missing, on the host or in the Pack, says so otherwise.
	return strings.Contains(text, "no such file or directory") &&
		(strings.Contains(text, "failed to start shim") || strings.Contains(text, "failed to create shim task")) &&
		!strings.Contains(text, "executable file not found") && !strings.Contains(text, "unable to start container process")
}

var folderExists = regexp.MustCompile(`mkdir (/[^:\n]+): file exists`)

// staleFolder is the folder of a task that containerd tells to be in a new
// task's way; empty when it tells of none, or of another's.
func (d *Driver) staleFolder(err error, id string) string {
	m := folderExists.FindStringSubmatch(err.Error())
	if m == nil || !strings.HasSuffix(m[1], filepath.Join("/io.containerd.runtime.v2.task", d.c.Namespace, id)) {
		return ""
	}
	return m[1]
}

// removeFolder removes the folder of a task that containerd has forgotten. It
// leaves one when shim or runc wrote in it, or mounted the container's files
// there, just after containerd had cleared it, and no task of that name can be
// made until containerd is restarted. Nothing of the task may be at work.
func removeFolder(ctx context.Context, path string) error {
	root := filepath.Join(path, "rootfs")
	for {
		err := unix.Unmount(root, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) { // EINVAL: nothing is mounted any more
			break
		}
		if err != nil {
			return &os.PathError{Op: "unmount", Path: root, Err: err}
		}
	}
	dir, err := beneath.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.RemoveAll(ctx, filepath.Base(path)) // stops at a mount
}
