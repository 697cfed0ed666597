package ctrdtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
)

// AssertClean fails the test unless, within a while, nothing of any session is
// left: no container, task, writable snapshot, lease, half-written blob, shim,
// process, mount, network namespace, interface, address, firewall table,
// control group or file of ours. Packs and logs stay.
func (c *Containerd) AssertClean(tb testing.TB) {
	tb.Helper()
	deadline := time.Now().Add(waitTime)
	for {
		left := c.leftovers()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			tb.Errorf("left behind:\n  %s", strings.Join(left, "\n  "))
			return
		}
		// The kernel takes networks down, and containerd its shims, in the
		// background.
		time.Sleep(20 * time.Millisecond)
	}
}

func (c *Containerd) leftovers() []string {
	ctx, cancel := context.WithTimeout(namespaces.WithNamespace(context.Background(), c.Namespace), waitTime)
	defer cancel()
	var left []string
	found := func(format string, args ...any) { left = append(left, fmt.Sprintf(format, args...)) }
	check := func(err error) {
		if err != nil {
			found("cannot look: %v", err)
		}
	}
	check(c.inContainerd(ctx, found))
	for _, p := range processes(c.Dir) {
		if args := p.args; !strings.HasPrefix(args, "containerd ") {
			found("process %d: %s", p.pid, args)
		}
	}
	mounts, err := mountsBelow(c.Dir)
	check(err)
	for _, m := range mounts {
		found("mount %s", m)
	}
	for _, dir := range []string{"run/net", "run/etc", "runc", "state/io.containerd.runtime.v2.task/" + c.Namespace} {
		check(filesBelow(filepath.Join(c.Dir, dir), func(path string) { found("file %s", path) }))
	}
	if _, err := netlink.LinkByName(c.Bridge); err == nil {
		found("bridge %s", c.Bridge)
	}
	tables, err := tableNames()
	check(err)
	for _, t := range tables {
		if strings.Contains(t, c.Bridge) {
			found("firewall table %s", t)
		}
	}
	for _, dir := range cgroups(c.Namespace) {
		sub, err := os.ReadDir(dir)
		check(err)
		for _, e := range sub {
			if e.IsDir() {
				found("control group %s", filepath.Join(dir, e.Name()))
			}
		}
	}
	return left
}

func (c *Containerd) inContainerd(ctx context.Context, found func(string, ...any)) error {
	containers, err := c.cli.Containers(ctx)
	if err != nil {
		return err
	}
	for _, x := range containers {
		found("container %s", x.ID())
		if _, err := x.Task(ctx, nil); err == nil {
			found("task %s", x.ID())
		}
	}
	err = c.cli.SnapshotService("overlayfs").Walk(ctx, func(_ context.Context, i snapshots.Info) error {
		if i.Kind != snapshots.KindCommitted {
			found("snapshot %s", i.Name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	leases, err := c.cli.LeasesService().List(ctx)
	for _, l := range leases {
		found("lease %s", l.ID)
	}
	if err != nil {
		return err
	}
	ingests, err := c.cli.ContentStore().ListStatuses(ctx)
	for _, s := range ingests {
		found("half-written blob %s", s.Ref)
	}
	return err
}

func tableNames() ([]string, error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, err
	}
	tables, err := conn.ListTables()
	var names []string
	for _, t := range tables {
		names = append(names, t.Name)
	}
	return names, err
}

// forget removes containers by force, for a test that failed.
func (c *Containerd) forget(tb testing.TB) {
	if c.cli == nil || !tb.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(namespaces.WithNamespace(context.Background(), c.Namespace), waitTime)
	defer cancel()
	containers, err := c.cli.Containers(ctx)
	if err != nil {
		return // purge does the rest
	}
	for _, x := range containers {
		if task, err := x.Task(ctx, nil); err == nil {
			_ = task.Resume(ctx)
			_, _ = task.Delete(ctx, client.WithProcessKill)
		}
		_ = x.Delete(ctx, client.WithSnapshotCleanup)
	}
}

// filesBelow calls found for every file below dir; none there is no error.
func filesBelow(dir string, found func(path string)) error {
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !e.IsDir() {
			found(path)
		}
		return nil
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// process is one that names a folder in its arguments.
type process struct {
	pid  int
	args string
}

// processes lists those that name the folder in their arguments: containerd and
// its shims, loggers, runc.
func processes(dir string) []process {
	entries, _ := os.ReadDir("/proc")
	var all []process
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscan(e.Name(), &pid); err != nil || pid == os.Getpid() {
			continue
		}
		raw, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if args := strings.ReplaceAll(string(raw), "\x00", " "); err == nil && strings.Contains(args, dir+"/") {
			all = append(all, process{pid, args})
		}
	}
	return all
}

// cgroups lists the control groups of a namespace, in every hierarchy.
func cgroups(namespace string) []string {
	one, _ := filepath.Glob("/sys/fs/cgroup/" + namespace)
	each, _ := filepath.Glob("/sys/fs/cgroup/*/" + namespace)
	return append(one, each...)
}

// killAll ends the processes of a folder and of its namespace's control groups.
func killAll(dir, namespace string) {
	for _, p := range processes(dir) {
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
	}
	for _, group := range cgroups(namespace) {
		_ = filepath.WalkDir(group, func(path string, e os.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			switch e.Name() { // a frozen process does not even die
			case "freezer.state":
				_ = os.WriteFile(path, []byte("THAWED"), 0)
			case "cgroup.freeze":
				_ = os.WriteFile(path, []byte("0"), 0)
			}
			if e.Name() != "cgroup.procs" {
				return nil
			}
			body, _ := os.ReadFile(path)
			for _, field := range strings.Fields(string(body)) {
				var pid int
				if _, err := fmt.Sscan(field, &pid); err == nil && pid > 0 {
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			}
			return nil
		})
	}
}
