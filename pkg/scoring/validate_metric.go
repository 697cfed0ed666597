package scoring

import (
	"fmt"
	"slices"
)

// metric checks that the columns and options are ones the metric works on.
func (c *checker) metric(m Metric, s Spec) {
	if s.Truth != nil && m.Needs != NeedsProbability && m.Needs != NeedsProbabilities {
		c.add("truth", "not_used", "%s compares the targets with themselves; leave truth out", m.Name)
	}
	if m.Needs != NeedsNumbers && m.Needs != NeedsProbabilities && len(s.Targets) > 1 {
		c.add("targets", "too_many", "%s takes one target column, there are %d", m.Name, len(s.Targets))
		return
	}
	for i, col := range s.Targets {
		loc := fmt.Sprintf("targets[%d]", i)
		if !m.Needs.takes(col.Type) {
			c.add(loc+".type", "wrong_type", "%s takes %s", m.Name, m.Needs)
			return
		}
		if m.Needs == NeedsClasses {
			c.labels(loc, col)
		}
	}
	if m.Needs == NeedsProbability || m.Needs == NeedsProbabilities {
		c.truth(m, s)
	}
	c.options(m, s)
}

// labels checks that a label column has a bounded set of classes.
func (c *checker) labels(loc string, col Column) {
	if col.Type != Int {
		return
	}
	if col.Min == nil || col.Max == nil {
		c.add(loc, "empty", "a column of whole-number labels needs min and max")
	} else if *col.Max-*col.Min >= maxClasses {
		c.add(loc, "out_of_range", "there are at most %d classes between min and max", maxClasses)
	}
}

// truth checks the label that probabilities are about.
func (c *checker) truth(m Metric, s Spec) {
	if s.Truth == nil {
		if len(s.Targets) > 1 {
			c.add("truth", "empty", "with one probability a class, truth names the holdout's label column")
		}
		return
	}
	t := *s.Truth
	many := len(s.Targets) > 1
	if many && t.Type == Category && t.Classes == nil {
		t.Classes = targetNames(s.Targets)
	}
	c.column("truth", t)
	if t.Name == s.IDColumn {
		c.add("truth.name", "duplicate", "the name %q is already used by id_column", t.Name)
	}
	switch {
	case many && t.Type != Category:
		c.add("truth.type", "wrong_type", "with one probability a class, truth is a category whose classes are the targets' names")
	case many:
		if !slices.Equal(t.Classes, targetNames(s.Targets)) {
			c.add("truth.classes", "mismatch", "truth's classes are the targets' names in the same order; they can be left out")
		}
	case t.Type == Category:
		if len(t.Classes) != 2 {
			c.add("truth.classes", "out_of_range", "a single probability is about one of two classes; there are %d", len(t.Classes))
		}
	case t.Type == Int:
		if t.Min != nil && *t.Min != 0 || t.Max != nil && *t.Max != 1 {
			c.add("truth", "out_of_range", "a single probability is about 0 or 1; leave min and max out")
		}
	default:
		c.add("truth.type", "wrong_type", "%s takes a truth of type int (0 or 1) or category", m.Name)
	}
}

// options checks that each option set is one the metric takes.
func (c *checker) options(m Metric, s Spec) {
	o := s.Options
	twoClasses := s.Truth != nil && s.Truth.Type == Category && len(s.Targets) == 1
	switch {
	case o.Positive != "" && !twoClasses:
		c.add("options.positive", "not_used", "positive goes with one probability and a truth of two classes")
	case twoClasses && !slices.Contains(s.Truth.Classes, o.Positive):
		c.add("options.positive", "unknown", "positive is %q; it must be one of truth's classes", o.Positive)
	}
	if o.Epsilon != 0 && m.Name != "log_loss" {
		c.add("options.epsilon", "not_used", "%s does not take this", m.Name)
	} else if o.Epsilon < 0 || o.Epsilon >= 0.5 || o.Epsilon != o.Epsilon {
		c.add("options.epsilon", "out_of_range", "epsilon is from 0 to below 0.5")
	}
	if o.EmptyMasks != "" && m.Needs != NeedsMasks {
		c.add("options.empty_masks", "not_used", "%s does not take this", m.Name)
	} else if o.EmptyMasks != "" && o.EmptyMasks != emptyOne && o.EmptyMasks != emptySkip {
		c.add("options.empty_masks", "unknown", "empty_masks is %q or %q", emptyOne, emptySkip)
	}
}

func targetNames(targets []Column) []string {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.Name
	}
	return names
}
