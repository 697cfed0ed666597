package scoring

import "math"

// Metrics of numbers. With several target columns each is scored by itself and
// the score is their mean (scikit-learn's multioutput='uniform_average', and
// Kaggle's MCRMSE for rmse). Predictions so large that a square overflows have
// no score.

// rmse is the root of the mean squared error.
// Source: scikit-learn's mean_squared_error with squared=False. Lower is
// better, from 0, in the target's unit. Defined for every holdout.
func rmse(p *problem) (float64, Components, error) {
	return perColumn(p, func(column string, truth, pred []float64) (float64, error) {
		s, err := squares(column, truth, pred, same)
		return math.Sqrt(s / float64(len(truth))), err
	})
}

// rmsle is rmse of log(1+x).
// Source: scikit-learn's mean_squared_log_error, rooted. Lower is better, from
// 0. Predictions and holdout must not be negative; the reader sees to it.
func rmsle(p *problem) (float64, Components, error) {
	return perColumn(p, func(column string, truth, pred []float64) (float64, error) {
		s, err := squares(column, truth, pred, math.Log1p)
		return math.Sqrt(s / float64(len(truth))), err
	})
}

// mae is the mean absolute error.
// Source: scikit-learn's mean_absolute_error. Lower is better, from 0, in the
// target's unit. Defined for every holdout.
func mae(p *problem) (float64, Components, error) {
	return perColumn(p, func(column string, truth, pred []float64) (float64, error) {
		var total sum
		for i, y := range truth {
			total.add(math.Abs(pred[i] - y))
		}
		return finite(column, total.value()/float64(len(truth)))
	})
}

// r2 is 1 - sum (y-p)^2 / sum (y-mean(y))^2, the share of variance explained.
// Source: scikit-learn's r2_score. Higher is better; 1 is exact, 0 is always
// saying the mean, and there is no lower end. A holdout whose values are all
// the same is refused (scikit-learn would answer 0 or 1 by a rule of its own).
func r2(p *problem) (float64, Components, error) {
	return perColumn(p, func(column string, truth, pred []float64) (float64, error) {
		left, err := squares(column, truth, pred, same)
		if err != nil {
			return 0, err
		}
		mean := mean(truth)
		var total sum
		for _, y := range truth {
			total.add(float64((y - mean) * (y - mean)))
		}
		return finite(column, 1-left/total.value())
	})
}

// squares is the sum of squared differences after f.
func squares(column string, truth, pred []float64, f func(float64) float64) (float64, error) {
	var total sum
	for i, y := range truth {
		d := f(pred[i]) - f(y)
		total.add(float64(d * d))
	}
	return finite(column, total.value())
}

func same(v float64) float64 { return v }

func mean(v []float64) float64 {
	var total sum
	for _, x := range v {
		total.add(x)
	}
	return total.value() / float64(len(v))
}

// finite refuses what overflowed.
func finite(column string, v float64) (float64, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, undefined(column, "the numbers are so large that the error overflows")
	}
	return v, nil
}

// numbersVary refuses a holdout that has a column of one value only, or whose
// spread is not a float64.
func numbersVary(p *problem) error {
	for i, column := range p.truth.numbers {
		low, high := column[0], column[0]
		for _, v := range column {
			low, high = min(low, v), max(high, v)
		}
		m := mean(column)
		spread := math.Max(high-m, m-low)
		if low == high || spread*spread == 0 || math.IsInf(spread*spread*float64(len(column)), 0) {
			return unscorable("the values of column %s are all the same, or too far apart for a float64", p.targets[i])
		}
	}
	return nil
}
