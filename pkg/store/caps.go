package store

import (
	"context"
	"database/sql"

	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/fault"
)

// What a user may do on one day is counted in one row, by an UPDATE whose
// condition is the limit: callers line up at that row, and exactly as many
// pass as the limit allows.

// CountAttempt counts a try.
func (s *Competitions) CountAttempt(ctx context.Context, slug, userID, day string, limit int) error {
	const doing = "count the try"
	if err := s.openDay(ctx, doing, slug, userID, day); err != nil {
		return err
	}
	return s.db.write(ctx, doing, func(tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, `UPDATE submission_days SET attempts = attempts + 1
			WHERE user_id = ? AND competition = ? AND day = ? AND attempts < ?`, userID, slug, day, limit))
		if err == nil && n == 0 {
			return fault.New(fault.LimitReached, "competitions/attempts-exhausted",
				"you have tried %d times today in %s, refused files included; the count starts anew at 00:00 UTC", limit, slug)
		}
		return err
	})
}

// openDay makes the day's row in a transaction of its own: of many who find
// that it is missing one makes it, and the others' refused INSERTs leave no
// lock behind.
func (s *Competitions) openDay(ctx context.Context, doing, slug, userID, day string) error {
	var n int
	err := s.db.read(ctx, doing, func(q queryer) error {
		return q.QueryRowContext(ctx, `SELECT COUNT(*) FROM submission_days WHERE user_id = ? AND competition = ? AND day = ?`,
			userID, slug, day).Scan(&n)
	})
	if err != nil || n > 0 {
		return err
	}
	err = s.db.write(ctx, doing, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO submission_days (user_id, competition, day, attempts, counted) VALUES (?,?,?,0,0)`, userID, slug, day)
		if s.db.is(err, noParent) {
			return noCompetition(slug)
		}
		return err
	})
	if fault.CodeOf(err) == "store/exists" {
		return nil
	}
	return err
}

// Usage returns what was spent on a day.
func (s *Competitions) Usage(ctx context.Context, slug, userID, day string) (competition.Usage, error) {
	var u competition.Usage
	err := s.db.read(ctx, "read what is left of the day", func(q queryer) (err error) {
		u, err = usage(ctx, q, slug, userID, day)
		if s.db.is(err, notThere) {
			return nil
		}
		return err
	})
	return u, err
}

func usage(ctx context.Context, q queryer, slug, userID, day string) (u competition.Usage, err error) {
	err = q.QueryRowContext(ctx, `SELECT attempts, counted FROM submission_days WHERE user_id = ? AND competition = ? AND day = ?`,
		userID, slug, day).Scan(&u.Attempts, &u.Counted)
	return u, err
}

// CreateSubmission queues a submission and takes one of the day's places.
func (s *Competitions) CreateSubmission(ctx context.Context, sub competition.Submission, dailyCap int) (competition.Submission, competition.Usage, error) {
	const doing = "queue the submission"
	var out competition.Submission
	var spent competition.Usage
	if err := s.openDay(ctx, doing, sub.Competition, sub.UserID, sub.Day); err != nil {
		return out, spent, err
	}
	err := s.db.write(ctx, doing, func(tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, `UPDATE submission_days SET counted = counted + 1
			WHERE user_id = ? AND competition = ? AND day = ? AND counted < ?`, sub.UserID, sub.Competition, sub.Day, dailyCap))
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.LimitReached, "competitions/submission-cap-reached",
				"you have used today's %d submissions to %s; the count starts anew at 00:00 UTC", dailyCap, sub.Competition)
		}
		if spent, err = usage(ctx, tx, sub.Competition, sub.UserID, sub.Day); err != nil {
			return err
		}
		at := micros(sub.CreatedAt)
		_, err = tx.ExecContext(ctx, `INSERT INTO submissions (id, competition, user_id, session_id, filename, size_bytes, sha256, message,
			created_at, day, status, score_error, counts, tries, priority, queued_at, not_before, lease, lease_until, score_id)
			VALUES (?,?,?,?,?,?,?,?,?,?,?,'',1,0,0,?,0,'',0,'')`,
			sub.ID, sub.Competition, sub.UserID, sub.SessionID, clip(sub.Filename), sub.SizeBytes, sub.SHA256, clip(sub.Message),
			at, sub.Day, competition.Queued, at)
		if s.db.is(err, duplicate) {
			return fault.Wrap(err, fault.Exists, "competitions/submission-exists", "submission %s is there already", sub.ID)
		} else if err != nil {
			return err
		}
		out, err = s.submission(ctx, tx, sub.ID)
		return err
	})
	return out, spent, err
}
