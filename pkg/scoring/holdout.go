package scoring

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// Holdout is the hidden truth of one competition, read once and kept in
// memory. It is never written after LoadHoldout, so any number of scorings may
// use it at once. It prints as its digest only, never as labels.
type Holdout struct {
	id     string // the id column's name
	truth  []Column
	ids    *ids
	values *values
	digest string
}

// LoadHoldout reads holdout.csv and checks it against the Spec. Failures:
// Invalid with code competitions/spec-invalid or competitions/holdout-invalid,
// the latter with every kind of mistake by row and column and never with the
// holdout's own text; Unavailable or Timeout when it cannot be read.
func LoadHoldout(ctx context.Context, spec Spec, r io.Reader) (*Holdout, error) {
	p, err := newPlan(spec)
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	v, found, err := p.read(ctx, io.TeeReader(r, hash), nil)
	if err != nil {
		return nil, err
	}
	return &Holdout{id: spec.IDColumn, truth: p.truth, ids: found.pack(), values: v,
		digest: hex.EncodeToString(hash.Sum(nil))}, nil
}

// SHA256 is the digest of the bytes the holdout was read from, in hexadecimal.
func (h *Holdout) SHA256() string { return h.digest }

// Rows is how many ids there are.
func (h *Holdout) Rows() int { return len(h.ids.names) }

// Format keeps the labels out of logs, whatever the verb.
func (h *Holdout) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "Holdout(%d ids, sha256 %s)", h.Rows(), h.digest)
}
