package scoring

// brier is the mean of (p - y)^2, p being the probability of 1 and y the truth,
// 0 or 1.
//
// Source: scikit-learn's brier_score_loss; Brier 1950. Lower is better, from 0
// to 1; always saying 0.5 gives 0.25. Defined for every holdout.
func brier(p *problem) (float64, Components, error) {
	var total sum
	for i, label := range p.truth.labels {
		d := p.pred.numbers[0][i] - float64(label)
		total.add(float64(d * d))
	}
	return total.value() / float64(p.n), nil, nil
}
