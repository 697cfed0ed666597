package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/config"
	"github.com/medforge/medforge/pkg/daemon/backup"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/httpapi"
)

// backup takes the moment of a backup; the caller writes it out and closes it.
func (d *Daemon) backup(ctx context.Context, a auth.Actor, workspaces bool) (httpapi.Backup, error) {
	b, err := backup.Begin(ctx, backup.Source{
		Store: d.store, Driver: d.cfg.Database.Driver, DataDir: d.cfg.DataDir, MedForge: d.version, Now: time.Now(),
		Workspaces: workspaces && d.cfg.Workspace.Driver == config.WorkspaceDir,
	})
	if err != nil {
		return nil, err
	}
	d.bus.Publish(event.Event{Type: event.BackupTaken, ActorID: a.UserID})
	return b, nil
}

// restore reads a backup into the MedForge that the configuration names, which
// must be fresh and have no daemon.
func restore(ctx context.Context, c config.Config, logger *slog.Logger, in io.Reader) (_ backup.Report, err error) {
	lock, err := lockDataDir(c.DataDir)
	if err != nil {
		return backup.Report{}, err
	}
	defer lock.Close()
	db, err := openUnmigrated(ctx, c, logger)
	if err != nil {
		return backup.Report{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return backup.Restore(ctx, in, backup.Target{Store: db, DataDir: c.DataDir})
}

func restoreCommand(options func(*cobra.Command) config.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Read a backup into an empty database and a fresh data directory",
		Long: "Read a backup, made by medforge admin backup, into the database and the data directory\n" +
			"that the configuration names. Both must be fresh and the daemon stopped. - reads it\n" +
			"from stdin. Interrupted, it is run again with the same file.",
		Example: "  systemctl stop medforged.socket medforged\n  medforged restore /srv/backup/medforge.tar.zst",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("one FILE is needed: medforged restore FILE")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := config.Load(options(cmd))
			if err != nil {
				return err
			}
			in := cmd.InOrStdin()
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return fault.Wrap(err, fault.NotFound, "backup/file", "The backup cannot be opened: %v", err)
				}
				defer f.Close()
				in = f
			}
			r, err := restore(cmd.Context(), c, newLogger(os.Stderr, c.Log), in)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "The backup of %s is restored. Start the daemon, import the Pack if this host has none, and look: medforge doctor\n",
				r.At.Format(time.RFC3339))
			return err
		},
	}
}
