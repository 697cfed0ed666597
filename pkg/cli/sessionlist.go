package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/termtext"
)

// sessionList lists the caller's sessions; with everybody set, all of them.
func (a *app) sessionList(everybody bool) *cobra.Command {
	limit := 20
	all := everybody
	cmd := a.run(&cobra.Command{
		Use: "list", Short: "List your sessions, newest first", Aliases: []string{"ls"},
		Example: "  medforge session list\n  medforge session list --all -o json",
		Args:    atMost(0),
	}, func(cmd *cobra.Command, _ []string) error {
		rows, more, err := a.sessions(cmd.Context(), all, limit)
		if err != nil {
			return err
		}
		if more {
			a.print.tell("These are the newest %d. More: --limit 0", limit)
		}
		return a.print.result(rows, func() { a.sessionTable(rows, all) })
	})
	if everybody {
		cmd.Short = "List everybody's sessions, newest first"
		cmd.Example = "  medforge admin session list"
	} else {
		cmd.Flags().BoolVar(&all, "all", false, "everybody's, for admins")
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", limit, "that many at most; 0 is all")
	return cmd
}

// sessions collects up to limit sessions, and says whether there are more.
func (a *app) sessions(ctx context.Context, all bool, limit int) (rows []api.Session, more bool, err error) {
	if limit < 0 {
		return nil, false, usage("--limit must be 0 or more.")
	}
	rows = []api.Session{}
	for s, err := range a.client.Sessions(ctx, all) {
		if err != nil {
			return nil, false, err
		}
		if limit > 0 && len(rows) == limit {
			return rows, true, nil
		}
		rows = append(rows, s)
	}
	return rows, false, nil
}

func (a *app) sessionTable(rows []api.Session, owners bool) {
	if len(rows) == 0 {
		a.print.tell("No sessions. Start one: medforge session start")
		return
	}
	head := []string{"SLUG", "STATUS", "GPU", "CREATED", "STOPPED", "URL"}
	if owners {
		head = append(head, "USER")
	}
	var table [][]string
	for _, s := range rows {
		url := s.URL
		if s.Status.Terminal() {
			url = "-"
		}
		row := []string{s.Slug, string(s.Status), fmt.Sprint(s.GPUID), timeText(s.CreatedAt), timeOrDash(s.StoppedAt), url}
		if owners {
			row = append(row, s.UserID)
		}
		table = append(table, row)
	}
	a.print.table(head, table)
}

func (a *app) sessionShow() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "show SLUG", Short: "Show one session",
		Example: "  medforge session show k3v7q2xa\n  medforge session show k3v7q2xa -o json",
		Args:    exactly("SLUG"), ValidArgsFunction: a.completeSlugs(nil),
	}, func(cmd *cobra.Command, args []string) error {
		s, err := a.client.Session(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return a.print.result(s, func() { a.showSession(cmd.Context(), s) })
	})
}

func (a *app) showSession(ctx context.Context, s api.Session) {
	rows := [][2]string{
		{"Slug", s.Slug}, {"Status", string(s.Status)}, {"URL", s.URL},
		{"GPU", fmt.Sprintf("%d (%s)", s.GPUID, s.GPUUUID)}, {"Tier", s.Tier},
		{"Pack", s.PackID + " " + s.PackDigest},
		{"Created", timeText(s.CreatedAt)}, {"Started", timeOrDash(s.StartedAt)}, {"Stopped", timeOrDash(s.StoppedAt)},
		{"Container", s.ContainerID}, {"Id", s.ID}, {"Owner", s.UserID},
	}
	if s.WorkspaceZFS != "" {
		rows = append(rows, [2]string{"Workspace", s.WorkspaceZFS})
	}
	if u, err := a.client.SessionUsage(ctx, s.ID); err == nil { // a workspace may be gone; the rest is still worth showing
		space := termtext.Bytes(u.UsedBytes)
		if u.QuotaBytes > 0 {
			space += fmt.Sprintf(" of %s (%d %%)", termtext.Bytes(u.QuotaBytes), 100*u.UsedBytes/u.QuotaBytes)
		}
		rows = append(rows, [2]string{"Space", space})
	}
	if !s.Status.Terminal() {
		rows = append(rows, a.gpuReadings(ctx, s.Slug)...)
	}
	if s.ErrorMessage != "" {
		rows = append(rows, [2]string{"Error", s.ErrorMessage})
	}
	a.print.pairs(rows...)
}

