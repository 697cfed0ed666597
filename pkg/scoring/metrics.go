package scoring

import (
	"fmt"
	"math"
	"slices"

	"github.com/medforge/medforge/pkg/fault"
)

// Metric is one way to score predictions. Each has a file of its own that
// gives its definition, source and edge cases.
type Metric struct {
	Name string `json:"name"`
	// Version changes when the same file could get another score.
	Version        string `json:"version"`
	HigherIsBetter bool   `json:"higher_is_better"`
	Needs          Needs  `json:"needs"`
	Summary        string `json:"summary"` // one line for people

	// low and high bound the predictions beyond what the Spec says; truthLow
	// bounds the holdout.
	low, high, truthLow *float64
	// check says whether the holdout can be scored at all; nil: always.
	check func(*problem) error
	// score computes the metric and what stands beside it.
	score func(*problem) (float64, Components, error)
}

// Needs is what a metric compares.
type Needs string

// What metrics compare.
const (
	NeedsClasses       Needs = "one column of labels: a category, or an int with min and max"
	NeedsProbability   Needs = "one int or float column, scored against 0 or 1"
	NeedsProbabilities Needs = "one int or float column scored against 0 or 1, or one a class"
	NeedsNumbers       Needs = "int or float columns; with several, the score is the mean over them"
	NeedsMasks         Needs = "one rle column"
	NeedsBoxes         Needs = "one boxes column"
)

func (n Needs) takes(t Type) bool {
	switch n {
	case NeedsClasses:
		return t == Int || t == Category
	case NeedsProbability, NeedsProbabilities, NeedsNumbers:
		return t == Int || t == Float
	case NeedsMasks:
		return t == RLE
	case NeedsBoxes:
		return t == Boxes
	}
	return false
}

// problem is a holdout and predictions for every one of its ids, in its order.
type problem struct {
	metric      string
	n           int // ids
	truth, pred *values
	classes     int // how many classes labels have
	options     Options
	targets     []string // the target columns' names
}

var zero, one = 0.0, 1.0

// table is every metric, in the order they are listed. It is never written.
var table = []Metric{
	{Name: "accuracy", Version: "accuracy-v1", HigherIsBetter: true, Needs: NeedsClasses,
		Summary: "share of labels that are right", score: accuracy},
	{Name: "balanced_accuracy", Version: "balanced_accuracy-v1", HigherIsBetter: true, Needs: NeedsClasses,
		Summary: "mean over the classes of the share of each that is found", score: balancedAccuracy},
	{Name: "f1_macro", Version: "f1_macro-v1", HigherIsBetter: true, Needs: NeedsClasses,
		Summary: "F1, plain mean over the classes", score: f1Macro},
	{Name: "f1_micro", Version: "f1_micro-v1", HigherIsBetter: true, Needs: NeedsClasses,
		Summary: "F1 over all labels together", score: f1Micro},
	{Name: "f1_weighted", Version: "f1_weighted-v1", HigherIsBetter: true, Needs: NeedsClasses,
		Summary: "F1, mean over the classes by how frequent each is", score: f1Weighted},
	{Name: "mcc", Version: "mcc-v1", HigherIsBetter: true, Needs: NeedsClasses,
		Summary: "Matthews correlation coefficient", score: mcc},
	{Name: "quadratic_weighted_kappa", Version: "quadratic_weighted_kappa-v1", HigherIsBetter: true, Needs: NeedsClasses,
		Summary: "Cohen's kappa with quadratic weights", check: kappaCheck, score: kappa},
	{Name: "roc_auc", Version: "roc_auc-v1", HigherIsBetter: true, Needs: NeedsProbabilities,
		Summary: "area under the ROC curve", check: bothClasses, score: rocAUC},
	{Name: "average_precision", Version: "average_precision-v1", HigherIsBetter: true, Needs: NeedsProbability,
		Summary: "average precision", check: bothClasses, score: averagePrecision},
	{Name: "log_loss", Version: "log_loss-v1", HigherIsBetter: false, Needs: NeedsProbabilities,
		Summary: "mean negative log likelihood", low: &zero, high: &one, score: logLoss},
	{Name: "brier", Version: "brier-v1", HigherIsBetter: false, Needs: NeedsProbability,
		Summary: "mean squared error of a probability", low: &zero, high: &one, score: brier},
	{Name: "rmse", Version: "rmse-v1", HigherIsBetter: false, Needs: NeedsNumbers,
		Summary: "root of the mean squared error", score: rmse},
	{Name: "rmsle", Version: "rmsle-v1", HigherIsBetter: false, Needs: NeedsNumbers,
		Summary: "root of the mean squared error of log(1+x)", low: &zero, truthLow: &zero, score: rmsle},
	{Name: "mae", Version: "mae-v1", HigherIsBetter: false, Needs: NeedsNumbers,
		Summary: "mean absolute error", score: mae},
	{Name: "r2", Version: "r2-v1", HigherIsBetter: true, Needs: NeedsNumbers,
		Summary: "coefficient of determination", check: numbersVary, score: r2},
	{Name: "spearman", Version: "spearman-v1", HigherIsBetter: true, Needs: NeedsNumbers,
		Summary: "Spearman's rank correlation", check: numbersVary, score: spearman},
	{Name: "dice", Version: "dice-v1", HigherIsBetter: true, Needs: NeedsMasks,
		Summary: "mean over the images of the masks' Dice coefficient", check: masksCheck, score: dice},
	{Name: "iou", Version: "iou-v1", HigherIsBetter: true, Needs: NeedsMasks,
		Summary: "mean over the images of the masks' intersection over union", check: masksCheck, score: iou},
	{Name: "map_iou", Version: "map_iou-v1", HigherIsBetter: true, Needs: NeedsBoxes,
		Summary: "mean precision of boxes over IoU thresholds 0.40 to 0.75", score: mapIoU},
}

