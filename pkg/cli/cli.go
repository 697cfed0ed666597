// Package cli is the command line: the cobra tree, which reads flags, calls
// the client and prints tables or JSON. Results go to stdout, progress and
// everything else that is said to a person to stderr.
package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/client"
	"github.com/medforge/medforge/pkg/config"
	"github.com/medforge/medforge/pkg/tui"
)

// System is what the command line has of the system it runs on.
type System struct {
	Args    []string // without the program's name
	Environ []string // "KEY=value"
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Now     func() time.Time
	Version string // empty: what the build knows of itself
	// TUI runs the full-screen program.
	TUI func(ctx context.Context, d tui.Daemon, o tui.Options) error
}

// OS is the real one, of a program of that version.
func OS(version string) System {
	return System{
		Args: os.Args[1:], Environ: os.Environ(), Version: version,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Now: time.Now, TUI: tui.Run,
	}
}

// Main runs one command and returns the exit code. The first interrupt asks
// the command to end; the second ends the process.
func Main(s System) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return Run(ctx, s)
}

// Run is Main without signals: ctx ends the command.
func Run(ctx context.Context, s System) int {
	a := &app{System: s}
	root := a.root()
	root.SetArgs(s.Args)
	root.SetIn(s.Stdin)
	out := &remembering{w: s.Stdout}
	root.SetOut(out)
	root.SetErr(s.Stderr)
	err := root.ExecuteContext(ctx)
	if out.err != nil { // cobra's own help forgets it
		err, a.ran = out.err, true
	}
	if a.client != nil {
		a.client.Close()
	}
	return a.exit(err)
}

// Command is the whole tree, for what is made from it: man pages, completions.
func Command() *cobra.Command { return (&app{System: OS("")}).root() }

// app is one run of the command line.
type app struct {
	System
	cfg    config.Client
	creds  credentials
	client *client.Client
	print  *printer
	in     *bufio.Reader // stdin, once it is read by lines
	ran    bool          // a command has begun: what fails now is no wrong usage
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "medforge",
		Short: "Browser VS Code with a GPU of your own, and competitions",
		Long: `medforge starts and stops sessions on this host's MedForge: VS Code in the
browser, with a terminal, your files and one GPU.

It talks to the daemon's socket, or to a MedForge elsewhere: with --server, or
after medforge login.
Settings can stand in ~/.config/medforge/config.toml and in the environment,
as MEDFORGE_SOCKET, MEDFORGE_SERVER, MEDFORGE_OUTPUT, MEDFORGE_NO_COLOR and
MEDFORGE_QUIET.

Exit codes: 0 done; 1 failed, or interrupted; 2 wrong usage; 3 not found;
4 not signed in or not allowed; 5 a limit or a conflict; 6 the daemon cannot
be reached.`,
		Example: `  medforge session start
  medforge session list
  medforge doctor`,
		Version:                    a.version(),
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		Args:                       a.noSuchCommand,
	}
	f := root.PersistentFlags()
	f.String("socket", "", "the daemon's socket")
	f.String("server", "", "MedForge's URL, instead of the socket")
	f.StringP("output", "o", config.OutputTable, "table or json")
	f.Bool("no-color", false, "no colours")
	f.BoolP("quiet", "q", false, "no progress")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(
		[]string{config.OutputTable, config.OutputJSON}, cobra.ShellCompDirectiveNoFileComp)) // it is there: two lines above
	root.SetFlagErrorFunc(flagError)
	a.run(root, func(cmd *cobra.Command, _ []string) error {
		if a.TUI != nil && isTerminal(a.Stdin) && isTerminal(a.Stdout) {
			return a.fullScreen(cmd.Context())
		}
		return cmd.Help()
	})
	root.AddCommand(a.sessionCommand(), a.competitionCommand(), a.submitCommand(), a.submissionsCommand(), a.leaderboardCommand(),
		a.datasetCommand(), a.gpuCommand(), a.loginCommand(), a.logoutCommand(), a.whoamiCommand(),
		a.passwdCommand(), a.tokenCommand(), a.browserCommand(), a.doctorCommand(), a.tuiCommand(), a.adminCommand())
	root.InitDefaultHelpCmd()
	if help, _, err := root.Find([]string{"help"}); err == nil {
		help.Args = a.helpTopic
	}
	return root
}

// helpTopic refuses "help" for what there is not; cobra's shows the root's.
func (a *app) helpTopic(cmd *cobra.Command, args []string) error {
	found, rest, err := cmd.Root().Find(args)
	if err != nil {
		return err
	}
	return a.noSuchCommand(found, rest)
}

// run gives a command its work, which begins with the configuration.
func (a *app) run(cmd *cobra.Command, work func(cmd *cobra.Command, args []string) error) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.setUp(cmd); err != nil {
			return err
		}
		a.ran = true
		err := work(cmd, args)
		if f := a.print.flush(); !errors.Is(err, f) {
			err = errors.Join(err, f)
		}
		return err
	}
	return cmd
}

// setUp reads the configuration and makes what every command needs.
func (a *app) setUp(cmd *cobra.Command) error {
	var err error
	if a.creds, err = loadCredentials(a.Environ); err != nil {
		return err
	}
	a.cfg, err = config.LoadClient(config.ClientOptions{Environ: a.Environ, Flags: cmd.Flags(), SignedIn: a.creds.Current})
	if err != nil {
		return err
	}
	if a.client, err = a.connect(a.creds.Servers[a.cfg.Server].Token); err != nil {
		return err
	}
	a.print = newPrinter(a)
	return nil
}

// group is a command that only holds others.
func (a *app) group(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.Args = a.noSuchCommand
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(children...)
	return cmd
}

// noSuchCommand refuses what a group does not hold, and guesses what was meant.
func (a *app) noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf(" Did you mean %s %s?", cmd.CommandPath(), near[0])
	}
	return fmt.Errorf("there is no command %q.%s See: %s --help", args[0], hint, cmd.CommandPath())
}

// version names the build: as it was told, or the module's version, or the
// commit it was built from.
func (s System) version() string {
	if s.Version != "" {
		return s.Version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}

// getenv is os.Getenv on the System's environment.
func (s System) getenv(name string) string {
	for i := len(s.Environ) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(s.Environ[i], name+"="); ok {
			return v
		}
	}
	return ""
}
