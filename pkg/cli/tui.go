package cli

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/client"
	"github.com/medforge/medforge/pkg/tui"
)

func (a *app) tuiCommand() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "tui", Short: "The full-screen program",
		Long: `Sessions, GPUs, competitions and leaderboards on the whole screen, live. It is
what medforge alone shows on a terminal. ? shows the keys of each screen.`,
		Example: "  medforge tui", Args: atMost(0),
	}, func(cmd *cobra.Command, _ []string) error {
		if !isTerminal(a.Stdin) || !isTerminal(a.Stdout) {
			return usage("medforge tui needs a terminal. For scripts: medforge session list -o json")
		}
		return a.fullScreen(cmd.Context())
	})
}

// fullScreen runs the TUI on the terminal that stdin and stdout are.
func (a *app) fullScreen(ctx context.Context) error {
	o := tui.Options{In: a.Stdin.(*os.File), Out: a.Stdout.(*os.File), Now: a.Now, NoColor: a.cfg.NoColor, Getenv: a.getenv}
	if a.hasBrowser() {
		o.Browse = browse
	}
	return a.TUI(ctx, TUIDaemon(a.client), o)
}

// hasBrowser reports whether a browser started here would be seen by whoever
// sits at the terminal.
func (a *app) hasBrowser() bool {
	if a.getenv("SSH_CONNECTION") != "" || a.getenv("DISPLAY") == "" && a.getenv("WAYLAND_DISPLAY") == "" {
		return false
	}
	_, err := exec.LookPath("xdg-open")
	return err == nil
}

// browse opens a link in the desktop's browser. The link signs in whoever has
// it, and every user of the host can read the arguments of a process: so the
// browser is given a file of ours that leads there.
func browse(ctx context.Context, link string) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	dir := filepath.Join(cache, "medforge")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// One file, written anew each time: the link in it is good once, for a minute.
	page := fmt.Sprintf(`<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0;url=%s"><title>MedForge</title>`,
		html.EscapeString(link))
	path := filepath.Join(dir, "open.html")
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // it could be another's, or readable by others
	}
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, "xdg-open", path).Run()
}

// TUIDaemon is the client as the full-screen program sees it.
func TUIDaemon(c *client.Client) tui.Daemon { return tuiDaemon{c} }

type tuiDaemon struct{ *client.Client }

// events is a stream that ends when its connection is lost: the program loads
// the present state then, so that resuming is no use to it.
type events struct {
	*client.EventStream
	lost error
}

func (d tuiDaemon) Events(ctx context.Context) (tui.EventStream, error) {
	e := &events{}
	s, err := d.Client.Events(ctx, client.EventOptions{Retrying: func(err error) {
		e.lost = err // called from Next, in its goroutine
		e.EventStream.Close()
	}})
	if err != nil {
		return nil, err
	}
	e.EventStream = s
	return e, nil
}

func (e *events) Next() (api.Event, error) {
	ev, err := e.EventStream.Next()
	if err != nil && e.lost != nil {
		err = e.lost
	}
	return ev, err
}

// first collects at most limit rows of a list.
func first[T any](rows func(func(T, error) bool), limit int) ([]T, error) {
	out := []T{}
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		out = append(out, row)
		if len(out) == limit {
			break
		}
	}
	return out, nil
}

func (d tuiDaemon) Sessions(ctx context.Context, all bool, limit int) ([]api.Session, error) {
	return first(d.Client.Sessions(ctx, all), limit)
}

func (d tuiDaemon) StopSession(ctx context.Context, ref string) error {
	_, err := d.Client.StopSession(ctx, ref)
	return err
}

func (d tuiDaemon) SetUser(ctx context.Context, id string, c api.UserChange) error {
	_, err := d.Client.SetUser(ctx, id, c)
	return err
}

func (d tuiDaemon) Leaderboard(ctx context.Context, slug string, limit int, cursor string) (api.LeaderboardPage, error) {
	return d.Client.Leaderboard(ctx, slug, client.ListOptions{Limit: limit, Cursor: cursor})
}

func (d tuiDaemon) Submit(ctx context.Context, slug string, f tui.Upload) (api.SubmissionCreated, error) {
	return d.Client.Submit(ctx, slug, client.Predictions{Filename: f.Filename, File: io.MultiReader(f.File), Size: f.Size, Message: f.Message, Progress: f.Progress})
}

func (d tuiDaemon) MySubmissions(ctx context.Context, slug string, limit int) ([]api.Submission, error) {
	return first(d.Client.MySubmissions(ctx, slug), limit)
}
