// Package daemon composes medforged: configuration to drivers, drivers to
// services, services to listeners; and it ends them in the opposite order.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/config"
	"github.com/medforge/medforge/pkg/driver/containerd/logdriver"
	"github.com/medforge/medforge/pkg/fault"
)

// Main is the program medforged; it returns the exit status: 0 done, 1 failed,
// 2 wrong usage or configuration.
func Main(args []string, version string) int {
	// Where there is no medforge-log, containerd starts this same program to
	// keep a container's output: it lives as long as the container, whatever
	// becomes of the daemon.
	logdriver.Main(args)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd := Command(version)
	cmd.SetArgs(args[1:])
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var usage usageError
	switch {
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "medforged: %v\nSee medforged --help.\n", err)
		return 2
	case fault.Is(err, fault.Invalid):
		printFault(os.Stderr, err)
		return 2
	}
	printFault(os.Stderr, err)
	return 1
}

// usageError is a mistake in the command line itself.
type usageError struct{ error }

// printFault writes an error for the operator, its cause included: whoever
// starts the daemon may see it.
func printFault(w io.Writer, err error) {
	f := fault.As(err)
	if f == nil {
		fmt.Fprintf(w, "medforged: %v\n", err)
		return
	}
	fmt.Fprintf(w, "medforged: %s\n", f.Message)
	if f.Cause != nil {
		fmt.Fprintf(w, "  because: %v\n", f.Cause)
	}
}

// Command is the tree of medforged.
func Command(version string) *cobra.Command {
	var path string
	root := &cobra.Command{
		Use:   "medforged",
		Short: "MedForge's daemon: sessions with a GPU each, and competitions",
		Long: "medforged serves MedForge on a unix socket and a public HTTP listener until it gets\n" +
			"SIGTERM. Sessions outlive it: a restart takes them up again.",
		Example:       "  medforged --config /etc/medforge/medforged.toml\n  medforged check\n  medforged migrate",
		Version:       version,
		Args:          noArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().StringVar(&path, "config", config.DefaultPath, "the configuration file")
	config.AddFlags(root.PersistentFlags())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	options := func(cmd *cobra.Command) config.Options {
		return config.Options{Path: path, Optional: !cmd.Flags().Changed("config"), Flags: cmd.Flags()}
	}
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := config.Load(options(cmd))
		if err != nil {
			return err
		}
		logger := newLogger(os.Stderr, c.Log)
		withoutHugePages(logger)
		d, err := Open(cmd.Context(), c, Options{Version: version, Stdout: os.Stdout, Logger: logger})
		if err != nil {
			return err
		}
		return d.Run(cmd.Context())
	}
	root.AddCommand(
		&cobra.Command{
			Use:     "check",
			Short:   "Read the configuration and say every mistake with its key and line",
			Example: "  medforged check --config /etc/medforge/medforged.toml",
			Args:    noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				err := config.CheckWith(options(cmd), cmd.OutOrStdout())
				if fault.Is(err, fault.Invalid) {
					return fault.New(fault.Invalid, "config/invalid", "the configuration has mistakes, listed above")
				}
				return err
			},
		},
		&cobra.Command{
			Use:     "migrate",
			Short:   "Bring the database to this version; safe to interrupt and to repeat",
			Example: "  medforged migrate --config /etc/medforge/medforged.toml",
			Args:    noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				c, err := config.Load(options(cmd))
				if err != nil {
					return err
				}
				db, err := openStore(cmd.Context(), c, newLogger(os.Stderr, c.Log))
				if err != nil {
					return err
				}
				defer db.Close()
				v, err := db.Version(cmd.Context())
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "The database is at version %d.\n", v)
				return err
			},
		},
		restoreCommand(options),
	)
	return root
}

func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("there is no command %q; the commands are check, migrate and restore", args[0])}
	}
	return nil
}

func newLogger(w io.Writer, c config.Log) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.Level}
	if c.Format == "text" {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

// shutdownSlack is added to what the listeners get to end, for what comes
// after them.
const shutdownSlack = 10 * time.Second
