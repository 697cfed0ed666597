package scoring

// averagePrecision is the sum over the distinct scores, from the highest, of
// precision there times the gain in recall: sum (R_n - R_n-1) P_n, without
// interpolation. Ids with the same score come in together, so their order in
// the file does not count.
//
// Source: scikit-learn's average_precision_score. Higher is better, from 0 to
// 1; guessing gives about the share of positives. A holdout without a positive
// or without a negative is refused.
func averagePrecision(p *problem) (float64, Components, error) {
	positive, negative := rankings(p.truth.labels, 1, p.pred.numbers[0])
	var total sum
	i, j := len(positive), len(negative) // what lies below the threshold
	for i > 0 {
		score := positive[i-1]
		before := i
		for i > 0 && positive[i-1] == score {
			i--
		}
		for j > 0 && negative[j-1] >= score {
			j--
		}
		tp, fp := float64(len(positive)-i), float64(len(negative)-j)
		total.add(float64(before-i) * (tp / (tp + fp)))
	}
	return total.value() / float64(len(positive)), nil, nil
}
