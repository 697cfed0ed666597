package zfs

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

func newRef() session.Ref {
	return session.Ref{UserID: uuid.NewString(), SessionID: uuid.NewString()}
}

// made makes a workspace on real ZFS and returns its path.
func made(t *testing.T, w *Workspaces, ref session.Ref) string {
	t.Helper()
	must(t, w.Create(t.Context(), ref))
	path, err := w.Path(t.Context(), ref)
	must(t, err)
	return path
}

// testPool makes a pool of the test's own on a file.
func testPool(t *testing.T) string {
	t.Helper()
	if os.Getenv(parentVariable) == "" {
		t.Skipf("%s names no dataset: this test runs on real ZFS, in the virtual machine", parentVariable)
	}
	file := filepath.Join(t.TempDir(), "pool")
	must(t, os.WriteFile(file, nil, 0o600))
	must(t, os.Truncate(file, 128<<20))
	pool := "mftest" + uuid.NewString()[:8]
	zpool(t, "create", "-O", "mountpoint="+t.TempDir(), pool, file)
	t.Cleanup(func() { exec.Command("zpool", "destroy", "-f", pool).Run() })
	return pool
}

func zpool(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("zpool", args...).CombinedOutput(); err != nil {
		t.Fatalf("zpool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestZFSProperties(t *testing.T) {
	t.Parallel()
	parent := testParent(t)
	w := open(t, Config{Parent: parent, QuotaBytes: 256 << 20})
	ref, to := newRef(), newRef()
	path := made(t, w, ref)
	s, err := w.Snapshot(t.Context(), ref, "stop-1")
	must(t, err)
	must(t, w.Clone(t.Context(), s, to))
	for _, name := range []string{w.Name(ref), w.Name(to)} {
		got := zfs(t, "get", "-Hp", "-o", "property,value", "quota,refquota,devices,setuid,exec,xattr,acltype", name)
		want := "quota\t268435456\nrefquota\t268435456\ndevices\toff\nsetuid\toff\nexec\ton\nxattr\tsa\nacltype\tposix"
		got = strings.ReplaceAll(got, "xattr\ton", "xattr\tsa") // one since OpenZFS 2.3
		if strings.ReplaceAll(got, "posixacl", "posix") != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
	var st unix.Stat_t
	must(t, unix.Stat(filepath.Dir(filepath.Dir(path)), &st))
	if st.Mode&0o777 != 0o700 {
		t.Errorf("the parent's folder has mode %o", st.Mode)
	}
	u, err := w.Usage(t.Context(), ref)
	if err != nil || u.QuotaBytes != 256<<20 || u.UsedBytes <= 0 {
		t.Errorf("Usage: %+v, %v", u, err)
	}
}

// TestZFSQuota fills a workspace to its quota: it says so to whoever writes,
// and a snapshot can still be taken and cloned.
func TestZFSQuota(t *testing.T) {
	t.Parallel()
	w := open(t, Config{Parent: testParent(t), QuotaBytes: 24 << 20})
	ref := newRef()
	path := made(t, w, ref)
	random, err := os.Open("/dev/urandom")
	must(t, err)
	defer random.Close()
	f, err := os.Create(filepath.Join(path, "data"))
	must(t, err)
	defer f.Close()
	for full := false; !full; {
		data := make([]byte, 1<<20)
		_, err := random.Read(data)
		must(t, err)
		if _, err = f.Write(data); err == nil {
			err = f.Sync()
		}
		if st, statErr := f.Stat(); statErr != nil || st.Size() > 64<<20 {
			t.Fatalf("the quota does not hold: %v, %v", st, statErr)
		}
		full = err != nil
	}
	s, err := w.Snapshot(t.Context(), ref, "stop-1")
	must(t, err)
	to := newRef()
	must(t, w.Clone(t.Context(), s, to))
	clone, err := w.Path(t.Context(), to)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(clone, "more"), make([]byte, 1<<20), 0o600))
	must(t, os.Remove(filepath.Join(clone, "data")))
	for _, r := range []session.Ref{ref, to} {
		if u, err := w.Usage(t.Context(), r); err != nil || u.QuotaBytes < 24<<20 || u.QuotaBytes > 64<<20 {
			t.Errorf("Usage: %+v, %v", u, err)
		}
	}
	if u, err := w.Usage(t.Context(), ref); err != nil || u.UsedBytes < u.QuotaBytes*8/10 {
		t.Errorf("Usage of a full workspace: %+v, %v", u, err)
	}
}

// TestZFSFullPool has no space left in the pool.
func TestZFSFullPool(t *testing.T) {
	t.Parallel()
	pool := testPool(t)
	w := open(t, Config{Parent: pool, MinFreeBytes: 16 << 20})
	must(t, w.Check(t.Context()))
	ref := newRef()
	path := made(t, w, ref)
	if out, err := exec.Command("dd", "if=/dev/urandom", "of="+filepath.Join(path, "data"), "bs=1M", "count=200").CombinedOutput(); err == nil {
		t.Fatalf("200 MiB fit in a pool of 128:\n%s", out)
	}
	zpool(t, "sync", pool)
	if err := w.Check(t.Context()); !fault.Is(err, fault.OutOfSpace) {
		t.Errorf("Check of a full pool: %v, want out of space", err)
	}
	// ZFS keeps room for such; whether it is enough, the answer has its kind.
	if err := w.Create(t.Context(), newRef()); err != nil && !fault.Is(err, fault.OutOfSpace) {
		t.Errorf("Create in a full pool: %v", err)
	}
}

// TestZFSHalfMade meets what a kill leaves between two commands.
func TestZFSHalfMade(t *testing.T) {
	t.Parallel()
	w := open(t, Config{Parent: testParent(t)})
	ref, to, gone := newRef(), newRef(), newRef()
	path := made(t, w, ref)
	must(t, os.WriteFile(filepath.Join(path, "file"), []byte("text"), 0o600))
	nextSecond(t)
	s, err := w.Snapshot(t.Context(), ref, "stop-1")
	must(t, err)
	must(t, w.Clone(t.Context(), s, to))
	must(t, os.Chown(path, 0, 0))
	zfs(t, "inherit", propReady, w.Name(to))
	for _, name := range []string{w.Name(ref), w.Name(to)} {
		zfs(t, "unmount", name)
	}
	must(t, w.Create(t.Context(), ref))
	must(t, w.Clone(t.Context(), s, to))
	for _, r := range []session.Ref{ref, to} {
		path, err := w.Path(t.Context(), r)
		must(t, err)
		if text, err := os.ReadFile(filepath.Join(path, "file")); err != nil || string(text) != "text" {
			t.Errorf("%q, %v", text, err)
		}
		var st unix.Stat_t
		must(t, unix.Stat(path, &st))
		if st.Uid != 1000 || st.Gid != 1000 || st.Mode&0o777 != 0o750 {
			t.Errorf("%s: owner %d:%d, mode %o", path, st.Uid, st.Gid, st.Mode)
		}
	}
	must(t, w.Clone(t.Context(), s, gone))
	zfs(t, "inherit", propReady, w.Name(gone))
	must(t, w.Discard(t.Context(), gone))
	if _, err := w.Path(t.Context(), gone); !fault.Is(err, fault.NotFound) {
		t.Errorf("a half made clone stays: %v", err)
	}
}

// nextSecond waits until a dataset made from now on is newer than every file,
// by its creation property, which counts seconds.
func nextSecond(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for now := time.Now().Unix(); time.Now().Unix() == now; <-tick.C {
	}
}

// TestZFSBusy has a workspace mounted in another mount namespace, which is what
// keeps ZFS datasets busy.
func TestZFSBusy(t *testing.T) {
	t.Parallel()
	w := open(t, Config{Parent: testParent(t), BusyFor: 300 * time.Millisecond})
	ref := newRef()
	made(t, w, ref)
	holder := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", "echo ready; exec sleep 600")
	out, err := holder.StdoutPipe()
	must(t, err)
	must(t, holder.Start())
	t.Cleanup(func() { holder.Process.Kill(); holder.Wait() })
	_, err = bufio.NewReader(out).ReadString('\n')
	must(t, err)
	err = w.Discard(t.Context(), ref)
	if !fault.Is(err, fault.Busy) || !strings.Contains(fault.As(err).Message, "(sleep)") && !strings.Contains(fault.As(err).Message, "(sh)") {
		t.Fatalf("Discard: %v, want busy, held by sleep", err)
	}
	if _, err := w.Path(t.Context(), ref); err != nil { // whole, and mounted again
		t.Error(err)
	}
	must(t, holder.Process.Kill())
	holder.Wait()
	w.cfg.BusyFor = time.Minute
	must(t, w.Discard(t.Context(), ref))
}

// TestZFSPoolAway exports the pool under the driver and imports it again.
func TestZFSPoolAway(t *testing.T) {
	t.Parallel()
	pool := testPool(t)
	zfs(t, "create", pool+"/w")
	w := open(t, Config{Parent: pool + "/w"})
	ref := newRef()
	path := made(t, w, ref)
	must(t, os.WriteFile(filepath.Join(path, "file"), []byte("text"), 0o600))
	dir := zfs(t, "get", "-Hp", "-o", "value", "mountpoint", pool)
	status, err := exec.Command("zpool", "list", "-HvPL", "-o", "name", pool).Output()
	must(t, err)
	var file string
	for line := range strings.Lines(string(status)) {
		if f := strings.TrimSpace(line); strings.HasPrefix(f, "/") {
			file = strings.Fields(f)[0]
		}
	}
	zpool(t, "export", pool)
	for what, err := range map[string]error{
		"Check": w.Check(t.Context()), "Create": w.Create(t.Context(), ref), "Discard": w.Discard(t.Context(), ref),
	} {
		if !fault.Is(err, fault.Unavailable) || fault.CodeOf(err) != "workspaces/pool-missing" {
			t.Errorf("%s with the pool exported: %v", what, err)
		}
	}
	if _, err := w.Path(t.Context(), ref); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Path with the pool exported: %v, want unavailable", err)
	}
	zpool(t, "import", "-N", "-d", filepath.Dir(file), pool)
	zfs(t, "mount", pool)
	if err := w.Check(t.Context()); fault.CodeOf(err) != "workspaces/not-mounted" {
		t.Errorf("Check of a parent that is not mounted: %v", err)
	}
	zfs(t, "mount", pool+"/w")
	again, err := w.Path(t.Context(), ref)
	must(t, err)
	if text, err := os.ReadFile(filepath.Join(again, "file")); err != nil || string(text) != "text" {
		t.Errorf("after the import: %q, %v (%s)", text, err, dir)
	}
}

