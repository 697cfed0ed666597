package scoring

// plan is a Spec worked out: the columns that each file has, with everything
// that the metric adds to what the Spec says.
type plan struct {
	spec    Spec
	metric  Metric
	limits  Limits
	targets []Column // of a submission
	truth   []Column // of the holdout
	classes int
}

// newPlan works a Spec out; the error is Validate's.
func newPlan(s Spec) (*plan, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	m, _ := LookupMetric(s.Metric)
	p := &plan{spec: s, metric: m, limits: s.Limits.withDefaults(s.Targets)}
	for _, c := range s.Targets {
		t := c
		t.Min = tighter(t.Min, m.truthLow, true)
		p.truth = append(p.truth, t)
		c.Min = tighter(c.Min, m.low, true)
		c.Max = tighter(c.Max, m.high, false)
		p.targets = append(p.targets, c)
	}
	switch m.Needs {
	case NeedsClasses:
		p.classes = classCount(s.Targets[0])
	case NeedsProbability, NeedsProbabilities:
		t := Column{Name: s.Targets[0].Name, Type: Int}
		if s.Truth != nil {
			t = *s.Truth
		}
		switch {
		case t.Type == Int:
			t.Min, t.Max = &zero, &one
		case t.Classes == nil:
			t.Classes = targetNames(s.Targets)
		case s.Options.Positive == t.Classes[0] && len(s.Targets) == 1:
			t.Classes = []string{t.Classes[1], t.Classes[0]} // the positive class is number 1
		}
		p.truth = []Column{t}
		p.classes = max(2, len(s.Targets))
	}
	return p, nil
}

// tighter returns the bound that allows less.
func tighter(a, b *float64, low bool) *float64 {
	if a == nil || b != nil && (low && *b > *a || !low && *b < *a) {
		return b
	}
	return a
}

func classCount(c Column) int {
	if c.Type == Category {
		return len(c.Classes)
	}
	return int(*c.Max-*c.Min) + 1
}

// labelled says whether a column's values are kept as class numbers.
func (p *plan) labelled(truth bool) bool {
	switch p.metric.Needs {
	case NeedsClasses:
		return true
	case NeedsProbability, NeedsProbabilities:
		return truth
	}
	return false
}

// problem brings a holdout and predictions together; pred is nil when only the
// holdout is looked at.
func (p *plan) problem(h *Holdout, pred *values) *problem {
	return &problem{metric: p.metric.Name, n: h.Rows(), truth: h.values, pred: pred, classes: p.classes,
		options: p.spec.Options, targets: targetNames(p.spec.Targets)}
}
