package store

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/fault"
)

// Competitions is competition.Store.
type Competitions struct{ db *DB }

// Competitions returns the competitions, their submissions and boards.
func (db *DB) Competitions() *Competitions { return &Competitions{db} }

var _ competition.Store = (*Competitions)(nil)

const competitionColumns = `slug, title, description, state, tier, metric, metric_version, higher_is_better, split_version,
	spec_version, scoring_mode, leaderboard_rule, evaluation_policy, permanent, daily_cap, attempt_cap, dataset_slug,
	manifest_sha256, holdout_sha256, spec, revision, created_at, updated_at`

func scanCompetition(r scanner) (competition.Competition, error) {
	var c competition.Competition
	var spec string
	var created, updated int64
	err := r.Scan(&c.Slug, &c.Title, &c.Description, &c.State, &c.Tier, &c.Metric, &c.MetricVersion, &c.HigherIsBetter, &c.SplitVersion,
		&c.SpecVersion, &c.ScoringMode, &c.LeaderboardRule, &c.EvaluationPolicy, &c.Permanent, &c.DailyCap, &c.AttemptCap, &c.DatasetSlug,
		&c.ManifestSHA256, &c.HoldoutSHA256, &spec, &c.Revision, &created, &updated)
	if spec != "" {
		c.Spec = json.RawMessage(spec)
	}
	c.CreatedAt, c.UpdatedAt = fromMicros(created), fromMicros(updated)
	return c, err
}

func (s *Competitions) get(ctx context.Context, q queryer, slug string) (competition.Competition, error) {
	c, err := scanCompetition(q.QueryRowContext(ctx, `SELECT `+competitionColumns+` FROM competitions WHERE slug = ?`, slug))
	if s.db.is(err, notThere) {
		return c, noCompetition(slug)
	}
	return c, err
}

func noCompetition(slug string) error {
	return fault.New(fault.NotFound, "competitions/competition-not-found",
		"there is no competition %q; `medforge competition list` shows them", slug)
}

// Competition finds one.
func (s *Competitions) Competition(ctx context.Context, slug string) (competition.Competition, error) {
	var c competition.Competition
	err := s.db.read(ctx, "read the competition", func(q queryer) (err error) {
		c, err = s.get(ctx, q, slug)
		return err
	})
	return c, err
}

// Competitions returns all, by slug.
func (s *Competitions) Competitions(ctx context.Context) ([]competition.Competition, error) {
	var out []competition.Competition
	err := s.db.read(ctx, "list the competitions", func(q queryer) error {
		rows, err := q.QueryContext(ctx, `SELECT `+competitionColumns+` FROM competitions ORDER BY slug`)
		out, err = collect(rows, err, scanCompetition)
		return err
	})
	return out, err
}

// PutCompetition adds a competition or a new revision of it.
func (s *Competitions) PutCompetition(ctx context.Context, c competition.Competition) (competition.Competition, error) {
	var out competition.Competition
	err := s.db.write(ctx, "keep the competition", func(tx *sql.Tx) error {
		old, err := s.get(ctx, tx, c.Slug)
		changed := old.ManifestSHA256 != c.ManifestSHA256 || string(old.Spec) != string(c.Spec)
		switch {
		case fault.Is(err, fault.NotFound):
			c.Revision, changed = 1, true
			err = s.insert(ctx, tx, c)
		case err != nil:
			return err
		default:
			if c.Revision, c.CreatedAt = old.Revision, old.CreatedAt; changed {
				c.Revision++
			}
			err = s.update(ctx, tx, c, old.Revision)
		}
		if err == nil && changed {
			_, err = tx.ExecContext(ctx, `INSERT INTO competition_revisions
				(competition, revision, manifest_sha256, holdout_sha256, split_version, metric_version, spec, added_at) VALUES (?,?,?,?,?,?,?,?)`,
				c.Slug, c.Revision, c.ManifestSHA256, c.HoldoutSHA256, c.SplitVersion, c.MetricVersion, string(c.Spec), micros(c.UpdatedAt))
		}
		if err == nil {
			err = s.putBoard(ctx, tx, c)
		}
		if s.db.is(err, duplicate) {
			return errAgain // somebody else adds it at this moment
		} else if err != nil {
			return err
		}
		out, err = s.get(ctx, tx, c.Slug)
		return err
	})
	return out, err
}

// putBoard makes the split's board, or checks that the one there has the same
// order.
func (s *Competitions) putBoard(ctx context.Context, q queryer, c competition.Competition) error {
	var metric string
	var higher bool
	err := q.QueryRowContext(ctx, `SELECT metric, higher_is_better FROM boards WHERE competition = ? AND split_version = ?`,
		c.Slug, c.SplitVersion).Scan(&metric, &higher)
	switch {
	case s.db.is(err, notThere):
		_, err = q.ExecContext(ctx, `INSERT INTO boards (competition, split_version, metric, higher_is_better) VALUES (?,?,?,?)`,
			c.Slug, c.SplitVersion, c.Metric, bit(c.HigherIsBetter))
		return err
	case err != nil:
		return err
	case metric != c.Metric || higher != c.HigherIsBetter:
		return fault.New(fault.Conflict, "competitions/split-has-other-metric",
			"the board of %s for the split %q ranks by %s and cannot also rank by %s: give the bundle a new evaluation_split_version",
			c.Slug, c.SplitVersion, metric, c.Metric)
	}
	return nil
}

// values are c's in the order of competitionColumns.
func values(c competition.Competition) []any {
	return []any{c.Slug, c.Title, c.Description, c.State, c.Tier, c.Metric, c.MetricVersion, bit(c.HigherIsBetter), c.SplitVersion,
		c.SpecVersion, c.ScoringMode, c.LeaderboardRule, c.EvaluationPolicy, bit(c.Permanent), c.DailyCap, c.AttemptCap, c.DatasetSlug,
		c.ManifestSHA256, c.HoldoutSHA256, string(c.Spec), c.Revision, micros(c.CreatedAt), micros(c.UpdatedAt)}
}

func (s *Competitions) insert(ctx context.Context, q queryer, c competition.Competition) error {
	v := values(c)
	_, err := q.ExecContext(ctx, `INSERT INTO competitions (`+competitionColumns+`) VALUES (`+marks(len(v))+`)`, v...)
	return err
}

// update writes all but the slug, if nobody added a revision meanwhile.
func (s *Competitions) update(ctx context.Context, q queryer, c competition.Competition, from int) error {
	n, err := changed(q.ExecContext(ctx, `UPDATE competitions SET title = ?, description = ?, state = ?, tier = ?, metric = ?,
		metric_version = ?, higher_is_better = ?, split_version = ?, spec_version = ?, scoring_mode = ?, leaderboard_rule = ?,
		evaluation_policy = ?, permanent = ?, daily_cap = ?, attempt_cap = ?, dataset_slug = ?, manifest_sha256 = ?,
		holdout_sha256 = ?, spec = ?, revision = ?, created_at = ?, updated_at = ? WHERE slug = ? AND revision = ?`,
		append(values(c)[1:], c.Slug, from)...))
	if err == nil && n == 0 {
		return errAgain
	}
	return err
}
