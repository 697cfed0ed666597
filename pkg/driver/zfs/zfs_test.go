package zfs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/driver/internal/workspace"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// parentThere answers the look at the parent that follows a dataset that is
// not there.
var parentThere = reply{match: "get -Hp -o property,value,source type tank/medforge/workspaces", out: "type\tfilesystem\t-\n"}

const missing = "cannot open '" + name + "': dataset does not exist\n"

func TestNewRefusesNames(t *testing.T) {
	t.Parallel()
	for _, parent := range []string{"", "/tank", "tank/", "tank//x", "-r", "tank/-r", "tank/a b", "tank/a@b", "tank/a#b", "tank/a%b", "tank/a\nb",
		"tank/" + strings.Repeat("x", maxParent-4)} {
		if _, err := New(Config{Parent: parent}); !fault.Is(err, fault.Invalid) {
			t.Errorf("parent %q: %v, want invalid", parent, err)
		}
	}
	if _, err := New(Config{Parent: "tank", QuotaBytes: -1}); !fault.Is(err, fault.Invalid) {
		t.Errorf("negative quota: %v", err)
	}
	for _, parent := range []string{"tank", "tank/medforge/workspaces", "t-1_a.b:c/0", "tank/" + strings.Repeat("x", maxParent-5)} {
		w, err := New(Config{Parent: parent})
		must(t, err)
		if full := w.Name(ref) + "@stop-999999999999999999"; len(full) > 255 {
			t.Errorf("%d bytes of name", len(full))
		}
	}
}

// TestAwayIsNotMissing loses the pool or the parent: no answer may say that the
// workspace is not there.
func TestAwayIsNotMissing(t *testing.T) {
	t.Parallel()
	gone := reply{match: "get *", err: "cannot open 'tank/medforge/workspaces': dataset does not exist\n", status: 1}
	noList := reply{match: "list -Hp -t *", err: gone.err, status: 1}
	for what, tt := range map[string]struct {
		pool reply
		code string
	}{
		"pool exported":  {reply{match: "list -Hp -o *", err: "cannot open 'tank': no such pool\n", status: 1}, "workspaces/pool-missing"},
		"parent renamed": {reply{match: "list -Hp -o *", out: "ONLINE\n"}, "workspaces/parent-missing"},
	} {
		w, _ := stand(t, gone, tt.pool, noList)
		_, pathErr := w.Path(t.Context(), ref)
		_, usageErr := w.Usage(t.Context(), ref)
		_, snapshotsErr := w.Snapshots(t.Context(), ref)
		_, snapshotErr := w.Snapshot(t.Context(), ref, "stop-1")
		_, listErr := w.List(t.Context())
		for call, err := range map[string]error{
			"Path": pathErr, "Usage": usageErr, "Snapshots": snapshotsErr, "Snapshot": snapshotErr, "List": listErr,
			"Create": w.Create(t.Context(), ref), "Discard": w.Discard(t.Context(), ref), "Check": w.Check(t.Context()),
			"Clone": w.Clone(t.Context(), session.Snapshot{Ref: ref, Name: "stop-1"}, ref),
		} {
			if !fault.Is(err, fault.Unavailable) || fault.CodeOf(err) != tt.code {
				t.Errorf("%s, %s: %v (%s), want %s", what, call, err, fault.CodeOf(err), tt.code)
			}
		}
	}
}

func TestNotFoundAndForeign(t *testing.T) {
	t.Parallel()
	w, _ := stand(t, parentThere, reply{match: "get *", err: missing, status: 1})
	if _, err := w.Path(t.Context(), ref); !fault.Is(err, fault.NotFound) {
		t.Errorf("Path: %v, want not found", err)
	}
	for what, change := range map[string]map[string]string{
		"no mark":             {"medforge:session": "-\t-"},
		"another's mark":      {"medforge:session": "33333333-3333-3333-3333-333333333333\tlocal"},
		"a mark of the user":  {"medforge:session": ref.SessionID + "\tinherited from tank/medforge"},
		"a volume, not files": {"type": "volume\t-"},
	} {
		w, log := stand(t, reply{match: "get *", out: standingOutput(change)})
		if err := w.Create(t.Context(), ref); !fault.Is(err, fault.Exists) {
			t.Errorf("%s: Create: %v, want exists", what, err)
		}
		must(t, w.Discard(t.Context(), ref))
		if _, err := w.Path(t.Context(), ref); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: Path: %v, want not found", what, err)
		}
		for _, args := range ran(t, log) {
			if !strings.HasPrefix(args, "get ") {
				t.Errorf("%s: ran zfs %s", what, args)
			}
		}
	}
}

