package store

import (
	"context"
	"database/sql"

	"github.com/medforge/medforge/pkg/session"
)

// GPUStates returns what was decided about devices, by UUID.
func (s *Sessions) GPUStates(ctx context.Context) (map[string]session.GPUState, error) {
	out := map[string]session.GPUState{}
	err := s.db.read(ctx, "read the GPUs' states", func(q queryer) error {
		rows, err := q.QueryContext(ctx, `SELECT gpu_uuid, disabled, reason, changed_at FROM gpu_states`)
		states, err := collect(rows, err, func(r scanner) (g session.GPUState, err error) {
			var at int64
			err = r.Scan(&g.UUID, &g.Disabled, &g.Reason, &at)
			g.At = fromMicros(at)
			return g, err
		})
		clear(out)
		for _, g := range states {
			out[g.UUID] = g
		}
		return err
	})
	return out, err
}

// SetGPUState records a decision.
func (s *Sessions) SetGPUState(ctx context.Context, g session.GPUState) error {
	return s.db.write(ctx, "record the GPU's state", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `REPLACE INTO gpu_states (gpu_uuid, disabled, reason, changed_at) VALUES (?, ?, ?, ?)`,
			g.UUID, bit(g.Disabled), clip(g.Reason), micros(g.At))
		return err
	})
}

// Setting returns a small host-wide value, empty when it was never set.
func (s *Sessions) Setting(ctx context.Context, key string) (string, error) {
	var value string
	err := s.db.read(ctx, "read the setting "+key, func(q queryer) error {
		value = ""
		err := q.QueryRowContext(ctx, `SELECT value FROM settings WHERE name = ?`, key).Scan(&value)
		if s.db.is(err, notThere) {
			return nil
		}
		return err
	})
	return value, err
}

// SetSetting keeps one.
func (s *Sessions) SetSetting(ctx context.Context, key, value string) error {
	return s.db.write(ctx, "keep the setting "+key, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `REPLACE INTO settings (name, value) VALUES (?, ?)`, key, value)
		return err
	})
}

// Ping says whether the database answers.
func (s *Sessions) Ping(ctx context.Context) error { return s.db.Ping(ctx) }
