package scoring

// accuracy is the share of ids whose label is right.
//
// Source: scikit-learn's accuracy_score. Higher is better, from 0 to 1. It is
// defined for every holdout.
func accuracy(p *problem) (float64, Components, error) {
	right := 0
	for i, label := range p.truth.labels {
		if p.pred.labels[i] == label {
			right++
		}
	}
	return float64(right) / float64(p.n), Components{{"correct", float64(right)}, {"rows", float64(p.n)}}, nil
}

// tally counts labels by class: how often each is true, is predicted, and is
// both.
type tally struct{ truth, pred, both []float64 }

func (p *problem) tally() tally {
	t := tally{make([]float64, p.classes), make([]float64, p.classes), make([]float64, p.classes)}
	for i, label := range p.truth.labels {
		guess := p.pred.labels[i]
		t.truth[label]++
		t.pred[guess]++
		if guess == label {
			t.both[label]++
		}
	}
	return t
}
