package kill

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The fault points, by what must happen for the daemon to come past them.
var (
	startPoints = []string{
		"start.claimed", "start.workspace", "start.sockets", "start.gpu", "start.container", "start.task", "start.ide", "start.recorded",
		"workspace.filled", "workspace.renamed", "sockets.folder", "network.namespace", "network.plugged", "network.isolated",
		"create.network", "create.lease", "create.container", "task.created",
	}
	stopPoints = []string{
		"stop.recorded", "stop.ended", "stop.snapshot", "stop.removed", "stop.recorded_end", "task.asked", "task.deleted",
		"remove.container", "network.unrecorded", "network.unplugged", "network.detached", "sockets.unmounted",
		"workspace.filled", "workspace.renamed", // of the snapshot
	}
	// deathPoints are those of a session whose process died by itself: nothing
	// is asked to end then.
	deathPoints  = []string{"stop.recorded", "stop.ended", "stop.snapshot", "task.deleted", "stop.removed"}
	cancelPoints = []string{"workspace.discarded"}
	orphanPoints = []string{"reconcile.listed", "reconcile.container", "reconcile.claim"}
)

// stages make names that are put together in the code.
var stages = map[string][]string{
	"start.":     {"workspace", "sockets", "gpu", "container", "task", "ide"},
	"reconcile.": {"network", "sockets"},
}

func allPoints() []string {
	all := slices.Concat(startPoints, stopPoints, deathPoints, cancelPoints, orphanPoints, []string{"reconcile.network", "reconcile.sockets"})
	slices.Sort(all)
	return slices.Compact(all)
}

// TestEveryFaultPointIsUsed finds those that were added to the code and not
// here, or the other way round.
func TestEveryFaultPointIsUsed(t *testing.T) {
	t.Parallel()
	call := regexp.MustCompile(`faultpoint\.Hit\("([^"]+)"( \+)?`)
	var found []string
	err := filepath.WalkDir("../../pkg", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range call.FindAllStringSubmatch(string(text), -1) {
			if m[2] == "" {
				found = append(found, m[1])
				continue
			}
			for _, rest := range stages[m[1]] {
				found = append(found, m[1]+rest)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	if found = slices.Compact(found); !slices.Equal(found, allPoints()) {
		t.Errorf("in the code: %v\nin this test: %v", found, allPoints())
	}
}
