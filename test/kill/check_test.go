package kill

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/vishvananda/netlink"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/testkit/minipack"
)

// check compares everything that the host has with the rows, and with what was
// seen before.
func (c *course) check() {
	c.t.Helper()
	c.remember()
	rows := c.rows()
	for _, row := range rows {
		c.checkRow(row)
	}
	c.checkClaims(rows)
	var running []string
	for _, row := range rows {
		if row.Status == session.Running {
			running = append(running, row.Slug)
		}
	}
	slices.Sort(running)
	// containerd and the kernel take things down in the background.
	var left []string
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if left = c.differences(running); len(left) == 0 || time.Now().After(deadline) {
			break
		}
	}
	for _, l := range left {
		c.t.Error(l)
	}
	// A part that answers late on a busy machine is well again with its next look.
	var ill error
	c.eventually("all is well", func() bool {
		h, err := c.client.Health(c.t.Context())
		ill = err
		return err != nil || h.Status == api.HealthOK
	})
	if ill != nil {
		c.diesNow(ill)
	}
	if c.t.Failed() {
		c.t.Logf("rows: %+v", rows)
	}
}

func (c *course) checkRow(row session.Session) {
	c.t.Helper()
	k := c.know(row.ID)
	if k.may == nil {
		k.may = []session.Status{session.Running} // its start's answer was lost
	}
	if !slices.Contains(k.may, row.Status) {
		c.t.Errorf("session %s is %s (%s %q), may be %v", row.Slug, row.Status, row.StopReason, row.ErrorMessage, k.may)
		return
	}
	k.may = []session.Status{row.Status}
	switch {
	case row.Status == session.Running:
		if pid := c.task(row.Slug); pid != k.pid || pid == 0 {
			c.t.Errorf("session %s runs as process %d and was %d: its work is lost", row.Slug, pid, k.pid)
		}
		folder := filepath.Join(c.dir, "run", "sessions", row.Slug)
		if _, err := minipack.NewProbe(folder).Read("/workspace/mine"); err != nil {
			c.t.Errorf("the IDE of session %s: %v", row.Slug, err)
		}
	case row.Status == session.Error && row.StopReason != session.ReasonContainerDeath && !k.swept:
		c.t.Errorf("session %s ended by %s: %s", row.Slug, row.StopReason, row.ErrorMessage)
	}
	if k.file != "" {
		if text, err := os.ReadFile(filepath.Join(c.workspace(row), "mine")); err != nil || string(text) != k.file {
			c.t.Errorf("the workspace of session %s holds %q, %v; want %q", row.Slug, text, err, k.file)
		}
	}
	c.checkSnapshots(row, k)
}

// checkSnapshots wants each session that ended to have one, of its name, with
// its file in it, and no snapshot to be lost ever.
func (c *course) checkSnapshots(row session.Session, k *known) {
	c.t.Helper()
	dir := filepath.Join(filepath.Dir(c.workspace(row)), "snapshots")
	found := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		c.t.Error(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue // being made when the daemon was killed; away at its next start
		}
		text, _ := os.ReadFile(filepath.Join(dir, e.Name(), "tree", "mine"))
		found[e.Name()] = string(text)
	}
	for name, text := range k.snaps {
		if found[name] != text {
			c.t.Errorf("snapshot %s of session %s held %q and holds %q", name, row.Slug, text, found[name])
		}
	}
	if row.Status.Terminal() && !row.StartedAt.IsZero() && !k.swept {
		text, there := found[row.SnapshotName]
		if len(found) != 1 || !there || (k.file != "" && text != k.file) {
			c.t.Errorf("session %s is %s with the snapshots %v; want %s with %q", row.Slug, row.Status, found, row.SnapshotName, k.file)
		}
	}
	k.snaps = found
}

