package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/termtext"
)

func (a *app) gpuCommand() *cobra.Command {
	return a.group(&cobra.Command{
		Use: "gpu", Short: "The host's GPUs", Example: "  medforge gpu list",
	}, a.gpuList())
}

func (a *app) gpuList() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "list", Short: "List the GPUs, their readings and who has them", Aliases: []string{"ls"},
		Example: "  medforge gpu list\n  medforge gpu list -o json", Args: atMost(0),
	}, func(cmd *cobra.Command, _ []string) error {
		gpus, err := a.client.GPUs(cmd.Context())
		if err != nil {
			return err
		}
		return a.print.result(gpus, func() { a.gpuTable(gpus) })
	})
}

func (a *app) gpuTable(gpus []api.GPU) {
	if len(gpus) == 0 {
		a.print.tell("This host has no GPU that MedForge sees. medforge doctor says why.")
		return
	}
	var rows [][]string
	for _, g := range gpus {
		session, note := "-", ""
		if g.Session != nil {
			session = *g.Session
		}
		if g.Reason != "" {
			note = g.Reason
		}
		rows = append(rows, []string{
			fmt.Sprint(g.Index), g.Name, string(g.Status), session,
			fmt.Sprintf("%s / %s", termtext.Bytes(g.MemoryUsedBytes), termtext.Bytes(g.MemoryTotalBytes)),
			fmt.Sprintf("%d %%", g.UtilisationPercent), fmt.Sprintf("%d °C", g.TemperatureC),
			fmt.Sprintf("%d W", (g.PowerMilliwatts+500)/1000), fmt.Sprint(len(g.Processes)), note,
		})
	}
	a.print.table([]string{"GPU", "NAME", "STATUS", "SESSION", "MEMORY", "USE", "TEMP", "POWER", "PROCS", ""}, rows)
}

func (a *app) whoamiCommand() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "whoami", Short: "Show who you are here, and how you came in",
		Example: "  medforge whoami", Args: atMost(0),
	}, func(cmd *cobra.Command, _ []string) error {
		me, err := a.client.Me(cmd.Context())
		if err != nil {
			return err
		}
		return a.print.result(me, func() { a.showMe(me) })
	})
}

func (a *app) showMe(me api.Me) {
	limit := "the host's own"
	if me.SessionLimit > 0 {
		limit = fmt.Sprint(me.SessionLimit)
	}
	a.print.pairs(
		[2]string{"Name", orDash(me.Name)}, [2]string{"Email", orDash(me.Email)}, [2]string{"Unix user", orDash(me.UnixName)},
		[2]string{"Role", me.Role}, [2]string{"Session limit", limit}, [2]string{"Id", me.UserID},
		[2]string{"Through", fmt.Sprintf("%s (%s)", a.client.Address(), me.Via)},
	)
}
