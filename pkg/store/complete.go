package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"math"

	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/fault"
)

// Complete adds a score and brings the board up to date.
func (s *Competitions) Complete(ctx context.Context, c competition.Completion) (competition.Outcome, error) {
	c.Score.SubmissionID = c.SubmissionID
	c.Score.ScoredAt = fromMicros(micros(c.Score.ScoredAt)) // as it will be read again
	components, err := checkScore(c.Score)
	if err != nil {
		return competition.Outcome{}, err
	}
	var out competition.Outcome
	err = s.db.write(ctx, "record the score", func(tx *sql.Tx) error {
		out = competition.Outcome{}
		n, err := changed(tx.ExecContext(ctx, `UPDATE submissions SET status = ?, score_error = '', lease = '', lease_until = 0, score_id = ?
			WHERE id = ? AND status = ? AND lease = ?`,
			competition.Scored, c.Score.ID, c.SubmissionID, competition.Scoring, c.Lease))
		if err != nil {
			return err
		}
		sub, err := s.submission(ctx, tx, c.SubmissionID)
		if err != nil {
			return err
		}
		if n == 0 {
			return s.completedBefore(ctx, tx, c, sub, &out)
		}
		if err := s.insertScore(ctx, tx, c.Score, components); err != nil {
			return err
		}
		if err := s.updateBoard(ctx, tx, c, sub, &out); err != nil {
			return err
		}
		out.Submission, err = s.submission(ctx, tx, sub.ID)
		return err
	})
	return out, err
}

// checkScore lets nothing through that cannot be ranked, and returns the
// components as text.
func checkScore(c competition.Score) (string, error) {
	bad := func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }
	if bad(c.Primary) {
		return "", fault.New(fault.Invalid, "competitions/score-not-a-number", "a score must be a finite number, not %v", c.Primary)
	}
	for name, v := range c.Components {
		if bad(v) {
			return "", fault.New(fault.Invalid, "competitions/score-not-a-number", "the score's component %q must be a finite number, not %v", name, v)
		}
	}
	text, err := json.Marshal(c.Components)
	if err != nil {
		return "", fault.Wrap(err, fault.Internal, "store/bad-score", "the score's components cannot be written")
	}
	return string(text), nil
}

