package zfs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/fault"
)

// said is one failure as the commands worded it.
type said struct{ name, command, stderr string }

// recorded reads what test/vm/zfs-messages recorded in the virtual machine of a
// Debian release.
func recorded(t *testing.T, suite string) []said {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "messages", suite))
	must(t, err)
	_, rest, _ := strings.Cut(string(raw), "## ") // before it stands the version
	var all []said
	for _, one := range strings.Split(rest, "\n## ") {
		name, rest, _ := strings.Cut(one, "\n$ ")
		command, stderr, _ := strings.Cut(rest, "\n")
		all = append(all, said{name, command, strings.TrimRight(stderr, "\n") + "\n"})
	}
	return all
}

// TestRecordedMessages gives each failure that was recorded from real ZFS its
// kind.
func TestRecordedMessages(t *testing.T) {
	t.Parallel()
	kinds := map[string]struct {
		why  reason
		kind fault.Kind
		code string
	}{
		"not-found":    {noDataset, fault.NotFound, "workspaces/not-found"},
		"no-parent":    {noParent, fault.NotFound, "workspaces/not-found"},
		"no-pool":      {noPool, fault.Unavailable, "workspaces/pool-missing"},
		"exists":       {exists, fault.Exists, "workspaces/exists"},
		"has-children": {hasChildren, fault.Conflict, "workspaces/has-children"},
		"busy":         {busy, fault.Busy, "workspaces/busy"},
		"out-of-space": {outOfSpace, fault.OutOfSpace, "workspaces/out-of-space"},
		"locked":       {locked, fault.Unavailable, "workspaces/locked"},
		"read-only":    {readOnly, fault.Unavailable, "workspaces/read-only"},
		"suspended":    {suspended, fault.Unavailable, "workspaces/pool-suspended"},
		"not-loaded":   {notLoaded, fault.Unavailable, "workspaces/zfs-not-loaded"},
	}
	for _, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			w := open(t, Config{Parent: "tank/medforge/workspaces"})
			seen := map[string]bool{}
			for _, s := range recorded(t, suite) {
				want, ok := kinds[s.name]
				if !ok {
					t.Errorf("%s: no kind is known for %s", s.command, s.name)
					continue
				}
				seen[s.name] = true
				failed := &failure{args: strings.Fields(s.command), status: 1, stderr: s.stderr}
				if got := why(failed); got != want.why {
					t.Errorf("%s: %q: taken for %d, want %d", s.command, s.stderr, got, want.why)
				}
				err := w.fail(failed, "the workspace cannot be made")
				if fault.KindOf(err) != want.kind || fault.CodeOf(err) != want.code {
					t.Errorf("%s: %q: kind %q, code %q", s.command, s.stderr, fault.KindOf(err), fault.CodeOf(err))
				}
				if !strings.Contains(err.Error(), strings.TrimSpace(s.stderr)) {
					t.Errorf("%q is not kept in %v", s.stderr, err)
				}
			}
			for name := range kinds {
				if !seen[name] {
					t.Errorf("nothing was recorded of %s", name)
				}
			}
		})
	}
}

// TestUnknownMessage keeps what nobody knows.
func TestUnknownMessage(t *testing.T) {
	t.Parallel()
	for _, said := range []string{"cannot create snapshot 'tank/x@stop-1': something that nobody has seen\n", ""} {
		w, _ := stand(t,
			reply{match: "get * " + name, out: standingOutput(nil)},
			reply{match: "get * " + name + "@stop-1", err: missing, status: 1},
			reply{match: "snapshot *", err: said, status: 1})
		_, err := w.Snapshot(t.Context(), ref, "stop-1")
		if !fault.Is(err, fault.Internal) || fault.CodeOf(err) != "workspaces/failed" {
			t.Errorf("%q: %v", said, err)
		}
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(said)) {
			t.Errorf("%q is not kept in %v", said, err)
		}
	}
}
