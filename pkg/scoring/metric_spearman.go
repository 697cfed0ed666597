package scoring

import (
	"cmp"
	"math"
	"slices"
)

// spearman is Pearson's correlation of the ranks, ties having their mean rank.
//
// Source: scipy.stats.spearmanr. Higher is better, from -1 to 1. A holdout
// whose values are all the same is refused; predictions that are all the same
// have no ranks to compare and so no score.
func spearman(p *problem) (float64, Components, error) {
	return perColumn(p, func(column string, truth, pred []float64) (float64, error) {
		x, y := ranks(truth), ranks(pred)
		middle := float64(len(x)+1) / 2
		var xy, xx, yy sum
		for i := range x {
			dx, dy := x[i]-middle, y[i]-middle
			xy.add(float64(dx * dy))
			xx.add(float64(dx * dx))
			yy.add(float64(dy * dy))
		}
		if yy.value() == 0 {
			return 0, undefined(column, "all predictions are the same, so they cannot be ranked")
		}
		r := xy.value() / (math.Sqrt(xx.value()) * math.Sqrt(yy.value()))
		return min(max(r, -1), 1), nil
	})
}

// ranks are the values' places from 1, ties sharing the mean of theirs.
func ranks(values []float64) []float64 {
	type placed struct {
		value float64
		at    int
	}
	sorted := make([]placed, len(values))
	for i, v := range values {
		sorted[i] = placed{v, i}
	}
	slices.SortFunc(sorted, func(a, b placed) int { return cmp.Compare(a.value, b.value) })
	out := make([]float64, len(values))
	for i := 0; i < len(sorted); {
		j := i
		for j < len(sorted) && sorted[j].value == sorted[i].value {
			j++
		}
		for _, s := range sorted[i:j] {
			out[s.at] = float64(i+1+j) / 2
		}
		i = j
	}
	return out
}
