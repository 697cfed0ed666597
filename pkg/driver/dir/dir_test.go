package dir

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/medforge/medforge/pkg/porttest"
	"github.com/medforge/medforge/pkg/session"
)

// TestConformance runs the suite on each kind of file system: ext4 copies,
// btrfs and XFS share blocks.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, fstype := range []string{"ext4", "btrfs", "xfs"} {
		t.Run(fstype, func(t *testing.T) {
			t.Parallel()
			base := image(t, fstype, 1900)
			porttest.Workspaces(t, func(t *testing.T) porttest.WorkspacesKit { return kit(t, base) })
		})
	}
}

// TestConformanceHere runs the suite where temporary files are kept, so that
// it runs on machines without loop devices too.
func TestConformanceHere(t *testing.T) {
	t.Parallel()
	porttest.Workspaces(t, func(t *testing.T) porttest.WorkspacesKit { return kit(t, t.TempDir()) })
}

func kit(t *testing.T, base string) porttest.WorkspacesKit {
	t.Helper()
	parent, err := os.MkdirTemp(base, "test-")
	must(t, err)
	root := filepath.Join(parent, "workspaces")
	return porttest.WorkspacesKit{
		Workspaces: open(t, root),
		Reopen:     func(t *testing.T) session.Workspaces { return open(t, root) },
		Foreign: func(t *testing.T, ref session.Ref) string {
			path := filepath.Join(root, ref.UserID, ref.SessionID)
			must(t, os.MkdirAll(path, 0o755))
			return filepath.Join(path, "file")
		},
	}
}
