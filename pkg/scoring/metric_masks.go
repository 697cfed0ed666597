package scoring

// What an image is worth where neither truth nor prediction marks a pixel.
const (
	emptyOne  = "one"  // the prediction is right: 1
	emptySkip = "skip" // it is left out of the mean
)

// dice is the mean over the images of 2 |A and B| / (|A| + |B|), pixels counted.
//
// Source: the evaluation pages of Kaggle's Carvana and SIIM-ACR competitions;
// per image it is scikit-learn's f1_score over pixels. Higher is better, from
// 0 to 1. An image without a true pixel scores 0 if any is predicted, and 1 if
// none is (Kaggle's rule); options.empty_masks: skip leaves the latter out, and
// then the score is 0 if nothing remains.
func dice(p *problem) (float64, Components, error) {
	return overMasks(p, func(both, truth, pred int64) float64 { return 2 * float64(both) / float64(truth+pred) })
}

// iou is the mean over the images of |A and B| / |A or B|, the Jaccard index.
//
// Source: per image it is scikit-learn's jaccard_score over pixels. Empty masks
// are dealt with as in dice. Higher is better, from 0 to 1.
func iou(p *problem) (float64, Components, error) {
	return overMasks(p, func(both, truth, pred int64) float64 { return float64(both) / float64(truth+pred-both) })
}

func overMasks(p *problem, value func(both, truth, pred int64) float64) (float64, Components, error) {
	var total sum
	images := 0
	for i := range p.n {
		a, b := p.truth.masks.of(i), p.pred.masks.of(i)
		if len(a)+len(b) == 0 {
			if p.options.EmptyMasks == emptySkip {
				continue
			}
			total.add(1)
		} else {
			total.add(value(shared(a, b), area(a), area(b)))
		}
		images++
	}
	parts := Components{{"images", float64(images)}}
	if images == 0 {
		return 0, parts, nil
	}
	return total.value() / float64(images), parts, nil
}

func area(runs []run) (n int64) {
	for _, r := range runs {
		n += int64(r.end - r.start)
	}
	return n
}

// shared counts the pixels that two masks have in common; both are in rising
// order, so one walk over them is enough.
func shared(a, b []run) (n int64) {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		from, to := max(a[i].start, b[j].start), min(a[i].end, b[j].end)
		if from < to {
			n += int64(to - from)
		}
		if a[i].end < b[j].end {
			i++
		} else {
			j++
		}
	}
	return n
}

// masksCheck refuses a holdout with nothing to find.
func masksCheck(p *problem) error {
	if len(p.truth.masks.runs) == 0 {
		return unscorable("none of its masks has a pixel")
	}
	return nil
}
