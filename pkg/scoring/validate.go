package scoring

import (
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/medforge/medforge/pkg/fault"
)

// Validate reports everything that is wrong with the Spec at once: nil, or a
// *fault.Error of kind Invalid whose Fields name the Spec's own keys.
func (s Spec) Validate() error {
	var c checker
	c.name("id_column", s.IDColumn)
	if len(s.Targets) == 0 {
		c.add("targets", "empty", "there is no target column; give at least one")
	}
	seen := map[string]string{s.IDColumn: "id_column"}
	for i, col := range s.Targets {
		loc := fmt.Sprintf("targets[%d]", i)
		c.column(loc, col)
		if first, ok := seen[col.Name]; ok && col.Name != "" {
			c.add(loc+".name", "duplicate", "the name %q is already used by %s", col.Name, first)
		}
		seen[col.Name] = loc
	}
	if s.Rows < 0 || s.Rows > maxIDs {
		c.add("rows", "out_of_range", "rows is %d; it must be from 0 to %d", s.Rows, maxIDs)
	}
	c.limits(s.Limits)
	m, ok := LookupMetric(s.Metric)
	if !ok {
		c.add("metric", "unknown", "there is no metric %q; the metrics are %s", s.Metric, strings.Join(metricNames(), ", "))
	} else if len(s.Targets) > 0 {
		c.metric(m, s)
	}
	if len(c.fields) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "competitions/spec-invalid",
		"The competition's scoring rules have %d mistake(s); see each.", len(c.fields)).With(c.fields...)
}

// checker collects what is wrong with a Spec.
type checker struct{ fields []fault.Field }

func (c *checker) add(loc, word, format string, args ...any) {
	c.fields = append(c.fields, fault.Field{Loc: loc, Type: word, Msg: fmt.Sprintf(format, args...)})
}

// name checks what stands in a header: short, printable, no blanks around it.
func (c *checker) name(loc, name string) {
	switch {
	case name == "":
		c.add(loc, "empty", "a column needs a name")
	case len(name) > 200:
		c.add(loc, "too_long", "a column's name has at most 200 bytes")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		c.add(loc, "not_printable", "a column's name has printable characters only")
	case strings.TrimSpace(name) != name:
		c.add(loc, "blank", "a column's name has no blanks at its ends")
	}
}

func (c *checker) column(loc string, col Column) {
	c.name(loc+".name", col.Name)
	number := col.Type == Int || col.Type == Float
	switch col.Type {
	case Int, Float:
		c.bounds(loc, col)
	case Category:
		c.classes(loc+".classes", col.Classes)
	case RLE:
		if col.Width < 1 || col.Height < 1 || int64(col.Width) > maxPixels/int64(col.Height) {
			c.add(loc, "out_of_range", "a mask needs width and height, with at most %d pixels", maxPixels)
		}
	case Boxes:
		if col.MaxBoxes < 0 || col.MaxBoxes > 1000 {
			c.add(loc+".max_boxes", "out_of_range", "max_boxes is from 1 to 1000, or 0 for %d", defaultMaxBoxes)
		}
	default:
		c.add(loc+".type", "unknown", "there is no type %q; the types are int, float, category, rle, boxes", col.Type)
		return
	}
	c.unused(loc+".min", col.Min != nil && !number, col.Type)
	c.unused(loc+".max", col.Max != nil && !number, col.Type)
	c.unused(loc+".classes", col.Classes != nil && col.Type != Category, col.Type)
	c.unused(loc+".width", col.Width != 0 && col.Type != RLE, col.Type)
	c.unused(loc+".height", col.Height != 0 && col.Type != RLE, col.Type)
	c.unused(loc+".max_boxes", col.MaxBoxes != 0 && col.Type != Boxes, col.Type)
}

func (c *checker) unused(loc string, set bool, t Type) {
	if set {
		c.add(loc, "not_used", "a column of type %s does not take this", t)
	}
}

func (c *checker) bounds(loc string, col Column) {
	for _, b := range []struct {
		key string
		v   *float64
	}{{".min", col.Min}, {".max", col.Max}} {
		switch {
		case b.v == nil:
		case math.IsNaN(*b.v) || math.IsInf(*b.v, 0):
			c.add(loc+b.key, "not_finite", "a bound is a finite number")
		case col.Type == Int && (*b.v != math.Trunc(*b.v) || math.Abs(*b.v) > maxWhole):
			c.add(loc+b.key, "not_an_integer", "an int column's bound is a whole number within 2^53")
		}
	}
	if col.Min != nil && col.Max != nil && *col.Min > *col.Max {
		c.add(loc, "out_of_range", "min %v is above max %v", *col.Min, *col.Max)
	}
}

func (c *checker) classes(loc string, classes []string) {
	if len(classes) == 0 || len(classes) > maxClasses {
		c.add(loc, "out_of_range", "a category has from 1 to %d classes", maxClasses)
		return
	}
	seen := make(map[string]bool, len(classes))
	for i, name := range classes {
		at := fmt.Sprintf("%s[%d]", loc, i)
		if seen[name] {
			c.add(at, "duplicate", "the class %q stands there twice", name)
		}
		seen[name] = true
		if name == "" || strings.TrimSpace(name) != name || !utf8.ValidString(name) || len(name) > 200 {
			c.add(at, "unusable", "a class has 1 to 200 bytes of UTF-8 and no blanks at its ends")
		}
	}
}

func (c *checker) limits(l Limits) {
	if l.MaxBytes < 0 || l.MaxBytes > maxFileBytes {
		c.add("limits.max_bytes", "out_of_range", "max_bytes is from 0 to %d", maxFileBytes)
	}
	if l.MaxField < 0 || l.MaxField > 64<<20 {
		c.add("limits.max_field", "out_of_range", "max_field is at most 64 MiB")
	}
	if l.MaxRows < 0 || l.MaxRows > math.MaxInt32 {
		c.add("limits.max_rows", "out_of_range", "max_rows is from 0 to %d", math.MaxInt32)
	}
	if l.MaxExamples < 0 || l.MaxExamples > maxExamplesCeiling {
		c.add("limits.max_examples", "out_of_range", "max_examples is from 0 to %d", maxExamplesCeiling)
	}
}
