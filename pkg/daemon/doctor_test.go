package daemon

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/config"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

func doctorDaemon() *Daemon {
	d := &Daemon{logger: slog.New(slog.DiscardHandler)}
	d.cfg.Workspace = config.Workspace{Driver: config.WorkspaceZFS, ZFSParent: "pond/medforge/workspaces"}
	return d
}

func TestAFailureComesWithItsOwnFix(t *testing.T) {
	t.Parallel()
	d := doctorDaemon()
	for code, fix := range map[string]string{
		"workspaces/pool-missing":   "zpool import pond",
		"workspaces/parent-missing": "zfs create -p pond/medforge/workspaces",
		"workspaces/not-mounted":    "zfs mount pond/medforge/workspaces",
		"workspaces/zfs-not-loaded": "modprobe zfs",
		"elsewhere/unknown":         "the general fix",
	} {
		c := d.check("workspaces", func() (string, error) {
			return "detail", fault.New(fault.Unavailable, code, "What is wrong with %s.", "it")
		}, "the general fix")
		if c.Status != api.CheckFail || c.Fix != fix || c.Detail != "What is wrong with it." {
			t.Errorf("%s: %+v", code, c)
		}
	}
}

// A pool that lost a disk serves: people are warned, and nothing is red.
func TestADegradedPoolIsAWarning(t *testing.T) {
	t.Parallel()
	c := doctorDaemon().check("zfs pool", func() (string, error) {
		return "", fault.New(fault.Unavailable, codePoolDegraded, "the pool pond is DEGRADED")
	}, "")
	if c.Status != api.CheckWarn || !strings.Contains(c.Fix, "zpool replace pond") {
		t.Errorf("%+v", c)
	}
}

func TestAnErrorWithoutAKindKeepsItsInsideToTheLog(t *testing.T) {
	t.Parallel()
	c := doctorDaemon().check("database", func() (string, error) { return "", errors.New("password=secret") }, "mend it")
	if c.Status != api.CheckFail || strings.Contains(c.Detail, "secret") || c.Fix != "mend it" {
		t.Errorf("%+v", c)
	}
}

// Orphans are all named; those that hold files are a warning, since nothing is
// broken by them, and what was cleaned is no failure.
func TestOrphansInTheDoctor(t *testing.T) {
	t.Parallel()
	d := doctorDaemon()
	stray := session.Orphan{Kind: "workspace", Name: "u/s", Why: "no session of that name is recorded"}
	running := session.Orphan{Kind: "container", Name: "mf-session-a", Why: "no session of that name is recorded"}
	cleaned := session.Orphan{Kind: "network", Name: "b", Removed: true}
	for _, c := range []struct {
		orphans []session.Orphan
		status  api.CheckStatus
		detail  []string
		fix     string
	}{
		{nil, api.CheckOK, []string{"none; 3 active"}, ""},
		{[]session.Orphan{cleaned}, api.CheckOK, []string{"1 found and cleaned"}, ""},
		{[]session.Orphan{stray, cleaned}, api.CheckWarn, []string{"workspace u/s"}, "zfs list -r -t all pond/medforge/workspaces/NAME"},
		{[]session.Orphan{stray, running}, api.CheckFail, []string{"workspace u/s", "container mf-session-a"}, "medforge admin reconcile"},
		{slices.Repeat([]session.Orphan{stray}, 9), api.CheckWarn, []string{"and 4 more"}, "never deletes"},
	} {
		got := d.check("orphans", func() (string, error) { return orphanState(session.ReconcileReport{Active: 3, Orphans: c.orphans}) }, "medforge admin reconcile")
		if got.Status != c.status || !strings.Contains(got.Fix, c.fix) {
			t.Errorf("%v: %+v", c.orphans, got)
		}
		for _, text := range c.detail {
			if !strings.Contains(got.Detail, text) {
				t.Errorf("%q is not in %q", text, got.Detail)
			}
		}
	}
}
