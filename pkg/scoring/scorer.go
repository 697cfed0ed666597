package scoring

import (
	"context"
	"io"
	"reflect"

	"github.com/medforge/medforge/pkg/fault"
)

// ScorerVersion names the reader and the rules around the metrics. It changes
// when the same file could be judged another way: a score says which it is by.
const ScorerVersion = "1.0.0"

// Scorer scores prediction files against one holdout. It holds no state of
// its own: Score may be called from any number of goroutines at once.
type Scorer struct {
	plan    *plan
	holdout *Holdout
}

// NewScorer makes a scorer. Failures: Invalid with code
// competitions/spec-invalid; competitions/holdout-mismatch when the holdout
// was read for other columns; competitions/holdout-unscorable when the metric
// has no value against it whatever is predicted.
func NewScorer(spec Spec, h *Holdout) (*Scorer, error) {
	p, err := newPlan(spec)
	if err != nil {
		return nil, err
	}
	if h.id != spec.IDColumn || !reflect.DeepEqual(h.truth, p.truth) || spec.Rows != 0 && spec.Rows != h.Rows() {
		return nil, fault.New(fault.Invalid, "competitions/holdout-mismatch",
			"The holdout was read for other columns than these rules have; load it again with them.")
	}
	if p.metric.check != nil {
		if err := p.metric.check(p.problem(h, nil)); err != nil {
			return nil, err
		}
	}
	return &Scorer{plan: p, holdout: h}, nil
}

// Metric is the metric that is scored.
func (s *Scorer) Metric() Metric { return s.plan.metric }

// Holdout is the holdout that is scored against.
func (s *Scorer) Holdout() *Holdout { return s.holdout }

// Score reads a prediction file and scores it. Failures: Invalid with
// CodeInvalid, whose Fields are every kind of mistake found; Invalid with code
// competitions/submission-too-large; Unavailable or Timeout when the file
// cannot be read to its end or ctx is over, and then trying again may help.
func (s *Scorer) Score(ctx context.Context, r io.Reader) (Score, error) {
	v, _, err := s.plan.read(ctx, r, s.holdout.ids)
	if err != nil {
		return Score{}, err
	}
	primary, parts, err := s.plan.metric.score(s.plan.problem(s.holdout, v))
	if err != nil {
		return Score{}, err
	}
	return newScore(s.plan.metric, primary, parts)
}

// Check reads a prediction file without scoring it; the failures are Score's.
func (s *Scorer) Check(ctx context.Context, r io.Reader) error {
	_, _, err := s.plan.read(ctx, r, s.holdout.ids)
	return err
}
