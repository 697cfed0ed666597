package store

import (
	"context"

	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/fault"
)

const entryRows = `SELECT e.user_id, COALESCE(u.name, ''), e.submission_id, e.score_id, e.primary_score, e.metric_version,
	e.split_version, e.scored_at, e.rank_key FROM leaderboard_entries e `

// byOrder: for a page in the middle of a board MariaDB may take it for better
// to sort all of the rest.
const byOrder = `/*! FORCE INDEX (leaderboard_order) */`

const withNames = ` LEFT JOIN users u ON u.id = e.user_id `

func scanEntry(r scanner) (competition.Entry, error) {
	var e competition.Entry
	var at int64
	err := r.Scan(&e.UserID, &e.Name, &e.SubmissionID, &e.ScoreID, &e.Primary, &e.MetricVersion, &e.SplitVersion, &at, &e.Key)
	e.ScoredAt = fromMicros(at)
	return e, err
}

func (s *Competitions) entry(ctx context.Context, q queryer, slug, split, userID string) (competition.Entry, error) {
	e, err := scanEntry(q.QueryRowContext(ctx, entryRows+withNames+`WHERE e.competition = ? AND e.split_version = ? AND e.user_id = ?`, slug, split, userID))
	if s.db.is(err, notThere) {
		return e, fault.New(fault.NotFound, "competitions/not-ranked", "no submission to %s has been scored yet", slug)
	}
	return e, err
}

// Board returns a page: one range of one index.
func (s *Competitions) Board(ctx context.Context, b competition.BoardQuery) ([]competition.Entry, error) {
	if b.After != "" && !isRankKey(b.After) {
		return nil, badCursor()
	}
	var out []competition.Entry
	err := s.db.read(ctx, "read the leaderboard", func(q queryer) error {
		before := 0
		if b.After != "" {
			var err error
			if before, err = (blocks{s, q, b.Competition, b.SplitVersion}).upTo(ctx, b.After); err != nil {
				return err
			}
		}
		rows, err := q.QueryContext(ctx, entryRows+byOrder+withNames+`WHERE e.competition = ? AND e.split_version = ? AND e.rank_key > ?
			ORDER BY e.rank_key LIMIT ?`, b.Competition, b.SplitVersion, b.After, b.Limit)
		out, err = collect(rows, err, scanEntry)
		for i := range out {
			out[i].Rank = before + i + 1
		}
		return err
	})
	return out, err
}

// BoardSize is how many users are on a board.
func (s *Competitions) BoardSize(ctx context.Context, slug, split string) (int, error) {
	var n int
	err := s.db.read(ctx, "count the leaderboard", func(q queryer) (err error) {
		n, err = blocks{s, q, slug, split}.size(ctx)
		return err
	})
	return n, err
}

// Standing is one user's entry with its rank.
func (s *Competitions) Standing(ctx context.Context, slug, split, userID string) (competition.Entry, error) {
	var e competition.Entry
	err := s.db.read(ctx, "read the place on the leaderboard", func(q queryer) (err error) {
		if e, err = s.entry(ctx, q, slug, split, userID); err != nil {
			return err
		}
		e.Rank, err = blocks{s, q, slug, split}.upTo(ctx, e.Key)
		return err
	})
	return e, err
}
