package scoring

// F1 of a class is 2 TP / (2 TP + FP + FN): the harmonic mean of precision and
// recall.
//
// Source: scikit-learn's f1_score with average='macro', 'micro', 'weighted' and
// zero_division=0. Higher is better, from 0 to 1. A class that is neither in
// the holdout nor predicted does not count; one that is only predicted, or
// only in the holdout, counts with an F1 of 0.

// f1Macro is the plain mean over the classes.
func f1Macro(p *problem) (float64, Components, error) {
	t := p.tally()
	var total sum
	classes := 0
	for k := range t.truth {
		if t.truth[k]+t.pred[k] > 0 {
			total.add(t.f1(k))
			classes++
		}
	}
	return total.value() / float64(classes), nil, nil
}

// f1Weighted is the mean over the classes, each weighted by how many ids truly
// have it.
func f1Weighted(p *problem) (float64, Components, error) {
	t := p.tally()
	var total sum
	for k, n := range t.truth {
		if n > 0 {
			total.add(float64(t.f1(k) * n))
		}
	}
	return total.value() / float64(p.n), nil, nil
}

// f1Micro counts all classes together. Each id has one label and one
// prediction, so a wrong one is a false positive of one class and a false
// negative of another, and the value equals accuracy.
func f1Micro(p *problem) (float64, Components, error) {
	t := p.tally()
	both := 0.0
	for _, n := range t.both {
		both += n
	}
	return 2 * both / float64(2*p.n), nil, nil
}

// f1 is one class's F1; truth[k]+pred[k], which is 2TP+FP+FN, is above 0.
func (t tally) f1(k int) float64 { return 2 * t.both[k] / (t.truth[k] + t.pred[k]) }
