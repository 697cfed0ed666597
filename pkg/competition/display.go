package competition

import (
	"math"
	"strconv"
)

// display is how much of a score people see.
type display struct{ BoardOptions }

// number rounds as the competition shows scores.
func (d display) number(v float64) float64 {
	if d.Decimals == nil {
		return v
	}
	// By its decimal digits: a product with a power of ten can be off by one.
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'f', *d.Decimals, 64), 64)
	if err != nil || math.IsInf(r, 0) {
		return v
	}
	return r
}

func (d display) entry(e Entry) Entry {
	e.Primary = d.number(e.Primary)
	return e
}

// submission hides what the competition does not show of a score. Under the
// Ladder rule a submission shows what its owner's place on the board does, and
// nothing of its own: the answers to many probes then say no more than the
// board.
func (d display) submission(s Submission, standing *Entry) Submission {
	if s.Score == nil {
		return s
	}
	score := *s.Score
	score.Components = map[string]float64{}
	if d.LadderStep > 0 {
		if standing == nil || standing.SplitVersion != score.SplitVersion {
			s.Score = nil
			return s
		}
		score.Primary = d.number(standing.Primary)
	} else {
		for name, v := range s.Score.Components {
			score.Components[name] = d.number(v)
		}
		score.Primary = d.number(score.Primary)
	}
	s.Score = &score
	return s
}
