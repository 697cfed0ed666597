package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/client"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/termtext"
)

func (a *app) submitCommand() *cobra.Command {
	var message string
	var noWait bool
	cmd := a.run(&cobra.Command{
		Use: "submit SLUG FILE", Short: "Submit predictions and see the score",
		Long: `Submit a CSV file of predictions; - reads it from stdin. Then wait for the
score, and say how it changes your best, your rank, and what is left today.

Predictions with mistakes are refused with all of them listed, and take none of
the day's submissions; the exit code is 5. An interrupt ends only the waiting:
the scoring goes on.`,
		Example: `  medforge submit titanic-survival predictions.csv
  medforge submit titanic-survival predictions.csv -m "random forest, 500 trees"`,
		Args: exactly("SLUG", "FILE"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return []string{"csv"}, cobra.ShellCompDirectiveFilterFileExt
			}
			return a.completeCompetitions()(cmd, args, part)
		},
	}, func(cmd *cobra.Command, args []string) error {
		if n := utf8.RuneCountInString(message); n > 500 {
			return usage("The message has %d characters; it takes up to 500.", n)
		}
		return a.submit(cmd.Context(), args[0], args[1], message, noWait)
	})
	cmd.Flags().StringVarP(&message, "message", "m", "", "a note to yourself, up to 500 characters")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait for the score")
	return cmd
}

// openInput opens a file, or stdin for "-". size is -1 when it is not known.
func (a *app) openInput(path string) (in io.Reader, size int64, done func(), err error) {
	if path == "-" {
		return a.Stdin, -1, func() {}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, nil, usage("%v", err)
	}
	st, err := f.Stat()
	if err == nil && st.IsDir() {
		err = usage("%s is a folder.", path)
	}
	if err != nil {
		return nil, 0, nil, errors.Join(err, f.Close())
	}
	size = -1
	if st.Mode().IsRegular() {
		size = st.Size()
	}
	return f, size, func() { _ = f.Close() }, nil // it was only read
}

func (a *app) submit(ctx context.Context, slug, path, message string, noWait bool) error {
	in, size, done, err := a.openInput(path)
	if err != nil {
		return err
	}
	defer done()
	var stream *client.EventStream
	var before *api.LeaderboardEntry
	if !noWait {
		// Both before the file is sent: nothing of what it causes is missed.
		if stream, err = a.events(ctx); err != nil {
			return err
		}
		defer func() { stream.Close() }()
		board, err := a.client.Leaderboard(ctx, slug, client.ListOptions{Limit: 1})
		if err != nil {
			return err
		}
		before = board.Data.Me
	}
	g := a.newProgress("Sending")
	defer g.close()
	name := filepath.Base(path)
	if path == "-" {
		name = "stdin.csv"
	}
	sent, err := a.client.Submit(ctx, slug, client.Predictions{Filename: name, File: in, Size: size, Message: message,
		Progress: func(n int64) { g.bar("Sending", n, size) }})
	if err != nil {
		return err
	}
	if noWait {
		g.close()
		a.print.tell("It is being scored. See: medforge submissions %s", slug)
		return a.print.result(sent, func() { a.print.line("%s", sent.Submission.ID) })
	}
	g.say("Scoring")
	sent.Submission, err = a.scored(ctx, &stream, sent.Submission)
	g.close()
	if err != nil {
		a.print.warn("The submission is kept and its scoring goes on. See: medforge submissions %s", slug)
		return err
	}
	return a.showScore(ctx, slug, sent, before)
}

// scored waits until a submission has a score or has failed.
func (a *app) scored(ctx context.Context, stream **client.EventStream, s api.Submission) (api.Submission, error) {
	for {
		now, err := a.client.Submission(ctx, s.ID)
		if err != nil || now.ScoreStatus == api.ScoreScored || now.ScoreStatus == api.ScoreFailed {
			return now, err
		}
		for {
			e, err := (*stream).Next()
			if fault.CodeOf(err) == "events/resume-lost" {
				(*stream).Close()
				if *stream, err = a.events(ctx); err != nil {
					return s, err
				}
				break
			}
			if err != nil {
				return s, err
			}
			if e.Type == api.EventScored && text(e, "submission_id") == s.ID {
				break
			}
		}
	}
}

func (a *app) showScore(ctx context.Context, slug string, sent api.SubmissionCreated, before *api.LeaderboardEntry) error {
	s := sent.Submission
	left := fmt.Sprintf("%d of %d left; anew %s (in %s)", sent.RemainingToday, sent.DailyCap, timeText(sent.ResetsAt), termtext.Duration(sent.ResetsAt.Sub(a.Now()).Round(time.Minute)))
	if s.ScoreStatus == api.ScoreFailed {
		if err := a.print.result(sent, func() {}); err != nil {
			return err
		}
		return failed{fmt.Sprintf("Submission %s was not scored: %s", s.ID, s.ScoreError)}
	}
	board, err := a.client.Leaderboard(ctx, slug, client.ListOptions{Limit: 1})
	if err != nil {
		return err
	}
	return a.print.result(sent, func() {
		rows := [][2]string{}
		if s.OfficialScore != nil {
			rows = append(rows, [2]string{"Score", scoreText(s.OfficialScore.PrimaryScore)},
				[2]string{"Your best", bestText(s.OfficialScore.PrimaryScore, before, board.Data)})
		}
		if me := board.Data.Me; me != nil {
			rows = append(rows, [2]string{"Rank", fmt.Sprintf("%d of %d", me.Rank, board.Data.Total)})
		}
		a.print.pairs(append(rows, [2]string{"Today", left}, [2]string{"Submission", s.ID})...)
	})
}

// bestText compares a score with the best that the user had before.
func bestText(score float64, before *api.LeaderboardEntry, board api.Leaderboard) string {
	if before == nil || before.EvaluationSplitVersion != board.EvaluationSplitVersion {
		return "this one, the first"
	}
	gain := score - before.PrimaryScore
	// Not with the last digits that a subtraction leaves behind.
	change := fmt.Sprintf("%+.6g", math.Round(gain*1e9)/1e9)
	switch {
	case gain == 0:
		return fmt.Sprintf("%s, the same", scoreText(before.PrimaryScore))
	case gain > 0 == board.HigherIsBetter:
		return fmt.Sprintf("this one; it was %s (%s)", scoreText(before.PrimaryScore), change)
	}
	return fmt.Sprintf("still %s (%s)", scoreText(before.PrimaryScore), change)
}
