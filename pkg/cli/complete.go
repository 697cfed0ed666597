package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/termtext"
)

// completeTime is how long a Tab may take.
const completeTime = 2 * time.Second

type completion = func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective)

// completeSlugs offers the caller's sessions whose state is wanted; nil wants
// all. Only the first argument is one.
func (a *app) completeSlugs(want func(api.SessionStatus) bool) completion {
	return a.complete(func(ctx context.Context) ([]string, error) {
		rows, _, err := a.sessions(ctx, false, 100)
		var out []string
		for _, s := range rows {
			if want == nil || want(s.Status) {
				out = append(out, fmt.Sprintf("%s\t%s, GPU %d, %s", s.Slug, s.Status, s.GPUID, timeText(s.CreatedAt)))
			}
		}
		return out, err
	})
}

// completeFrom offers what a session can start from: slugs, and after SLUG@ the
// names of that session's snapshots, newest first.
func (a *app) completeFrom() completion {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		slug, _, named := strings.Cut(toComplete, "@")
		if !named {
			return a.completeSlugs(nil)(cmd, args, toComplete)
		}
		return a.complete(func(ctx context.Context) ([]string, error) {
			snaps, err := a.client.Snapshots(ctx, slug)
			slices.Reverse(snaps)
			var out []string
			for _, n := range snaps {
				out = append(out, fmt.Sprintf("%s@%s\t%s", slug, n.Name, timeText(n.CreatedAt)))
			}
			return out, err
		})(cmd, args, toComplete)
	}
}

func (a *app) completeGPUs() completion {
	return a.complete(func(ctx context.Context) ([]string, error) {
		gpus, err := a.client.GPUs(ctx)
		var out []string
		for _, g := range gpus {
			out = append(out, fmt.Sprintf("%d\t%s, %s", g.Index, g.Name, g.Status))
		}
		return out, err
	})
}

func (a *app) completeTokens() completion {
	return a.complete(func(ctx context.Context) ([]string, error) {
		tokens, err := a.client.Tokens(ctx)
		var out []string
		for _, t := range tokens {
			out = append(out, fmt.Sprintf("%s\t%s, made %s", t.ID, t.Label, timeText(t.CreatedAt)))
		}
		return out, err
	})
}

func (a *app) completeBrowsers() completion {
	return a.complete(func(ctx context.Context) ([]string, error) {
		browsers, err := a.client.Browsers(ctx)
		var out []string
		for _, b := range browsers {
			out = append(out, fmt.Sprintf("%s\t%s, signed in %s", b.ID, b.Agent, timeText(b.CreatedAt)))
		}
		return out, err
	})
}

func (a *app) completeUsers() completion {
	return a.complete(func(ctx context.Context) ([]string, error) {
		users, err := a.client.Users(ctx)
		var out []string
		for _, u := range users {
			ref := u.Email
			if ref == "" {
				ref = u.UnixName
			}
			out = append(out, fmt.Sprintf("%s\t%s, %s", ref, u.Name, u.Role))
		}
		return out, err
	})
}

func (a *app) completePacks() completion {
	return a.complete(func(ctx context.Context) ([]string, error) {
		packs, err := a.client.Packs(ctx)
		var out []string
		for _, p := range packs {
			out = append(out, fmt.Sprintf("%s\t%s, %s", p.Digest, p.ID, timeText(p.ImportedAt)))
		}
		return out, err
	})
}

func (a *app) complete(offer func(ctx context.Context) ([]string, error)) completion {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		if err := a.setUp(cmd); err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		parent := cmd.Context()
		if parent == nil {
			parent = context.Background()
		}
		ctx, cancel := context.WithTimeout(parent, completeTime)
		defer cancel()
		out, err := offer(ctx)
		if err != nil {
			cobra.CompDebugln(err.Error(), false)
			return nil, cobra.ShellCompDirectiveError
		}
		for i := range out {
			out[i] = termtext.Text(out[i])
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}
