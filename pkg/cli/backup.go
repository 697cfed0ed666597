package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/config"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/termtext"
)

func (a *app) backup() *cobra.Command {
	var without bool
	cmd := a.run(&cobra.Command{
		Use: "backup FILE", Short: "Write the database and the data directory into one file",
		Long: `Write the database and the data directory, of one moment and while everything
goes on, into one file: a tar archive compressed by zstd. - writes it to stdout.
The file appears whole or not at all, for its owner alone: password hashes and
the competitions' hidden labels are in it. An old one of that name is replaced.

Workspaces of the dir driver are in it, with their snapshots; ZFS's are not: send
them with zfs send. Nor are the configuration in /etc/medforge and the Packs.`,
		Example: "  medforge admin backup /srv/backup/medforge.tar.zst\n  medforge admin backup - | ssh elsewhere 'cat >medforge.tar.zst'",
		Args:    exactly("FILE"),
	}, func(cmd *cobra.Command, args []string) error {
		return a.takeBackup(cmd.Context(), args[0], !without)
	})
	cmd.Flags().BoolVar(&without, "without-workspaces", false, "leave out workspaces that are plain folders")
	return cmd
}

// backupTaken is what backup prints as JSON.
type backupTaken struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
}

func (a *app) takeBackup(ctx context.Context, path string, workspaces bool) error {
	if path == "-" && isTerminal(a.Stdout) {
		return usage("A backup is no text for a terminal. Give a FILE, or send it on: medforge admin backup - | ...")
	}
	g := a.newProgress("Dumping the database")
	defer g.close()
	r, err := a.client.Backup(ctx, workspaces)
	if err != nil {
		return err
	}
	defer r.Close()
	in := &counter{r: r, tell: func(n int64) { g.say("Received %s", termtext.Bytes(n)) }}
	if path == "-" {
		_, err := io.Copy(a.Stdout, in)
		return err
	}
	if err := writeWhole(path, in); err != nil {
		return err
	}
	g.close()
	return a.print.result(backupTaken{File: path, Bytes: in.n}, func() { a.print.line("%s, %s", path, termtext.Bytes(in.n)) })
}

// writeWhole writes a file that appears whole or not at all, for its owner
// alone, and outlives a power cut.
func writeWhole(path string, r io.Reader) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".part-") // 0600
	if err != nil {
		return usage("%s cannot be written: %v", path, errors.Unwrap(err)) // the error itself names the temporary file
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if _, err := io.Copy(f, r); err != nil {
		return cannotWrite(path, err)
	}
	if err := f.Sync(); err != nil {
		return cannotWrite(path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return cannotWrite(path, err)
	}
	d, openErr := os.Open(dir)
	if openErr != nil {
		return cannotWrite(path, errors.Join(openErr, f.Close()))
	}
	return errors.Join(d.Sync(), d.Close(), f.Close())
}

// cannotWrite is a failure of this side's disk; one of the other side has its
// kind already.
func cannotWrite(path string, err error) error {
	if fault.As(err) != nil || errors.Is(err, context.Canceled) {
		return err
	}
	return fault.Wrap(err, fault.Internal, "client/cannot-write", "%s cannot be written: %v", path, err)
}

func (a *app) restore() *cobra.Command {
	path := config.DefaultPath
	cmd := a.run(&cobra.Command{
		Use: "restore FILE", Short: "Read a backup into a fresh MedForge on this host",
		Long: `Read a backup into the database and the data directory that the daemon's
configuration names. Both must be fresh: an empty database and no files, so that
nothing is overwritten. The daemon must be stopped, since it works on both; this
command runs medforged restore, the program that can reach them without it.
- reads the backup from stdin. Interrupted, it is run again with the same file.

A backup of SQLite can be restored into MariaDB, and the other way round.`,
		Example: "  systemctl stop medforged.socket medforged\n  medforge admin restore /srv/backup/medforge.tar.zst",
		Args:    exactly("FILE"),
	}, func(cmd *cobra.Command, args []string) error {
		return a.runRestore(cmd.Context(), path, args[0])
	})
	cmd.Flags().StringVar(&path, "config", path, "the daemon's configuration")
	return cmd
}

// restoreGrace is how long medforged may take to end after an interrupt.
const restoreGrace = 30 * time.Second

func (a *app) runRestore(ctx context.Context, configPath, file string) error {
	if a.cfg.Server != "" {
		return usage("A restore is done on MedForge's own host, without --server.")
	}
	program, err := daemonProgram()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, "restore", "--config", configPath, file)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = a.Environ, a.Stdin, a.Stdout, a.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = restoreGrace
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit):
		return said{max(exit.ExitCode(), exitFailed)} // medforged has said why
	case err != nil:
		return fault.Wrap(err, fault.Internal, "restore/program", "%s cannot be run: %v", program, err)
	}
	return nil
}

// daemonProgram is the medforged beside this program, or that of the PATH.
func daemonProgram() (string, error) {
	self, err := os.Executable()
	if err == nil {
		if beside := filepath.Join(filepath.Dir(self), "medforged"); isProgram(beside) {
			return beside, nil
		}
	}
	if found, err := exec.LookPath("medforged"); err == nil {
		return found, nil
	}
	return "", fault.New(fault.NotFound, "restore/program", "The program medforged is not on this machine. A restore is done on MedForge's own host.")
}

func isProgram(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0
}
