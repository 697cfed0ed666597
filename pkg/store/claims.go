package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// claimTables are taken and given back in this order by everybody, so that two
// transactions never wait for each other's rows crosswise.
var claimTables = [...]string{"gpu_claims", "host_slots", "user_slots"}

// Claim takes a user slot, a host slot and a GPU and inserts the row.
//
// Each try is one transaction: read what is held, choose what is free, insert.
// If somebody else inserted the same key first, the transaction is given up as
// a whole and the next try reads anew. It never goes on after a duplicate key:
// on MariaDB the refused INSERT leaves a lock on the other's row, and two who
// go on with such locks can wait for each other.
func (s *Sessions) Claim(ctx context.Context, c session.Claim) (session.Session, error) {
	const doing = "claim a GPU for the session"
	select {
	case s.db.claims <- struct{}{}:
		defer func() { <-s.db.claims }()
	case <-ctx.Done():
		return session.Session{}, s.db.fault(ctx.Err(), doing)
	}
	var out session.Session
	err := s.db.write(ctx, doing, func(tx *sql.Tx) (err error) {
		out, err = s.claim(ctx, tx, c)
		return err
	})
	return out, err
}

func (s *Sessions) claim(ctx context.Context, tx *sql.Tx, c session.Claim) (session.Session, error) {
	row := c.Session
	held, err := readHeld(ctx, tx, row.UserID)
	if err != nil {
		return row, err
	}
	// A limit that was lowered leaves slots above it held: what counts is how
	// many are held, and one below the limit is free when fewer are.
	if len(held.user) >= c.UserLimit {
		return row, fault.New(fault.LimitReached, "sessions/user-limit-reached",
			"you have %d of %d sessions running; stop one with `medforge session stop SLUG`", len(held.user), c.UserLimit)
	}
	if len(held.host) >= c.HostLimit {
		return row, fault.New(fault.LimitReached, "sessions/no-gpu-available",
			"all %d sessions of this host are taken; try again when one has stopped", c.HostLimit)
	}
	var gpu *session.GPU
	for i := range c.GPUs {
		if !held.gpus[c.GPUs[i].UUID] {
			gpu = &c.GPUs[i]
			break
		}
	}
	if gpu == nil {
		return row, fault.New(fault.LimitReached, "sessions/no-gpu-available",
			"no GPU is free; `medforge gpu list` shows who has them")
	}
	row.GPUIndex, row.GPUUUID = gpu.Index, gpu.UUID
	at := micros(row.CreatedAt)
	for _, take := range []struct {
		query string
		args  []any
	}{
		{`INSERT INTO gpu_claims (gpu_uuid, session_id, claimed_at) VALUES (?, ?, ?)`, []any{gpu.UUID, row.ID, at}},
		{`INSERT INTO host_slots (slot, session_id, claimed_at) VALUES (?, ?, ?)`, []any{firstFree(held.host), row.ID, at}},
		{`INSERT INTO user_slots (user_id, slot, session_id, claimed_at) VALUES (?, ?, ?, ?)`,
			[]any{row.UserID, firstFree(held.user), row.ID, at}},
	} {
		if _, err := tx.ExecContext(ctx, take.query, take.args...); s.db.is(err, duplicate) {
			return row, s.lostOrRepeated(ctx, tx, row.ID)
		} else if err != nil {
			return row, err
		}
	}
	if err := insertSession(ctx, tx, row); s.db.is(err, duplicate) {
		return row, fault.Wrap(err, fault.Exists, "sessions/slug-taken", "the name %s is taken", row.Slug)
	} else if err != nil {
		return row, err
	}
	return sessionByID(ctx, tx, row.ID)
}

// lostOrRepeated tells the two reasons apart why a claim's key is there: some
// other session was faster, or this very session has claimed before.
func (s *Sessions) lostOrRepeated(ctx context.Context, tx *sql.Tx, id string) error {
	_, err := sessionByID(ctx, tx, id)
	switch {
	case s.db.is(err, notThere):
		return errAgain
	case err != nil:
		return err
	}
	return fault.New(fault.Exists, "sessions/exists", "session %s has its claims already", id)
}

type held struct {
	gpus       map[string]bool
	host, user map[int]bool // by slot
}

func readHeld(ctx context.Context, q queryer, userID string) (held, error) {
	h := held{gpus: map[string]bool{}, host: map[int]bool{}, user: map[int]bool{}}
	rows, err := q.QueryContext(ctx, `SELECT 0, gpu_uuid, 0 FROM gpu_claims
		UNION ALL SELECT 1, '', slot FROM host_slots
		UNION ALL SELECT 2, '', slot FROM user_slots WHERE user_id = ?`, userID)
	if err != nil {
		return h, err
	}
	defer rows.Close()
	for rows.Next() {
		var table, slot int
		var uuid string
		if err := rows.Scan(&table, &uuid, &slot); err != nil {
			return h, err
		}
		switch table {
		case 0:
			h.gpus[uuid] = true
		case 1:
			h.host[slot] = true
		case 2:
			h.user[slot] = true
		}
	}
	return h, rows.Err()
}

func firstFree(held map[int]bool) int {
	n := 0
	for held[n] {
		n++
	}
	return n
}

// release gives back all that a session holds.
func release(ctx context.Context, q queryer, sessionID string) error {
	for _, table := range claimTables {
		if _, err := q.ExecContext(ctx, `DELETE FROM `+table+` WHERE session_id = ?`, sessionID); err != nil {
			return err
		}
	}
	return nil
}

// ReleaseClaims gives back what a session that is terminal, or has no row,
// still holds.
func (s *Sessions) ReleaseClaims(ctx context.Context, sessionID string) error {
	return s.db.write(ctx, "give back the session's GPU", func(tx *sql.Tx) error {
		row, err := sessionByID(ctx, tx, sessionID)
		if err != nil && !s.db.is(err, notThere) {
			return err
		}
		if err == nil && row.Status.Active() {
			return fault.New(fault.Conflict, "sessions/active", "session %s is %s and keeps its GPU", row.Slug, row.Status)
		}
		return release(ctx, tx, sessionID)
	})
}

// Claims returns every exclusive thing that is held.
func (s *Sessions) Claims(ctx context.Context) ([]session.ClaimRow, error) {
	var out []session.ClaimRow
	err := s.db.read(ctx, "list what sessions hold", func(q queryer) error {
		rows, err := q.QueryContext(ctx, `SELECT 'gpu', gpu_uuid, 0, session_id FROM gpu_claims
			UNION ALL SELECT 'host_slot', '', slot, session_id FROM host_slots
			UNION ALL SELECT 'user_slot', user_id, slot, session_id FROM user_slots`)
		out, err = collect(rows, err, func(r scanner) (c session.ClaimRow, err error) {
			var slot int
			err = r.Scan(&c.Kind, &c.Key, &slot, &c.SessionID)
			switch c.Kind {
			case "host_slot":
				c.Key = fmt.Sprint(slot)
			case "user_slot":
				c.Key = fmt.Sprintf("%s/%d", c.Key, slot)
			}
			return c, err
		})
		return err
	})
	return out, err
}
