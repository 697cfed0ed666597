package store

import (
	"context"
	"database/sql"

	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/fault"
)

const datasetColumns = `slug, title, source, license, bytes, checksum, imported_at`

func scanDataset(r scanner) (competition.Dataset, error) {
	var d competition.Dataset
	var at int64
	err := r.Scan(&d.Slug, &d.Title, &d.Source, &d.License, &d.Bytes, &d.Checksum, &at)
	d.ImportedAt = fromMicros(at)
	return d, err
}

// PutDataset adds or replaces a dataset's row.
func (s *Competitions) PutDataset(ctx context.Context, d competition.Dataset) error {
	return s.db.write(ctx, "keep the dataset", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `REPLACE INTO datasets (`+datasetColumns+`) VALUES (?,?,?,?,?,?,?)`,
			d.Slug, d.Title, d.Source, d.License, d.Bytes, d.Checksum, micros(d.ImportedAt))
		return err
	})
}

// Dataset finds one.
func (s *Competitions) Dataset(ctx context.Context, slug string) (competition.Dataset, error) {
	var d competition.Dataset
	err := s.db.read(ctx, "read the dataset", func(q queryer) (err error) {
		d, err = scanDataset(q.QueryRowContext(ctx, `SELECT `+datasetColumns+` FROM datasets WHERE slug = ?`, slug))
		if s.db.is(err, notThere) {
			return fault.New(fault.NotFound, "datasets/not-found", "there is no dataset %q; `medforge dataset list` shows them", slug)
		}
		return err
	})
	return d, err
}

// Datasets returns all, by slug.
func (s *Competitions) Datasets(ctx context.Context) ([]competition.Dataset, error) {
	var out []competition.Dataset
	err := s.db.read(ctx, "list the datasets", func(q queryer) error {
		rows, err := q.QueryContext(ctx, `SELECT `+datasetColumns+` FROM datasets ORDER BY slug`)
		out, err = collect(rows, err, scanDataset)
		return err
	})
	return out, err
}