// checkClaims wants each active session to hold one of each, and nobody else
// anything.
func (c *course) checkClaims(rows []session.Session) {
	c.t.Helper()
	claims, err := c.db.Sessions().Claims(c.t.Context())
	must(c.t, err)
	got, want := map[string]int{}, map[string]int{}
	for _, x := range claims {
		got[x.SessionID+" "+x.Kind]++
	}
	gpus := map[string]string{}
	for _, row := range rows {
		if !row.Status.Active() {
			continue
		}
		for _, kind := range []string{"gpu", "user_slot", "host_slot"} {
			want[row.ID+" "+kind]++
		}
		if other, taken := gpus[row.GPUUUID]; taken {
			c.t.Errorf("sessions %s and %s have one GPU", row.Slug, other)
		}
		gpus[row.GPUUUID] = row.Slug
	}
	for key, n := range got {
		if want[key] != n {
			c.t.Errorf("claim of %s: %d, want %d", key, n, want[key])
		}
	}
	for key := range want {
		if got[key] == 0 {
			c.t.Errorf("no claim of %s", key)
		}
	}
}

// differences lists what the host has too much or too little for these running
// sessions.
func (c *course) differences(running []string) (left []string) {
	want := strings.Join(running, " ")
	compare := func(what string, got []string) {
		slices.Sort(got)
		if text := strings.Join(got, " "); text != want {
			left = append(left, fmt.Sprintf("%s of: %s; running are: %s", what, text, want))
		}
	}
	slugs := func(what string, ids []string, err error) {
		if err != nil {
			left = append(left, fmt.Sprintf("%s: %v", what, err))
		}
		for i := range ids {
			ids[i] = strings.TrimPrefix(ids[i], session.ContainerName(""))
		}
		compare(what, ids)
	}
	ctx, cli := c.ctrd.Context(c.t), c.ctrd.Client()
	var ids, layers []string
	containers, err := cli.Containers(ctx)
	for _, x := range containers {
		ids = append(ids, x.ID())
	}
	slugs("containers", ids, err)
	err = cli.SnapshotService("overlayfs").Walk(ctx, func(_ context.Context, i snapshots.Info) error {
		if i.Kind != snapshots.KindCommitted {
			layers = append(layers, i.Name)
		}
		return nil
	})
	slugs("file system layers", layers, err)
	leases, err := cli.LeasesService().List(ctx)
	if err != nil || len(leases) > 0 {
		left = append(left, fmt.Sprintf("leases: %v, %v", leases, err))
	}
	for what, dir := range map[string]string{
		"socket folders": "run/sessions", "network namespaces": "run/network/netns", "network records": "run/network/attached",
		"files of /etc": "run/containers/etc",
	} {
		slugs(what, names(filepath.Join(c.dir, dir)), nil)
	}
	slugs("runc's states", names(filepath.Join("/run/containerd/runc", c.ctrd.Namespace)), nil)
	slugs("bridge ports", c.ports(), nil)
	slugs("mounts of socket folders", c.mounts(filepath.Join(c.dir, "run", "sessions")), nil)
	slugs("shims", c.shims(), nil)
	return left
}

func names(dir string) (out []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// ports are the slugs in the bridge's ports' aliases.
func (c *course) ports() (out []string) {
	bridge, err := netlink.LinkByName(c.ctrd.Bridge)
	if err != nil {
		return nil
	}
	links, _ := netlink.LinkList()
	for _, l := range links {
		if l.Attrs().MasterIndex == bridge.Attrs().Index {
			alias := l.Attrs().Alias
			out = append(out, alias[strings.LastIndexAny(alias, " :/-")+1:])
		}
	}
	return out
}

// mounts are the names that are mounted right below a folder.
func (c *course) mounts(dir string) (out []string) {
	body, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(body)) {
		f := strings.Fields(line)
		if len(f) > 4 && filepath.Dir(f[4]) == dir {
			out = append(out, filepath.Base(f[4]))
		}
	}
	return out
}

// shims are the sessions that a shim of this containerd is for.
func (c *course) shims() (out []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		body, _ := os.ReadFile(f)
		args := strings.Split(string(body), "\x00")
		if !strings.Contains(args[0], "containerd-shim") || !slices.Contains(args, c.ctrd.Address) {
			continue
		}
		if i := slices.Index(args, "-id"); i >= 0 {
			out = append(out, args[i+1])
		}
	}
	return out
}
