package cli

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/termtext"
)

func (a *app) adminCompetition() *cobra.Command {
	list := a.competitionList("medforge admin competition list")
	return a.group(&cobra.Command{
		Use: "competition", Short: "Add competitions and change them", Example: "  medforge admin competition add ./my-competition",
	}, a.competitionAdd(), list, a.competitionCodabench())
}

func (a *app) competitionAdd() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "add DIR", Short: "Add a competition from its folder, or update it",
		Long: `Add a competition from a folder with competition.yaml, description.md,
holdout.csv, sample_submission.csv and, if you like, data/. Everything in it is
checked and every mistake told. Adding it again is an update; scores that are
there stay, under the evaluation split that they were made with.`,
		Example: "  medforge admin competition add ./my-competition", Args: exactly("DIR"),
	}, func(cmd *cobra.Command, args []string) error {
		st, err := os.Stat(args[0])
		if err != nil {
			return usage("%v", err)
		}
		if !st.IsDir() {
			return usage("%s is not a folder. A Codabench zip is taken by: medforge admin competition import-codabench", args[0])
		}
		return a.addCompetition(cmd.Context(), args[0])
	})
}

func (a *app) addCompetition(ctx context.Context, dir string) error {
	g := a.newProgress("Sending")
	defer g.close()
	r, w := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := packFolder(dir, w)
		packed <- err
		_ = w.CloseWithError(err) // nil is the end
	}()
	added, err := a.client.AddCompetition(ctx, r, func(n int64) { g.say("Sent %s", termtext.Bytes(n)) })
	_ = r.Close() // ends the packing if the daemon refused early
	if perr := <-packed; perr != nil && !errors.Is(perr, io.ErrClosedPipe) {
		return perr // what is wrong with the folder says more
	}
	g.close()
	if err != nil {
		return err
	}
	return a.showAdded(added)
}

func (a *app) competitionCodabench() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "import-codabench ZIP", Short: "Convert a Codabench bundle and add it",
		Long: `Convert a Codabench bundle that MedForge's own scoring can express: one phase,
one task, a leaderboard whose first column is one of MedForge's metrics, and
reference data in one CSV file of an id and a label. Its scoring program is not
run. What is not taken over is named.`,
		Example: "  medforge admin competition import-codabench bundle.zip", Args: exactly("ZIP"),
	}, func(cmd *cobra.Command, args []string) error {
		in, size, done, err := a.openInput(args[0])
		if err != nil {
			return err
		}
		defer done()
		g := a.newProgress("Sending")
		defer g.close()
		added, err := a.client.ImportCodabench(cmd.Context(), io.MultiReader(in), size, func(n int64) { g.bar("Sending", n, size) })
		g.close()
		if err != nil {
			return err
		}
		return a.showAdded(added)
	})
}

func (a *app) showAdded(added api.CompetitionAdded) error {
	for _, n := range added.Notes {
		a.print.tell("Note: %s.", n)
	}
	return a.print.result(added, func() {
		c := added.Competition
		a.print.line("Competition %s, revision %d, split %s, %d rows.", c.Slug, c.Revision, c.EvaluationSplitVersion, c.Rows)
	})
}

func (a *app) adminSubmission() *cobra.Command {
	var all string
	rescore := a.run(&cobra.Command{
		Use: "rescore [SUBMISSION]", Short: "Score one submission again, or all of a competition",
		Long: `Score again, against the competition as it is now. It adds a score; the ones
before are kept. All of a competition are queued behind what people wait for.`,
		Example: "  medforge admin submission rescore 3b0c...\n  medforge admin submission rescore --all titanic-survival", Args: atMost(1),
	}, func(cmd *cobra.Command, args []string) error {
		switch {
		case (len(args) == 1) == (all != ""):
			return usage("Give either a submission's id or --all SLUG.")
		case all != "":
			n, err := a.client.RescoreAll(cmd.Context(), all)
			if err != nil {
				return err
			}
			return a.print.result(api.Rescored{Queued: n}, func() { a.print.line("%d submissions are scored again.", n) })
		}
		s, err := a.client.Rescore(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return a.print.result(s, func() {
			score := "not scored yet"
			if s.OfficialScore != nil && s.ScoreStatus == api.ScoreScored {
				score = scoreText(s.OfficialScore.PrimaryScore)
			}
			a.print.pairs([2]string{"Submission", s.ID}, [2]string{"Status", string(s.ScoreStatus)}, [2]string{"Score", score})
		})
	})
	rescore.Flags().StringVar(&all, "all", "", "all submissions to this competition")
	_ = rescore.RegisterFlagCompletionFunc("all", a.completeCompetitions()) // the flag is there
	return a.group(&cobra.Command{
		Use: "submission", Short: "Score submissions again", Example: "  medforge admin submission rescore --all titanic-survival",
	}, rescore)
}
