package daemon

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/config"
	"github.com/medforge/medforge/pkg/fault"
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
