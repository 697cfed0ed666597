package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/fault"
)

const (
	submissionColumns = `s.id, s.competition, s.user_id, s.session_id, s.filename, s.size_bytes, s.sha256, s.message,
		s.created_at, s.day, s.status, s.score_error, s.counts, s.tries`
	scoreColumns = `id, submission_id, number, scorer_version, metric_version, split_version, manifest_sha256, holdout_sha256,
		primary_score, components, scored_at`
	// submissionRows joins each with its latest score.
	submissionRows = `SELECT ` + submissionColumns + `, c.id, c.submission_id, c.number, c.scorer_version, c.metric_version,
		c.split_version, c.manifest_sha256, c.holdout_sha256, c.primary_score, c.components, c.scored_at
		FROM submissions s LEFT JOIN scores c ON c.id = s.score_id `
)

func scanSubmission(r scanner) (competition.Submission, error) {
	var s competition.Submission
	var created int64
	var id, of, scorer, metric, split, manifest, holdout, components sql.NullString
	var number, at sql.NullInt64
	var primary sql.NullFloat64
	err := r.Scan(&s.ID, &s.Competition, &s.UserID, &s.SessionID, &s.Filename, &s.SizeBytes, &s.SHA256, &s.Message,
		&created, &s.Day, &s.Status, &s.ScoreError, &s.Counts, &s.Tries,
		&id, &of, &number, &scorer, &metric, &split, &manifest, &holdout, &primary, &components, &at)
	s.CreatedAt = fromMicros(created)
	if err != nil || !id.Valid {
		return s, err
	}
	s.Score = &competition.Score{ID: id.String, SubmissionID: of.String, Number: int(number.Int64), ScorerVersion: scorer.String,
		MetricVersion: metric.String, SplitVersion: split.String, ManifestSHA256: manifest.String, HoldoutSHA256: holdout.String,
		Primary: primary.Float64, ScoredAt: fromMicros(at.Int64)}
	return s, readComponents(components.String, s.Score)
}

func scanScore(r scanner) (competition.Score, error) {
	var c competition.Score
	var components string
	var at int64
	err := r.Scan(&c.ID, &c.SubmissionID, &c.Number, &c.ScorerVersion, &c.MetricVersion, &c.SplitVersion, &c.ManifestSHA256,
		&c.HoldoutSHA256, &c.Primary, &components, &at)
	if err != nil {
		return c, err
	}
	c.ScoredAt = fromMicros(at)
	return c, readComponents(components, &c)
}

func readComponents(text string, c *competition.Score) error {
	if err := json.Unmarshal([]byte(text), &c.Components); err != nil {
		return fault.Wrap(err, fault.Internal, "store/bad-score", "the components of score %s are damaged", c.ID)
	}
	return nil
}

func (s *Competitions) submission(ctx context.Context, q queryer, id string) (competition.Submission, error) {
	out, err := scanSubmission(q.QueryRowContext(ctx, submissionRows+`WHERE s.id = ?`, id))
	if s.db.is(err, notThere) {
		return out, fault.New(fault.NotFound, "competitions/submission-not-found", "there is no submission %q", id)
	}
	return out, err
}

// Submission finds one.
func (s *Competitions) Submission(ctx context.Context, id string) (competition.Submission, error) {
	var out competition.Submission
	err := s.db.read(ctx, "read the submission", func(q queryer) (err error) {
		out, err = s.submission(ctx, q, id)
		return err
	})
	return out, err
}

// ListSubmissions returns the chosen ones, newest first.
func (s *Competitions) ListSubmissions(ctx context.Context, f competition.SubmissionFilter) ([]competition.Submission, error) {
	var out []competition.Submission
	err := s.db.read(ctx, "list the submissions", func(q queryer) error {
		where, args := []string{"1 = 1"}, []any{}
		for _, c := range []struct{ column, value string }{
			{"s.competition", f.Competition}, {"s.user_id", f.UserID}, {"s.status", string(f.Status)},
		} {
			if c.value != "" {
				where, args = append(where, c.column+" = ?"), append(args, c.value)
			}
		}
		if f.After != "" {
			last, err := s.submission(ctx, q, f.After)
			if fault.Is(err, fault.NotFound) {
				return badCursor()
			} else if err != nil {
				return err
			}
			at := micros(last.CreatedAt)
			where, args = append(where, "s.created_at <= ? AND (s.created_at < ? OR s.id < ?)"), append(args, at, at, last.ID)
		}
		query := submissionRows + `WHERE ` + strings.Join(where, " AND ") + ` ORDER BY s.created_at DESC, s.id DESC`
		if f.Limit > 0 {
			query += fmt.Sprintf(" LIMIT %d", f.Limit)
		}
		rows, err := q.QueryContext(ctx, query, args...)
		out, err = collect(rows, err, scanSubmission)
		return err
	})
	return out, err
}

// Scores returns all of a submission's, oldest first.
func (s *Competitions) Scores(ctx context.Context, submissionID string) ([]competition.Score, error) {
	var out []competition.Score
	err := s.db.read(ctx, "list the scores", func(q queryer) error {
		rows, err := q.QueryContext(ctx, `SELECT `+scoreColumns+` FROM scores WHERE submission_id = ? ORDER BY number`, submissionID)
		out, err = collect(rows, err, scanScore)
		return err
	})
	return out, err
}
