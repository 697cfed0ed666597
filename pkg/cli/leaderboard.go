package cli

import (
	"context"
	"encoding/csv"
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/client"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/termtext"
)

func (a *app) leaderboardCommand() *cobra.Command {
	limit := 20
	var watch, asCSV bool
	cmd := a.run(&cobra.Command{
		Use: "leaderboard SLUG", Short: "Show a competition's leaderboard", Aliases: []string{"board"},
		Example: `  medforge leaderboard titanic-survival
  medforge leaderboard titanic-survival --watch
  medforge leaderboard titanic-survival --limit 0 --csv > board.csv`,
		Args: exactly("SLUG"), ValidArgsFunction: a.completeCompetitions(),
	}, func(cmd *cobra.Command, args []string) error {
		switch {
		case limit < 0:
			return usage("--limit must be 0 or more.")
		case asCSV && a.print.json:
			return usage("Give either --csv or -o json.")
		}
		show := func() error { return a.showBoard(cmd.Context(), args[0], limit, asCSV, watch) }
		if watch {
			return a.watchBoard(cmd.Context(), args[0], show)
		}
		return show()
	})
	cmd.Flags().IntVarP(&limit, "limit", "n", limit, "that many places at most; 0 is all")
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show it again whenever it changes")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "as CSV")
	return cmd
}

// board reads the first places of a board, page by page.
func (a *app) board(ctx context.Context, slug string, limit int) (b api.Leaderboard, err error) {
	o := client.ListOptions{}
	for first := true; ; first = false {
		o.Limit = api.MaxLimit
		if limit > 0 {
			o.Limit = min(api.MaxLimit, limit-len(b.Entries))
		}
		p, err := a.client.Leaderboard(ctx, slug, o)
		if err != nil {
			return b, err
		}
		if first {
			b = p.Data
		} else {
			b.Entries = append(b.Entries, p.Data.Entries...)
		}
		if p.Meta.NextCursor == nil || limit > 0 && len(b.Entries) >= limit {
			return b, nil
		}
		o.Cursor = *p.Meta.NextCursor
	}
}

func (a *app) showBoard(ctx context.Context, slug string, limit int, asCSV, again bool) error {
	b, err := a.board(ctx, slug, limit)
	if err != nil {
		return err
	}
	if again && a.print.terminal && !a.print.json && !asCSV {
		a.print.raw("%s", ansi.EraseEntireScreen+ansi.CursorHomePosition)
	}
	if asCSV {
		return a.boardCSV(b)
	}
	return a.print.result(b, func() { a.boardTable(b) })
}

func (a *app) boardTable(b api.Leaderboard) {
	a.print.line("%s: %s, %s is better; split %s; %d on the board", b.CompetitionSlug, b.Metric, better(b.HigherIsBetter), b.EvaluationSplitVersion, b.Total)
	if len(b.Entries) == 0 {
		a.print.tell("Nobody yet. Be the first: medforge submit %s FILE", b.CompetitionSlug)
		return
	}
	var rows [][]string
	shown := false
	row := func(e api.LeaderboardEntry) {
		mark := ""
		if b.Me != nil && b.Me.UserID == e.UserID {
			mark, shown = "you", true
		}
		rows = append(rows, []string{fmt.Sprint(e.Rank), e.Name, scoreText(e.PrimaryScore), timeText(e.ScoredAt), mark})
	}
	for _, e := range b.Entries {
		row(e)
	}
	if b.Me != nil && !shown {
		rows = append(rows, []string{"...", "", "", "", ""})
		row(*b.Me)
	}
	a.print.table([]string{"RANK", "NAME", "SCORE", "SCORED", ""}, rows)
}

func (a *app) boardCSV(b api.Leaderboard) error {
	w := csv.NewWriter(a.print.out)
	rows := [][]string{{"rank", "name", "score", "submission_id", "split", "scored_at"}}
	for _, e := range b.Entries {
		name := termtext.Cell(e.Name)
		if strings.ContainsAny(name[:min(1, len(name))], "=+-@") {
			name = "'" + name // a spreadsheet would run it
		}
		rows = append(rows, []string{fmt.Sprint(e.Rank), name, scoreText(e.PrimaryScore), e.BestSubmissionID, e.EvaluationSplitVersion, e.ScoredAt.Format(time.RFC3339)})
	}
	return w.WriteAll(rows)
}

// watchBoard shows the board now and after each change until it is
// interrupted.
func (a *app) watchBoard(ctx context.Context, slug string, show func() error) error {
	stream, err := a.events(ctx)
	if err != nil {
		return err
	}
	defer func() { stream.Close() }()
	for {
		err := show()
		if err == nil {
			err = a.print.flush()
		}
		if err == nil {
			stream, err = a.boardChange(ctx, stream, slug)
		}
		if ended(err) {
			return nil // an interrupt is how one stops watching
		}
		if err != nil {
			return err
		}
	}
}

// boardChange waits until the board may be another.
func (a *app) boardChange(ctx context.Context, stream *client.EventStream, slug string) (*client.EventStream, error) {
	for {
		e, err := stream.Next()
		switch {
		case fault.CodeOf(err) == "events/resume-lost":
			stream.Close()
			fresh, err := a.events(ctx)
			if err != nil {
				return stream, err
			}
			return fresh, nil
		case err != nil:
			return stream, err
		case e.Type == api.EventLeaderboard && text(e, "competition") == slug:
			return stream, nil
		}
	}
}
