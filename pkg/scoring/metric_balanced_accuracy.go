package scoring

// balancedAccuracy is the plain mean over the classes of their recall: of the
// ids that are truly of a class, the share predicted so.
//
// Source: scikit-learn's balanced_accuracy_score with adjusted=False. Higher is
// better, from 0 to 1. Classes that the holdout does not have are left out, as
// scikit-learn leaves them out.
func balancedAccuracy(p *problem) (float64, Components, error) {
	t := p.tally()
	var total sum
	classes := 0
	for k, n := range t.truth {
		if n > 0 {
			total.add(t.both[k] / n)
			classes++
		}
	}
	return total.value() / float64(classes), nil, nil
}
