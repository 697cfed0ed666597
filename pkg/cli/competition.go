package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/termtext"
)

func (a *app) competitionCommand() *cobra.Command {
	return a.group(&cobra.Command{
		Use: "competition", Short: "Competitions and their data", Aliases: []string{"comp"},
		Example: "  medforge competition list\n  medforge competition data titanic-survival",
	}, a.competitionList("medforge competition list"), a.competitionShow(), a.competitionData())
}

func (a *app) competitionList(example string) *cobra.Command {
	return a.run(&cobra.Command{
		Use: "list", Short: "List the competitions", Aliases: []string{"ls"},
		Example: "  " + example, Args: atMost(0),
	}, func(cmd *cobra.Command, _ []string) error {
		all, err := a.client.Competitions(cmd.Context())
		if err != nil {
			return err
		}
		return a.print.result(all, func() {
			if len(all) == 0 {
				a.print.tell("There is no competition. An admin adds one: medforge admin competition add DIR")
				return
			}
			var rows [][]string
			for _, c := range all {
				rows = append(rows, []string{c.Slug, c.Title, c.Metric, better(c.HigherIsBetter), fmt.Sprint(c.SubmissionCapPerDay)})
			}
			a.print.table([]string{"COMPETITION", "TITLE", "METRIC", "BETTER", "A DAY"}, rows)
		})
	})
}

func better(higher bool) string {
	if higher {
		return "higher"
	}
	return "lower"
}

func (a *app) competitionShow() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "show SLUG", Short: "Show one competition: what to predict and how it is scored",
		Example: "  medforge competition show titanic-survival",
		Args:    exactly("SLUG"), ValidArgsFunction: a.completeCompetitions(),
	}, func(cmd *cobra.Command, args []string) error {
		c, err := a.client.Competition(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return a.print.result(c, func() { a.showCompetition(c) })
	})
}

func (a *app) showCompetition(c api.CompetitionDetail) {
	rows := [][2]string{
		{"Competition", c.Slug}, {"Title", c.Title}, {"Status", c.Status},
		{"Metric", fmt.Sprintf("%s, %s is better", c.Metric, better(c.HigherIsBetter))},
		{"Columns", strings.Join(c.Columns, ",")}, {"Rows", fmt.Sprint(c.Rows)},
		{"A day", fmt.Sprintf("%d submissions, %d tries", c.SubmissionCapPerDay, c.AttemptCapPerDay)},
		{"Split", c.EvaluationSplitVersion},
	}
	if c.DatasetSlug != "" {
		rows = append(rows, [2]string{"Dataset", fmt.Sprintf("%s (%s)", c.DatasetTitle, c.DatasetSlug)})
	}
	for _, r := range [][2]string{{"Source", c.Source}, {"License", c.License}} {
		if r[1] != "" {
			rows = append(rows, r)
		}
	}
	a.print.pairs(rows...)
	a.print.line("\n%s", strings.TrimSpace(c.Description))
}

// scoreText is a score as it was given, with no digit more.
func scoreText(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func (a *app) submissionsCommand() *cobra.Command {
	limit := 20
	cmd := a.run(&cobra.Command{
		Use: "submissions SLUG", Short: "List your submissions to a competition, newest first",
		Example: "  medforge submissions titanic-survival",
		Args:    exactly("SLUG"), ValidArgsFunction: a.completeCompetitions(),
	}, func(cmd *cobra.Command, args []string) error {
		if limit < 0 {
			return usage("--limit must be 0 or more.")
		}
		rows, more := []api.Submission{}, false
		for s, err := range a.client.MySubmissions(cmd.Context(), args[0]) {
			if err != nil {
				return err
			}
			if more = limit > 0 && len(rows) == limit; more {
				break
			}
			rows = append(rows, s)
		}
		if more {
			a.print.tell("These are the newest %d. More: --limit 0", limit)
		}
		return a.print.result(rows, func() { a.submissionTable(args[0], rows) })
	})
	cmd.Flags().IntVarP(&limit, "limit", "n", limit, "that many at most; 0 is all")
	return cmd
}

func (a *app) submissionTable(slug string, rows []api.Submission) {
	if len(rows) == 0 {
		a.print.tell("No submissions yet. The first: medforge submit %s FILE", slug)
		return
	}
	var table [][]string
	for _, s := range rows {
		score, split := "-", "-"
		if s.OfficialScore != nil {
			score, split = scoreText(s.OfficialScore.PrimaryScore), s.OfficialScore.EvaluationSplitVersion
		}
		note := s.Message
		if s.ScoreError != "" {
			note = s.ScoreError
		}
		table = append(table, []string{timeText(s.CreatedAt), string(s.ScoreStatus), score, split, s.Filename, s.ID, note})
	}
	a.print.table([]string{"SENT", "STATUS", "SCORE", "SPLIT", "FILE", "SUBMISSION", "MESSAGE"}, table)
}

func (a *app) completeCompetitions() completion {
	return a.complete(func(ctx context.Context) ([]string, error) {
		all, err := a.client.Competitions(ctx)
		var out []string
		for _, c := range all {
			out = append(out, c.Slug+"\t"+c.Title)
		}
		return out, err
	})
}

func (a *app) competitionData() *cobra.Command {
	var out string
	cmd := a.run(&cobra.Command{
		Use: "data SLUG", Short: "Fetch a competition's data into a folder",
		Long: `Fetch the files to work with: the sample submission, what comes with the
competition, and its dataset if an admin has imported it. The labels that
submissions are scored against are not among them. Files that are there
already are replaced.`,
		Example: "  medforge competition data titanic-survival\n  medforge competition data cifar-100-classification --out /workspace/cifar",
		Args:    exactly("SLUG"), ValidArgsFunction: a.completeCompetitions(),
	}, func(cmd *cobra.Command, args []string) error {
		if out == "" {
			out = args[0]
		}
		return a.fetchData(cmd.Context(), args[0], out)
	})
	cmd.Flags().StringVar(&out, "out", "", "the folder; one of the competition's name when left out")
	return cmd
}

func (a *app) fetchData(ctx context.Context, slug, out string) error {
	files, err := a.client.CompetitionData(ctx, slug)
	if err != nil {
		return err
	}
	var total int64
	for _, f := range files {
		total += f.Bytes
	}
	r, err := a.client.CompetitionArchive(ctx, slug)
	if err != nil {
		return err
	}
	defer r.Close()
	g := a.newProgress("Fetching")
	defer g.close()
	n, err := unpackInto(out, r, func(got int64) { g.bar("Fetching", got, total) })
	g.close()
	if err != nil {
		return err
	}
	if n != len(files) {
		return failed{fmt.Sprintf("Of %d files %d arrived. Give the command again.", len(files), n)}
	}
	return a.print.result(files, func() { a.print.line("%d files, %s, in %s", n, termtext.Bytes(total), out) })
}

// counter tells how much of a stream was read.
type counter struct {
	r    io.Reader
	n    int64
	tell func(int64)
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	c.tell(c.n)
	return n, err
}

// ended reports whether an error is only the interrupt.
func ended(err error) bool { return errors.Is(err, context.Canceled) }
