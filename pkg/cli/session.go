package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/termtext"
)

func (a *app) sessionCommand() *cobra.Command {
	return a.group(&cobra.Command{
		Use: "session", Short: "Start, list, open and stop sessions",
		Example: "  medforge session start\n  medforge session stop k3v7q2xa",
	}, a.sessionStart(), a.sessionList(false), a.sessionShow(), a.sessionOpen(), a.sessionLogs(), a.sessionStop(), a.sessionSnapshots())
}

func (a *app) sessionStart() *cobra.Command {
	var req api.SessionCreate
	var noWait, open bool
	cmd := a.run(&cobra.Command{
		Use:   "start",
		Short: "Start a session and print its URL",
		Long: `Start a session: VS Code in the browser with a GPU of its own. The stages and
their durations go to stderr, the URL to stdout; with --open a link that signs
you in, as "session open" prints it.

An interrupt (Ctrl-C) ends only the waiting: the start goes on in the
background. The exit code is 1 then, and the message says how to watch it.`,
		Example: `  medforge session start
  medforge session start --from k3v7q2xa     # with the files of that session's newest snapshot
  medforge session start --from k3v7q2xa@stop-1764000000000
  URL=$(medforge session start -q)
  xdg-open "$(medforge session start -q --open)"`,
		Args: atMost(0),
	}, func(cmd *cobra.Command, _ []string) error {
		return a.startSession(cmd.Context(), req, noWait, open)
	})
	cmd.Flags().StringVar(&req.From, "from", "", "SLUG or SLUG@SNAPSHOT: the files to begin with")
	cmd.Flags().StringVar(&req.Tier, "tier", "public", "who may reach it; public is what there is")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "print the slug and do not wait")
	cmd.Flags().BoolVar(&open, "open", false, "print a link that signs you in, good once")
	cmd.MarkFlagsMutuallyExclusive("no-wait", "open")
	_ = cmd.RegisterFlagCompletionFunc("from", a.completeFrom())                                                               // the flag is there
	_ = cmd.RegisterFlagCompletionFunc("tier", cobra.FixedCompletions([]string{"public"}, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return cmd
}

func (a *app) startSession(ctx context.Context, req api.SessionCreate, noWait, open bool) error {
	if noWait {
		s, err := a.client.StartSession(ctx, req)
		if err != nil {
			return err
		}
		a.print.tell("Session %s is starting. Watch it: medforge session show %s", s.Slug, s.Slug)
		return a.print.result(s, func() { a.print.line("%s", s.Slug) })
	}
	g := a.newProgress("Starting")
	defer g.close()
	began := a.Now()
	var started api.Session
	s, err := a.watch(ctx, func() (api.Session, error) {
		patient, cancel := patience(ctx)
		defer cancel()
		s, err := a.client.StartSession(patient, req)
		if err == nil {
			started = s
			g.did("Session %s on GPU %d", s.Slug, s.GPUID)
		}
		return s, err
	}, g.event, func(st api.SessionStatus) bool { return st == api.SessionRunning || st.Terminal() })
	took := termtext.Duration(a.Now().Sub(began))
	g.close()
	if err != nil && started.ID != "" {
		if !errors.Is(err, context.Canceled) {
			a.exit(err)
		}
		a.print.warn("Session %s goes on starting in the background.\nWatch it: medforge session show %s\nStop it:  medforge session stop %s",
			started.Slug, started.Slug, started.Slug)
		return said{a.code(err)}
	}
	if errors.Is(err, context.Canceled) {
		a.print.warn("Interrupted. If the daemon had the request already, a session is starting: medforge session list")
		return said{exitFailed}
	}
	if err != nil {
		return err
	}
	if s.Status != api.SessionRunning {
		return notStarted(s)
	}
	if open {
		a.print.tell("Session %s is ready after %s.", s.Slug, took)
		return a.openSession(ctx, s.Slug)
	}
	a.print.tell("Ready after %s. A link that signs you in: medforge session open %s", took, s.Slug)
	return a.print.result(s, func() { a.print.line("%s", s.URL) })
}

// patience outlives an interrupt for a moment: long enough to hear what became
// of a request that changes something.
func patience(ctx context.Context) (context.Context, context.CancelFunc) {
	patient, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(5*time.Second, cancel) })
	return patient, func() { stop(); cancel() }
}

func notStarted(s api.Session) error {
	if s.Status == api.SessionStopped {
		return failed{fmt.Sprintf("Session %s was stopped before it ran.", s.Slug)}
	}
	return failed{fmt.Sprintf("Session %s did not start: %s\nWhat it printed: medforge session logs %s", s.Slug, s.ErrorMessage, s.Slug)}
}

func (a *app) sessionStop() *cobra.Command {
	var noWait bool
	cmd := a.run(&cobra.Command{
		Use:   "stop SLUG",
		Short: "Stop a session; a snapshot keeps its files",
		Long: `Stop a session and wait until its process has ended and its workspace is kept
in a snapshot. An interrupt ends only the waiting: the stop goes on.`,
		Example:           "  medforge session stop k3v7q2xa\n  medforge session stop k3v7q2xa --no-wait",
		Args:              exactly("SLUG"),
		ValidArgsFunction: a.completeSlugs(func(s api.SessionStatus) bool { return !s.Terminal() }),
	}, func(cmd *cobra.Command, args []string) error {
		return a.stopSession(cmd.Context(), args[0], noWait)
	})
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait until it has stopped")
	return cmd
}

func (a *app) stopSession(ctx context.Context, ref string, noWait bool) error {
	g := a.newProgress("Stopping")
	defer g.close()
	var asked, had bool
	s, err := a.watch(ctx, func() (api.Session, error) {
		var err error
		patient, cancel := patience(ctx)
		defer cancel()
		if asked, err = a.client.StopSession(patient, ref); err != nil {
			return api.Session{}, err
		}
		had = asked
		return a.client.Session(patient, ref)
	}, g.event, func(st api.SessionStatus) bool { return noWait || st.Terminal() })
	g.close()
	switch {
	case err != nil && had:
		if !errors.Is(err, context.Canceled) {
			a.exit(err)
		}
		a.print.warn("The stop of %s goes on in the background. Watch it: medforge session show %s", ref, ref)
		return said{a.code(err)}
	case err != nil:
		return err
	case !asked:
		return a.print.result(s, func() { a.print.line("Session %s has already ended (%s).", s.Slug, s.Status) })
	case noWait:
		return a.print.result(s, func() { a.print.line("Session %s is stopping.", s.Slug) })
	case s.Status == api.SessionError:
		return failed{fmt.Sprintf("Session %s ended in error: %s", s.Slug, s.ErrorMessage)}
	}
	return a.stopped(ctx, s)
}

// stopped prints where the files are now.
func (a *app) stopped(ctx context.Context, s api.Session) error {
	snaps, err := a.client.Snapshots(ctx, s.ID)
	if err != nil {
		a.print.warn("Its snapshots cannot be listed: %v", err)
	}
	if err == nil && len(snaps) > 0 {
		a.print.tell("Its files come back with: medforge session start --from %s", s.Slug)
	}
	return a.print.result(s, func() {
		if len(snaps) == 0 {
			a.print.line("Session %s stopped.", s.Slug)
			return
		}
		a.print.line("Session %s stopped, kept in snapshot %s.", s.Slug, snaps[len(snaps)-1].Name)
	})
}