func TestUsageAndBadNumbers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		used, quota, referenced, refquota string
		want                              session.Usage
		fails                             bool
	}{
		{"200", "1000", "100", "1000", session.Usage{UsedBytes: 200, QuotaBytes: 1000}, false},
		{"200", "1000", "900", "1100", session.Usage{UsedBytes: 900, QuotaBytes: 1100}, false}, // a clone
		{"200", "0", "100", "0", session.Usage{UsedBytes: 200}, false},
		{"200", "none", "900", "none", session.Usage{UsedBytes: 900}, false},
		{"200K", "0", "0", "0", session.Usage{}, true},
	} {
		w, _ := stand(t, reply{match: "get *", out: standingOutput(map[string]string{"used": tt.used + "\t-", "quota": tt.quota + "\tlocal",
			"referenced": tt.referenced + "\t-", "refquota": tt.refquota + "\tlocal"})})
		got, err := w.Usage(t.Context(), ref)
		if got != tt.want || (err != nil) != tt.fails {
			t.Errorf("%+v: %+v, %v", tt, got, err)
		}
	}
	w, _ := stand(t, reply{match: "get *", out: "type\tfilesystem\t-\n"})
	if _, err := w.Usage(t.Context(), ref); !fault.Is(err, fault.Internal) {
		t.Errorf("half an answer: %v", err)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	const parent = "tank/medforge/workspaces"
	w, _ := stand(t, reply{match: "list -Hp -t filesystem -d 2 -o name " + parent, out: strings.Join([]string{
		parent, parent + "/" + ref.UserID, name, parent + "/somebody/else", parent + "/" + ref.UserID + "/notes", ""}, "\n")})
	refs, err := w.List(t.Context())
	if err != nil || !slices.Equal(refs, []session.Ref{ref}) {
		t.Errorf("List: %v, %v", refs, err)
	}
}

func TestSnapshotsSkipOthers(t *testing.T) {
	t.Parallel()
	w, _ := stand(t, reply{match: "get *", out: standingOutput(nil)}, reply{match: "list *", out: name + "@stop-5\t1790000001\t1024\n" +
		name + "@backup-daily\t1790000002\t0\n" + name + "@stop-40\t1790000002\t-\n"})
	list, err := w.Snapshots(t.Context(), ref)
	must(t, err)
	want := []session.Snapshot{
		{Ref: ref, Name: "stop-5", CreatedAt: time.Unix(1790000001, 0).UTC(), UsedBytes: 1024},
		{Ref: ref, Name: "stop-40", CreatedAt: time.Unix(1790000002, 0).UTC(), UsedBytes: -1},
	}
	if !slices.Equal(list, want) {
		t.Errorf("got %+v", list)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	good := "type\tfilesystem\t-\nmounted\tyes\t-\nmountpoint\t/tank/w\tdefault\nreadonly\toff\tdefault\navailable\t1073741824\t-\nkeystatus\t-\t-\n"
	for _, tt := range []struct{ health, old, new, code, healthCode string }{
		{"ONLINE", "", "", "", ""},
		{"DEGRADED", "", "", "", "workspaces/pool-degraded"},
		{"SUSPENDED", "", "", "workspaces/pool-suspended", "workspaces/pool-suspended"},
		{"ONLINE", "type\tfilesystem", "type\tvolume", "workspaces/zfs-parent", ""},
		{"ONLINE", "mounted\tyes", "mounted\tno", "workspaces/not-mounted", ""},
		{"ONLINE", "/tank/w", "legacy", "workspaces/mountpoint", ""},
		{"ONLINE", "readonly\toff", "readonly\ton", "workspaces/read-only", ""},
		{"ONLINE", "keystatus\t-", "keystatus\tunavailable", "workspaces/locked", ""},
		{"ONLINE", "1073741824", "1024", "workspaces/out-of-space", ""},
	} {
		w, _ := stand(t, reply{match: "list *", out: tt.health + "\n"}, reply{match: "get *", out: strings.Replace(good, tt.old, tt.new, 1)})
		w.cfg.MinFreeBytes = 1 << 20
		if err := w.Check(t.Context()); fault.CodeOf(err) != tt.code {
			t.Errorf("%+v: Check: %v", tt, err)
		}
		if err := w.Health(t.Context()); fault.CodeOf(err) != tt.healthCode {
			t.Errorf("%+v: Health: %v", tt, err)
		}
	}
}

func TestNotInstalled(t *testing.T) {
	t.Parallel()
	w := open(t, Config{Parent: "tank", ZFS: "/nowhere/zfs", Zpool: "/nowhere/zpool"})
	if err := w.Check(t.Context()); fault.CodeOf(err) != "workspaces/zfs-not-installed" {
		t.Errorf("Check: %v", err)
	}
}

// TestHangingCommand calls a zfs that does not end: the caller gets an answer
// at its deadline.
func TestHangingCommand(t *testing.T) {
	t.Parallel()
	w, _ := stand(t, reply{match: "*", script: "sleep 600"})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := w.Path(ctx, ref)
	if !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Path: %v, want unavailable", err)
	}
}

func TestLocksCallersOut(t *testing.T) {
	t.Parallel()
	w, _ := stand(t)
	unlock, err := w.locks.Lock(t.Context(), ref)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := w.Create(ctx, ref); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Create while locked: %v", err)
	}
	unlock()
	if err := workspace.CheckRef(ref); err != nil {
		t.Error(err)
	}
}