// TestZFSSaysWhatWeKnow provokes the failures that can be, and looks whether
// this version of the commands words them as errors.go knows.
func TestZFSSaysWhatWeKnow(t *testing.T) {
	t.Parallel()
	parent := testParent(t)
	w := open(t, Config{Parent: parent})
	zfs(t, "create", parent+"/a")
	zfs(t, "snapshot", parent+"/a@s")
	zfs(t, "clone", parent+"/a@s", parent+"/b")
	zfs(t, "create", parent+"/ro")
	zfs(t, "create", parent+"/open")
	f, err := os.Open(zfs(t, "get", "-Hp", "-o", "value", "mountpoint", parent+"/open"))
	must(t, err)
	defer f.Close()
	for _, tt := range []struct {
		args string
		want reason
	}{
		{"get -Hp -o value used " + parent + "/none", noDataset},
		{"get -Hp -o value used nopool/none", noDataset},
		{"get -Hp -o value used " + parent + "/a@none", noDataset},
		{"list -Hp -t snapshot -d 1 " + parent + "/none", noDataset},
		{"snapshot " + parent + "/none@s", noDataset},
		{"clone " + parent + "/a@none " + parent + "/c", noDataset},
		{"create " + parent + "/none/x", noParent},
		{"clone " + parent + "/a@s " + parent + "/none/x", noParent},
		{"create nopool/x", noPool},
		{"create " + parent + "/a", exists},
		{"clone " + parent + "/a@s " + parent + "/b", exists},
		{"snapshot " + parent + "/a@s", exists},
		{"destroy " + parent + "/a", hasChildren},
		{"destroy " + parent + "/a@s", hasChildren},
		{"destroy " + parent + "/open", busy},
		{"unmount " + parent + "/open", busy},
	} {
		_, err := w.cmd.zfs(t.Context(), strings.Fields(tt.args)...)
		if why(err) != tt.want {
			t.Errorf("zfs %s: %v: taken for %d, want %d", tt.args, err, why(err), tt.want)
		} else {
			t.Log(err)
		}
	}
	_, err = w.cmd.zpool(t.Context(), "list", "-Hp", "-o", "health", "nopool")
	if why(err) != noPool {
		t.Errorf("zpool list: %v", err)
	}
}
