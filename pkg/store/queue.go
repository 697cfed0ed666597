package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/fault"
)

// takeFrom is how many waiting submissions a worker looks at: others may take
// the first ones at the same moment.
const takeFrom = 8

type candidate struct{ id, status, lease string }

// Take gives a waiting submission to a worker. It reads which wait, without
// locks, and takes one by an UPDATE whose condition is that nothing has
// happened to it since.
func (s *Competitions) Take(ctx context.Context, lease string, now, until time.Time) (competition.Submission, error) {
	const doing = "take a submission from the queue"
	var out competition.Submission
	for {
		var waiting []candidate
		err := s.db.read(ctx, doing, func(q queryer) (err error) {
			waiting, err = s.waiting(ctx, q, now)
			return err
		})
		if err != nil {
			return out, err
		}
		if len(waiting) == 0 {
			return out, fault.New(fault.NotFound, "competitions/queue-empty", "no submission waits to be scored")
		}
		for _, c := range waiting {
			taken := false
			err := s.db.write(ctx, doing, func(tx *sql.Tx) error {
				n, err := changed(tx.ExecContext(ctx, `UPDATE submissions SET status = ?, lease = ?, lease_until = ?, tries = tries + 1
					WHERE id = ? AND status = ? AND lease = ?`, competition.Scoring, lease, micros(until), c.id, c.status, c.lease))
				if taken = n > 0; err != nil || !taken {
					return err
				}
				out, err = s.submission(ctx, tx, c.id)
				return err
			})
			if err != nil || taken {
				return out, err
			}
		}
		// All of them went to others: each round at least one worker gets one.
	}
}

// waiting returns what can be taken: first what a worker left behind.
func (s *Competitions) waiting(ctx context.Context, q queryer, now time.Time) ([]candidate, error) {
	scan := func(r scanner) (c candidate, err error) { return c, r.Scan(&c.id, &c.status, &c.lease) }
	rows, err := q.QueryContext(ctx, `SELECT id, status, lease FROM submissions WHERE status = ? AND lease_until <= ?
		ORDER BY lease_until LIMIT ?`, competition.Scoring, micros(now), takeFrom)
	left, err := collect(rows, err, scan)
	if err != nil || len(left) > 0 {
		return left, err
	}
	rows, err = q.QueryContext(ctx, `SELECT id, status, lease FROM submissions WHERE status = ? AND not_before <= ?
		ORDER BY priority, queued_at, id LIMIT ?`, competition.Queued, micros(now), takeFrom)
	return collect(rows, err, scan)
}

func leaseLost(id string) error {
	return fault.New(fault.Conflict, "competitions/lease-lost", "submission %s is not this worker's any more", id)
}

// Extend moves a lease's end.
func (s *Competitions) Extend(ctx context.Context, submissionID, lease string, until time.Time) error {
	return s.db.write(ctx, "keep the submission", func(tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, `UPDATE submissions SET lease_until = ? WHERE id = ? AND status = ? AND lease = ?`,
			micros(until), submissionID, competition.Scoring, lease))
		if err == nil && n == 0 {
			return leaseLost(submissionID)
		}
		return err
	})
}

// Fail ends a lease without a score.
func (s *Competitions) Fail(ctx context.Context, f competition.Failure) (competition.Submission, error) {
	var out competition.Submission
	err := s.db.write(ctx, "record that scoring failed", func(tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, `UPDATE submissions SET lease = '', lease_until = 0, score_error = ?, not_before = ?,
			status = CASE WHEN ? = 1 THEN ? WHEN score_id <> '' THEN ? ELSE ? END
			WHERE id = ? AND status = ? AND lease = ?`,
			clip(f.Message), micros(f.At), bit(f.Retry), competition.Queued, competition.Scored, competition.Failed,
			f.SubmissionID, competition.Scoring, f.Lease))
		if err != nil {
			return err
		}
		if n == 0 {
			return leaseLost(f.SubmissionID)
		}
		if out, err = s.submission(ctx, tx, f.SubmissionID); err != nil || !f.OurFault || f.Retry || out.Score != nil || !out.Counts {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE submissions SET counts = 0 WHERE id = ?`, out.ID); err != nil {
			return err
		}
		out.Counts = false
		_, err = tx.ExecContext(ctx, `UPDATE submission_days SET counted = counted - 1
			WHERE user_id = ? AND competition = ? AND day = ? AND counted > 0`, out.UserID, out.Competition, out.Day)
		return err
	})
	return out, err
}

// QueueDepth is how many wait or are being scored.
func (s *Competitions) QueueDepth(ctx context.Context) (int, error) {
	var n int
	err := s.db.read(ctx, "count the queue", func(q queryer) error {
		return q.QueryRowContext(ctx, `SELECT COUNT(*) FROM submissions WHERE status IN (?, ?)`, competition.Queued, competition.Scoring).Scan(&n)
	})
	return n, err
}

const requeue = `UPDATE submissions SET status = ?, priority = 1, tries = 0, not_before = 0, queued_at = ? WHERE status IN (?, ?) AND id = ?`

// Rescore queues a submission again.
func (s *Competitions) Rescore(ctx context.Context, submissionID string, at time.Time) (competition.Submission, error) {
	var out competition.Submission
	err := s.db.write(ctx, "queue the submission again", func(tx *sql.Tx) (err error) {
		if _, err = tx.ExecContext(ctx, requeue, competition.Queued, micros(at), competition.Scored, competition.Failed, submissionID); err != nil {
			return err
		}
		out, err = s.submission(ctx, tx, submissionID)
		return err
	})
	return out, err
}

// rescoreBatch bounds how long others wait for the rows.
const rescoreBatch = 500

// RescoreAll queues all of a competition again, a batch at a time, in the order
// of their ids, so that an interrupted call can be repeated.
func (s *Competitions) RescoreAll(ctx context.Context, slug string, at time.Time) (int, error) {
	if _, err := s.Competition(ctx, slug); err != nil {
		return 0, err
	}
	const doing = "queue the submissions again"
	total := 0
	for after := ""; ; {
		var ids []string
		err := s.db.read(ctx, doing, func(q queryer) error {
			rows, err := q.QueryContext(ctx, `SELECT id FROM submissions WHERE competition = ? AND id > ? ORDER BY id LIMIT ?`, slug, after, rescoreBatch)
			ids, err = collect(rows, err, func(r scanner) (id string, err error) { return id, r.Scan(&id) })
			return err
		})
		if err != nil || len(ids) == 0 {
			return total, err
		}
		batch := 0
		err = s.db.write(ctx, doing, func(tx *sql.Tx) error {
			batch = 0
			for _, id := range ids {
				n, err := changed(tx.ExecContext(ctx, requeue, competition.Queued, micros(at), competition.Scored, competition.Failed, id))
				if err != nil {
					return err
				}
				batch += int(n)
			}
			return nil
		})
		if err != nil {
			return total, err
		}
		total, after = total+batch, ids[len(ids)-1]
	}
}
