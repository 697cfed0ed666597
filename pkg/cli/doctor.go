package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/cli/doctor"
	"github.com/medforge/medforge/pkg/config"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/termtext"
)

func (a *app) doctorCommand() *cobra.Command {
	path := config.DefaultPath
	cmd := a.run(&cobra.Command{
		Use: "doctor", Short: "Check every prerequisite of the host, and say what mends it",
		Long: `Check every prerequisite of the host. What can be seen without the daemon is
looked at here; the daemon adds what only it can see, for admins. With --server
only that MedForge is asked. The exit code is 1 when a check fails.`,
		Example: "  sudo medforge doctor\n  medforge doctor -o json", Args: atMost(0),
	}, func(cmd *cobra.Command, _ []string) error {
		return a.doctor(cmd.Context(), path)
	})
	cmd.Flags().StringVar(&path, "config", path, "the daemon's configuration, for its paths")
	return cmd
}

func (a *app) doctor(ctx context.Context, configPath string) error {
	daemon, reached := a.daemonCheck(ctx)
	checks := []api.Check{daemon}
	if a.cfg.Server == "" {
		host, check := a.doctorHost(configPath)
		checks = append(checks, check)
		checks = append(checks, host.System().Checks(ctx)...)
	}
	if reached {
		checks = append(checks, a.daemonsChecks(ctx)...)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := a.print.result(api.DoctorReport{Checks: checks}, func() { a.doctorTable(checks) }); err != nil {
		return err
	}
	failures := 0
	for _, c := range checks {
		if c.Status == api.CheckFail {
			failures++
		}
	}
	switch failures {
	case 0:
		return nil
	case 1:
		return failed{"1 check failed."}
	}
	return failed{fmt.Sprintf("%d checks failed.", failures)}
}

// daemonCheck asks the daemon how it is, and says whether it answered at all.
func (a *app) daemonCheck(ctx context.Context) (c api.Check, reached bool) {
	c = api.Check{Name: "daemon", Status: api.CheckOK, Detail: "answers at " + a.client.Address()}
	h, err := a.client.Health(ctx)
	if err != nil {
		c.Status, c.Detail, c.Fix = api.CheckFail, messageOf(err), "systemctl enable --now medforged"
		if a.cfg.Server != "" {
			c.Fix = "check the URL, the network, and medforge doctor on that host"
		}
		return c, false
	}
	if h.Status != api.HealthOK {
		c.Status, c.Detail, c.Fix = api.CheckFail, "degraded: "+h.Why, "journalctl -u medforged"
	}
	return c, true
}

// daemonsChecks are what only the daemon can see.
func (a *app) daemonsChecks(ctx context.Context) []api.Check {
	checks, err := a.client.Doctor(ctx)
	switch fault.KindOf(err) {
	case "":
		return checks
	case fault.Denied, fault.Unauthenticated:
		return []api.Check{{Name: "daemon's own checks", Status: api.CheckWarn,
			Detail: "only admins see them: containerd, the Pack, the workspaces, the database, the GPUs", Fix: "sudo medforge doctor"}}
	}
	return []api.Check{{Name: "daemon's own checks", Status: api.CheckFail, Detail: messageOf(err), Fix: "journalctl -u medforged"}}
}

func messageOf(err error) string {
	if e := fault.As(err); e != nil {
		return e.Message
	}
	return err.Error()
}

// doctorHost takes the host's paths from the daemon's configuration, or its
// defaults where that cannot be read.
func (a *app) doctorHost(path string) (doctor.Host, api.Check) {
	c, err := config.Load(config.Options{Path: path, Environ: a.Environ})
	check := api.Check{Name: "configuration", Status: api.CheckOK, Detail: path}
	if err != nil {
		check.Status, check.Detail, check.Fix = api.CheckFail, messageOf(err), "medforged check --config "+path
		if st, serr := os.Stat(path); errors.Is(serr, os.ErrNotExist) {
			check.Status, check.Detail, check.Fix = api.CheckWarn, path+" is not there; the defaults are assumed", "medforge doctor --config FILE"
		} else if serr != nil || st.Mode().Perm()&0o004 == 0 && os.Getuid() != 0 {
			check.Status, check.Detail, check.Fix = api.CheckWarn, path+" is not for you to read; the defaults are assumed", "sudo medforge doctor"
		}
		c, _ = config.Load(config.Options{Environ: []string{}}) // the defaults alone are valid
	}
	cniDirs := c.Network.CNIBinDirs
	if c.Network.Mode == config.NetworkNone {
		cniDirs = nil
	}
	return doctor.Host{
		Socket: a.cfg.Socket, SocketGroup: c.SocketGroup, Containerd: c.Containerd.Address,
		CNIBinDirs: cniDirs, Simulated: c.GPU.Driver == config.GPUSimulated, Assumed: err != nil,
		Domain: c.Domain, DataDir: c.DataDir,
	}, check
}

func (a *app) doctorTable(checks []api.Check) {
	for _, c := range checks {
		a.print.raw("%s  %s: %s", a.print.paint(fmt.Sprintf("%-4s", c.Status)), termtext.Cell(c.Name), termtext.Text(c.Detail))
		if c.Fix != "" && c.Status != api.CheckOK {
			a.print.raw("      %s", termtext.Text(c.Fix))
		}
	}
}
