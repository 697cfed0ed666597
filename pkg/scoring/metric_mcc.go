package scoring

import "math"

// mcc is Matthews' correlation coefficient in Gorodkin's form for several
// classes (R_K): with n ids, c of them right, t_k true and p_k predicted of
// class k, (c n - sum t_k p_k) / sqrt((n^2 - sum p_k^2)(n^2 - sum t_k^2)).
//
// Source: scikit-learn's matthews_corrcoef; Gorodkin 2004, "Comparing two
// K-category assignments by a K-category correlation coefficient". Higher is
// better, from -1 to 1; 0 is chance. Where the holdout or the predictions have
// one class only, the denominator is 0 and the value is 0, as scikit-learn's.
func mcc(p *problem) (float64, Components, error) {
	t := p.tally()
	n := float64(p.n)
	var right, cross, truth2, pred2 float64 // whole numbers, exact to 2^53
	for k := range t.truth {
		right += t.both[k]
		cross += float64(t.truth[k] * t.pred[k])
		truth2 += float64(t.truth[k] * t.truth[k])
		pred2 += float64(t.pred[k] * t.pred[k])
	}
	truthVar, predVar := float64(n*n)-truth2, float64(n*n)-pred2
	if truthVar == 0 || predVar == 0 {
		return 0, nil, nil
	}
	return (float64(right*n) - cross) / (math.Sqrt(truthVar) * math.Sqrt(predVar)), nil, nil
}
