package zfs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/porttest"
	"github.com/medforge/medforge/pkg/session"
)

// parentVariable names a dataset of a pool that the tests may fill, such as one
// on a file in the virtual machine.
const parentVariable = "MEDFORGE_TEST_ZPOOL_PARENT"

// testParent makes a dataset of the test's own and destroys it afterwards.
func testParent(t testing.TB) string {
	t.Helper()
	base := os.Getenv(parentVariable)
	if base == "" {
		t.Skipf("%s names no dataset: this test runs on real ZFS, in the virtual machine", parentVariable)
	}
	parent := base + "/test-" + uuid.NewString()[:8]
	zfs(t, "create", parent)
	t.Cleanup(func() {
		if out, err := exec.Command("zfs", "destroy", "-R", "-f", parent).CombinedOutput(); err != nil {
			t.Errorf("zfs destroy %s: %v\n%s", parent, err, out)
		}
	})
	return parent
}

func zfs(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("zfs", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("zfs %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func open(t testing.TB, cfg Config) *Workspaces {
	t.Helper()
	w, err := New(cfg)
	must(t, err)
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestConformanceZFS(t *testing.T) {
	t.Parallel()
	porttest.Workspaces(t, func(t *testing.T) porttest.WorkspacesKit {
		cfg := Config{Parent: testParent(t), QuotaBytes: 1 << 30}
		pool, _, _ := strings.Cut(cfg.Parent, "/")
		w := open(t, cfg)
		return porttest.WorkspacesKit{
			Workspaces: w,
			Reopen:     func(t *testing.T) session.Workspaces { return open(t, cfg) },
			Foreign: func(t *testing.T, ref session.Ref) string {
				zfs(t, "create", "-p", w.Name(ref))
				return filepath.Join(zfs(t, "get", "-Hp", "-o", "value", "mountpoint", w.Name(ref)), "file")
			},
			Settled: func(t *testing.T) {
				if out, err := exec.Command("zpool", "sync", pool).CombinedOutput(); err != nil {
					t.Fatalf("zpool sync: %v\n%s", err, out)
				}
			},
		}
	})
}