// gpuReadings is what a session's GPU does now, or nothing: without its
// readings the session is still worth showing.
func (a *app) gpuReadings(ctx context.Context, slug string) [][2]string {
	gpus, err := a.client.GPUs(ctx)
	if err != nil {
		return nil
	}
	for _, g := range gpus {
		if g.Session == nil || *g.Session != slug {
			continue
		}
		processes := fmt.Sprintf("%d processes", len(g.Processes))
		if len(g.Processes) == 1 {
			processes = "1 process"
		}
		rows := [][2]string{{"GPU use", fmt.Sprintf("%d %%, %s of %s, %s, %d °C, %d W", g.UtilisationPercent,
			termtext.Bytes(g.MemoryUsedBytes), termtext.Bytes(g.MemoryTotalBytes), processes, g.TemperatureC, (g.PowerMilliwatts+500)/1000)}}
		if g.Reason != "" {
			rows = append(rows, [2]string{"GPU state", fmt.Sprintf("%s: %s", g.Status, g.Reason)})
		}
		return rows
	}
	return nil
}

func (a *app) sessionOpen() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "open SLUG", Short: "Print a link that opens a session's VS Code once",
		Long: `Print a link that opens the session's VS Code without signing in. It works
once, for a minute, and only for that session: give it to your browser and to
nobody else.`,
		Example:           "  medforge session open k3v7q2xa\n  xdg-open \"$(medforge session open k3v7q2xa -q)\"",
		Args:              exactly("SLUG"),
		ValidArgsFunction: a.completeSlugs(func(s api.SessionStatus) bool { return s == api.SessionRunning }),
	}, func(cmd *cobra.Command, args []string) error {
		return a.openSession(cmd.Context(), args[0])
	})
}

// openSession prints a one-time link.
func (a *app) openSession(ctx context.Context, ref string) error {
	link, err := a.client.OpenSession(ctx, ref)
	if err != nil {
		return err
	}
	a.print.tell("Works once, until %s.", link.ExpiresAt.Local().Format("15:04:05"))
	return a.print.result(link, func() { a.print.line("%s", link.URL) })
}

func (a *app) sessionLogs() *cobra.Command {
	var follow bool
	var tail int
	cmd := a.run(&cobra.Command{
		Use: "logs SLUG", Short: "Show what a session printed",
		Long: `Show what a session printed. On a terminal control sequences are left out;
into a file or a pipe goes every byte as it is.`,
		Example: "  medforge session logs k3v7q2xa\n  medforge session logs k3v7q2xa -f -n 20",
		Args:    exactly("SLUG"), ValidArgsFunction: a.completeSlugs(nil),
	}, func(cmd *cobra.Command, args []string) error {
		if tail < 0 {
			return usage("--tail must be 0 or more.")
		}
		r, err := a.client.SessionLogs(cmd.Context(), args[0], tail, follow)
		if err != nil {
			return err
		}
		defer r.Close()
		err = a.copyLog(r)
		if follow && errors.Is(err, context.Canceled) {
			return nil // an interrupt is how one stops following
		}
		return err
	})
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "wait for more until the session ends")
	cmd.Flags().IntVarP(&tail, "tail", "n", 0, "only that many last lines; 0 is all that is kept")
	return cmd
}

// copyLog shows a log as it comes.
func (a *app) copyLog(r io.Reader) error {
	if !a.print.terminal {
		_, err := io.Copy(a.Stdout, r)
		return err
	}
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 {
			if _, werr := io.WriteString(a.Stdout, termtext.LogLine(string(line))); werr != nil {
				return werr
			}
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull): // a line without an end comes in pieces
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// snapshotsOf is how many of the newest sessions "snapshots" without a slug
// looks at.
const snapshotsOf = 50

func (a *app) sessionSnapshots() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "snapshots [SLUG]", Short: "List the snapshots of one session, or of all of yours",
		Example: "  medforge session snapshots k3v7q2xa\n  medforge session snapshots",
		Args:    atMost(1), ValidArgsFunction: a.completeSlugs(nil),
	}, func(cmd *cobra.Command, args []string) error {
		var sessions []api.Session
		if len(args) == 1 {
			s, err := a.client.Session(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			sessions = []api.Session{s}
		} else {
			rows, more, err := a.sessions(cmd.Context(), false, snapshotsOf)
			if err != nil {
				return err
			}
			if more {
				a.print.tell("These are of the newest %d sessions; for an older one give its slug.", snapshotsOf)
			}
			sessions = rows
		}
		all, table := []api.Snapshot{}, [][]string{}
		for _, s := range sessions {
			snaps, err := a.client.Snapshots(cmd.Context(), s.ID)
			if err != nil {
				return err
			}
			for _, n := range snaps {
				used := "-"
				if n.UsedBytes != nil {
					used = termtext.Bytes(*n.UsedBytes)
				}
				table = append(table, []string{s.Slug, n.Name, timeText(n.CreatedAt), used})
			}
			all = append(all, snaps...)
		}
		return a.print.result(all, func() {
			if len(all) == 0 {
				a.print.tell("No snapshots. One is taken when a session stops.")
				return
			}
			a.print.table([]string{"SESSION", "SNAPSHOT", "CREATED", "USED"}, table)
		})
	})
}
