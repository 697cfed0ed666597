package competition

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/medforge/medforge/pkg/fault"
)

// Steps are the scores that were a user's best when they came, in the order of
// time. With a step they are what climbing the Ladder gives (Blum and Hardt
// 2015, figure 1): a score counts only if it is better than what stands by more
// than the step, and then stands rounded to the step. all is put in order.
func Steps(all []Entry, higher bool, step float64) []Entry {
	slices.SortFunc(all, func(a, b Entry) int {
		if c := a.ScoredAt.Compare(b.ScoredAt); c != 0 {
			return c
		}
		return strings.Compare(a.SubmissionID, b.SubmissionID)
	})
	sign := 1.0
	if !higher {
		sign = -1
	}
	var steps []Entry
	top := math.Inf(-int(sign))
	for _, e := range all {
		if sign*e.Primary <= sign*top+step {
			continue
		}
		if step > 0 {
			e.Primary = math.Round(e.Primary/step) * step
		}
		top = e.Primary
		steps = append(steps, e)
	}
	return steps
}

// History is how a user's place on the board of the present split came about:
// each best with its time, oldest first. It says no more than the board did at
// those times. Errors: NotFound "competitions/competition-not-found",
// "competitions/not-ranked".
func (s *Service) History(ctx context.Context, slug, userID string) ([]Entry, error) {
	c, m, err := s.Get(ctx, slug)
	if err != nil {
		return nil, err
	}
	all, err := s.o.Store.UserScores(ctx, slug, c.SplitVersion, userID)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fault.New(fault.NotFound, "competitions/not-ranked", "Nobody of that id is on the board of %s.", slug)
	}
	show := display{m.Leaderboard}
	var out []Entry
	for _, e := range Steps(all, c.HigherIsBetter, m.Leaderboard.LadderStep) {
		e = show.entry(e)
		if n := len(out); n > 0 && out[n-1].Primary == e.Primary {
			continue // better only beyond the digits that are shown
		}
		out = append(out, e)
	}
	return out, nil
}

// Waiting is how many submissions wait for their score or are being scored.
func (s *Service) Waiting(ctx context.Context) (int, error) { return s.o.Store.QueueDepth(ctx) }
