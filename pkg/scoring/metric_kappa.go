package scoring

import "math"

// kappa is Cohen's kappa with quadratic weights: 1 - sum w O / sum w E, where O
// counts pairs of true and predicted class, E is what chance would give with
// the same counts of each, and w is the squared distance of two classes.
//
// The distance is that of the labels themselves: whole numbers by their value,
// categories by their place in the Spec's classes. That is Kaggle's definition
// (Crowdflower, APTOS 2019), and scikit-learn's cohen_kappa_score with
// weights='quadratic' and labels=range(min, max+1); without labels,
// scikit-learn closes the gap left by a label that does not occur. Higher is
// better; 1 is full agreement, 0 is chance. A holdout of one class is refused,
// since against it 0/0 is possible; with two or more it is always defined.
func kappa(p *problem) (float64, Components, error) {
	t := p.tally()
	var observed, place, t1, t2, p1, p2 float64
	for i, label := range p.truth.labels {
		d := float64(label - p.pred.labels[i])
		observed += float64(d * d)
		place += float64(label)
	}
	middle := math.Round(place / float64(p.n)) // distances stay; the squares below get small
	for k := range t.truth {
		w := float64(k) - middle
		t1 += float64(w * t.truth[k])
		t2 += float64(w * w * t.truth[k])
		p1 += float64(w * t.pred[k])
		p2 += float64(w * w * t.pred[k])
	}
	// The sum over i and j of (i-j)^2 t_i p_j / n, multiplied out.
	n := float64(p.n)
	expected := t2 + p2 - 2*float64(t1*p1)/n
	return 1 - observed/expected, nil, nil
}

func kappaCheck(p *problem) error {
	for _, label := range p.truth.labels {
		if label != p.truth.labels[0] {
			return nil
		}
	}
	return unscorable("all its labels are the same, and kappa needs at least two classes")
}
