package scoring

// rocAUC is the area under the ROC curve: the chance that an id whose truth is
// 1 has a higher score than one whose truth is 0, a tie counting half (the
// Mann-Whitney U statistic, in whole numbers, so ties are exact).
//
// With one column a class it is the mean over the classes of each against the
// rest (one-vs-rest, macro). Source: scikit-learn's roc_auc_score, for several
// classes with multi_class='ovr', average='macro'; unlike there, a row's scores
// need not add up to 1, since only their order counts. Higher is better, from
// 0 to 1; 0.5 is chance. A holdout in which a class is everywhere or nowhere is
// refused, since the area is not defined for it.
func rocAUC(p *problem) (float64, Components, error) {
	if len(p.pred.numbers) == 1 {
		return auc(rankings(p.truth.labels, 1, p.pred.numbers[0])), nil, nil
	}
	total := 0.0
	for k, scores := range p.pred.numbers {
		total += auc(rankings(p.truth.labels, int32(k), scores))
	}
	return total / float64(len(p.pred.numbers)), nil, nil
}

// auc takes the sorted keys of both sides.
func auc(positive, negative []uint64) float64 {
	var twice uint64 // pairs in order twice, tied pairs once
	below := 0       // negatives below this score
	for i := 0; i < len(positive); {
		score := positive[i]
		for below < len(negative) && negative[below] < score {
			below++
		}
		tied := below
		for tied < len(negative) && negative[tied] == score {
			tied++
		}
		same := i
		for i < len(positive) && positive[i] == score {
			i++
		}
		twice += uint64(i-same) * uint64(below+tied)
		below = tied
	}
	return float64(twice) / (2 * float64(len(positive)) * float64(len(negative)))
}

// bothClasses refuses a holdout in which a scored class is everywhere or
// nowhere.
func bothClasses(p *problem) error {
	counts := make([]int, p.classes)
	for _, label := range p.truth.labels {
		counts[label]++
	}
	for _, n := range counts {
		if n == 0 || n == p.n {
			return unscorable("each class must occur and none may be the only one; one of its %d classes does not", p.classes)
		}
	}
	return nil
}