// completedBefore answers a completion whose lease is over: with the outcome
// as it stands when this very score was recorded and only the answer was lost.
func (s *Competitions) completedBefore(ctx context.Context, q queryer, c competition.Completion, sub competition.Submission, out *competition.Outcome) error {
	var n int
	err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM scores WHERE id = ? AND submission_id = ?`, c.Score.ID, c.SubmissionID).Scan(&n)
	if err != nil {
		return err
	}
	if n == 0 {
		return leaseLost(c.SubmissionID)
	}
	entry, err := s.entry(ctx, q, sub.Competition, c.Score.SplitVersion, sub.UserID)
	out.Submission, out.Before, out.After = sub, &entry, entry
	return err
}

func (s *Competitions) insertScore(ctx context.Context, q queryer, c competition.Score, components string) error {
	_, err := q.ExecContext(ctx, `INSERT INTO scores (`+scoreColumns+`)
		SELECT ?, ?, COALESCE(MAX(number), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ? FROM scores WHERE submission_id = ?`,
		c.ID, c.SubmissionID, c.ScorerVersion, c.MetricVersion, c.SplitVersion, c.ManifestSHA256, c.HoldoutSHA256,
		c.Primary, components, micros(c.ScoredAt), c.SubmissionID)
	return err
}

// updateBoard makes the user's entry what the official scores say. Two scores
// of one user line up at the entry's row before they read the others' scores:
// each sees what the one before it wrote.
func (s *Competitions) updateBoard(ctx context.Context, tx *sql.Tx, c competition.Completion, sub competition.Submission, out *competition.Outcome) error {
	var higher bool
	err := tx.QueryRowContext(ctx, `SELECT higher_is_better FROM boards WHERE competition = ? AND split_version = ?`,
		sub.Competition, c.Score.SplitVersion).Scan(&higher)
	if s.db.is(err, notThere) {
		return fault.New(fault.Conflict, "competitions/no-board", "%s has no board for the split %q", sub.Competition, c.Score.SplitVersion)
	} else if err != nil {
		return err
	}
	key := []any{sub.Competition, c.Score.SplitVersion, sub.UserID}
	const mine = ` WHERE competition = ? AND split_version = ? AND user_id = ?`
	there, err := changed(tx.ExecContext(ctx, `UPDATE leaderboard_entries SET user_id = user_id`+mine, key...))
	if err != nil {
		return err
	}
	if there > 0 {
		before, err := s.entry(ctx, tx, sub.Competition, c.Score.SplitVersion, sub.UserID)
		if err != nil {
			return err
		}
		out.Before = &before
	}
	if err := s.putOfficial(ctx, tx, c.Score, sub, higher); err != nil {
		return err
	}
	best, err := s.best(ctx, tx, key, higher, c.Ladder)
	if err != nil {
		return err
	}
	b := blocks{s, tx, sub.Competition, c.Score.SplitVersion}
	oldKey, low := "", ""
	if out.Before != nil {
		oldKey = out.Before.Key
	}
	if best.Key != oldKey {
		if low, err = b.move(ctx, oldKey, best.Key); err != nil {
			return err
		}
	}
	v := []any{best.SubmissionID, best.ScoreID, best.MetricVersion, best.Primary, best.Key, micros(best.ScoredAt)}
	if there > 0 {
		_, err = tx.ExecContext(ctx, `UPDATE leaderboard_entries SET submission_id = ?, score_id = ?, metric_version = ?,
			primary_score = ?, rank_key = ?, scored_at = ?`+mine, append(v, key...)...)
	} else {
		_, err = tx.ExecContext(ctx, `INSERT INTO leaderboard_entries (submission_id, score_id, metric_version, primary_score, rank_key, scored_at,
			competition, split_version, user_id) VALUES (?,?,?,?,?,?,?,?,?)`, append(v, key...)...)
		if s.db.is(err, duplicate) {
			return errAgain // the user's other first score was faster
		}
	}
	if err == nil && low != "" {
		err = b.cut(ctx, low)
	}
	if err != nil {
		return err
	}
	out.After, err = s.entry(ctx, tx, sub.Competition, c.Score.SplitVersion, sub.UserID)
	return err
}

// putOfficial makes the score the one that stands for its submission. The same
// result as before keeps its time: whoever is scored again loses no tie.
func (s *Competitions) putOfficial(ctx context.Context, q queryer, c competition.Score, sub competition.Submission, higher bool) error {
	at := c.ScoredAt
	var primary float64
	var since int64
	err := q.QueryRowContext(ctx, `SELECT primary_score, scored_at FROM official_scores WHERE submission_id = ? AND split_version = ?`,
		sub.ID, c.SplitVersion).Scan(&primary, &since)
	if err != nil && !s.db.is(err, notThere) {
		return err
	}
	if err == nil && primary == c.Primary {
		at = fromMicros(since)
	}
	v := []any{c.ID, c.MetricVersion, c.Primary, rankKey(c.Primary, higher, at, sub.ID), micros(at)}
	if err == nil {
		_, err = q.ExecContext(ctx, `UPDATE official_scores SET score_id = ?, metric_version = ?, primary_score = ?, rank_key = ?, scored_at = ?
			WHERE submission_id = ? AND split_version = ?`, append(v, sub.ID, c.SplitVersion)...)
		return err
	}
	_, err = q.ExecContext(ctx, `INSERT INTO official_scores (score_id, metric_version, primary_score, rank_key, scored_at,
		submission_id, split_version, competition, user_id) VALUES (?,?,?,?,?,?,?,?,?)`,
		append(v, sub.ID, c.SplitVersion, sub.Competition, sub.UserID)...)
	return err
}

// best is what stands on the board for a user: the first of the user's
// official scores in the board's order or, with a Ladder step, what climbing
// through them in time gives.
func (s *Competitions) best(ctx context.Context, q queryer, key []any, higher bool, step float64) (competition.Entry, error) {
	if step <= 0 {
		all, err := officialScores(ctx, q, key, ` ORDER BY rank_key LIMIT 1`)
		if err != nil {
			return competition.Entry{}, err
		}
		return all[0], nil
	}
	all, err := officialScores(ctx, q, key, ``)
	if err != nil {
		return competition.Entry{}, err
	}
	steps := competition.Steps(all, higher, step)
	top := steps[len(steps)-1]
	top.Key = rankKey(top.Primary, higher, top.ScoredAt, top.SubmissionID)
	return top, nil
}

// officialScores are a user's in one split; key is competition, split, user.
func officialScores(ctx context.Context, q queryer, key []any, order string) ([]competition.Entry, error) {
	rows, err := q.QueryContext(ctx, `SELECT submission_id, score_id, metric_version, primary_score, rank_key, scored_at FROM official_scores
		WHERE competition = ? AND split_version = ? AND user_id = ?`+order, key...)
	return collect(rows, err, func(r scanner) (e competition.Entry, err error) {
		var at int64
		err = r.Scan(&e.SubmissionID, &e.ScoreID, &e.MetricVersion, &e.Primary, &e.Key, &at)
		e.ScoredAt = fromMicros(at)
		return e, err
	})
}

// UserScores are a user's official scores of a split, in the order of time.
func (s *Competitions) UserScores(ctx context.Context, slug, split, userID string) ([]competition.Entry, error) {
	var all []competition.Entry
	err := s.db.read(ctx, "read a user's scores", func(q queryer) (err error) {
		all, err = officialScores(ctx, q, []any{slug, split, userID}, ` ORDER BY scored_at, submission_id`)
		return err
	})
	for i := range all {
		all[i].UserID, all[i].SplitVersion = userID, split
	}
	return all, err
}