// Metrics lists every metric.
func Metrics() []Metric { return slices.Clone(table) }

// LookupMetric finds a metric by its name.
func LookupMetric(name string) (Metric, bool) {
	for _, m := range table {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}

func metricNames() []string {
	names := make([]string, len(table))
	for i, m := range table {
		names[i] = m.Name
	}
	return names
}

// undefined is the error of predictions that are in order and still have no
// score.
func undefined(column, format string, args ...any) error {
	msg := fmt.Sprintf(format, args...)
	return fault.New(fault.Invalid, CodeInvalid, "These predictions have no score: %s", msg).With(
		fault.Field{Loc: "column " + column, Type: string(UndefinedScore), Msg: msg, Ctx: map[string]any{"column": column}})
}

// unscorable is the error of a holdout that this metric cannot score against.
func unscorable(format string, args ...any) error {
	return fault.New(fault.Invalid, "competitions/holdout-unscorable", "This holdout cannot be scored: %s", fmt.Sprintf(format, args...))
}

// perColumn scores each target by itself and takes the mean, as scikit-learn's
// multioutput='uniform_average' does.
func perColumn(p *problem, metric func(column string, truth, pred []float64) (float64, error)) (float64, Components, error) {
	var parts Components
	total := 0.0
	for i, name := range p.targets {
		v, err := metric(name, p.truth.numbers[i], p.pred.numbers[i])
		if err != nil {
			return 0, nil, err
		}
		total += v
		if len(p.targets) > 1 {
			parts = append(parts, Component{p.metric + "(" + name + ")", v})
		}
	}
	return total / float64(len(p.targets)), parts, nil
}

// sum adds with Neumaier's correction (Neumaier 1974, "Rundungsfehleranalyse
// einiger Verfahren zur Summation endlicher Summen"), so that a mean over a
// million rows is right to the last digits.
type sum struct{ total, lost float64 }

func (s *sum) add(v float64) {
	t := s.total + v
	if math.Abs(s.total) >= math.Abs(v) {
		s.lost += (s.total - t) + v
	} else {
		s.lost += (v - t) + s.total
	}
	s.total = t
}

func (s *sum) value() float64 { return s.total + s.lost }
