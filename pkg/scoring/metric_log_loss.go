package scoring

import "math"

// logLoss is the mean of -log(p), p being the probability given to what is
// true. Probabilities are clipped to [eps, 1-eps] first; with one column a
// class, each row is then divided by its sum.
//
// Source: scikit-learn's log_loss, whose eps for float64 is 2.22e-16;
// options.epsilon sets another (Kaggle used 1e-15). Lower is better, from 0;
// natural logarithm. A row whose probabilities do not add up to 1 is rescaled
// as there, one of zeros counts as equal chances. Defined for every holdout: a
// class that does not occur in it is one that no row is about.
func logLoss(p *problem) (float64, Components, error) {
	eps := p.options.Epsilon
	if eps == 0 {
		eps = 0x1p-52
	}
	clip := func(v float64) float64 { return min(max(v, eps), 1-eps) }
	var total sum
	columns := p.pred.numbers
	for i, label := range p.truth.labels {
		var own, all float64
		if len(columns) == 1 {
			v := clip(columns[0][i])
			own, all = v, v+(1-v)
			if label == 0 {
				own = 1 - v
			}
		} else {
			for _, c := range columns {
				all += clip(c[i])
			}
			own = clip(columns[label][i])
		}
		total.add(-math.Log(own / all))
	}
	return total.value() / float64(p.n), nil, nil
}
