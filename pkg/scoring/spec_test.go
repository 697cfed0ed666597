package scoring

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/fault"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	num := Column{Name: "y", Type: Float}
	label := Column{Name: "y", Type: Int, Min: ptr(0), Max: ptr(3)}
	base := func(metric string, targets ...Column) Spec {
		return Spec{IDColumn: "id", Metric: metric, Targets: targets}
	}
	with := func(s Spec, change func(*Spec)) Spec { change(&s); return s }
	two := &Column{Name: "t", Type: Category, Classes: []string{"no", "yes"}}
	for _, c := range []struct {
		name string
		spec Spec
		want string // the Fields' locs, joined by blanks; "" is fine
	}{
		{"labels", base("accuracy", label), ""},
		{"numbers", base("rmse", num, Column{Name: "z", Type: Int}), ""},
		{"binary", base("roc_auc", num), ""},
		{"binary of words", with(base("roc_auc", num), func(s *Spec) { s.Truth, s.Options.Positive = two, "yes" }), ""},
		{"several classes", with(base("log_loss", num, Column{Name: "z", Type: Float}), func(s *Spec) { s.Truth = &Column{Name: "t", Type: Category} }), ""},
		{"masks", mask, ""},
		{"boxes", rsna, ""},

		{"nothing", Spec{}, "id_column targets metric"},
		{"no such metric", base("vibes", num), "metric"},
		{"no such type", base("rmse", Column{Name: "y", Type: "text"}), "targets[0].type targets[0].type"},
		{"a name twice", base("rmse", num, num, Column{Name: "id", Type: Float}), "targets[1].name targets[2].name"},
		{"bad names", base("rmse", Column{Name: " y", Type: Float}, Column{Name: "\x1b", Type: Float}, Column{Name: strings.Repeat("n", 201), Type: Float}),
			"targets[0].name targets[1].name targets[2].name"},
		{"min above max", base("rmse", Column{Name: "y", Type: Float, Min: ptr(2), Max: ptr(1)}), "targets[0]"},
		{"bounds not finite", base("rmse", Column{Name: "y", Type: Float, Min: ptr(math.NaN()), Max: ptr(math.Inf(1))}), "targets[0].min targets[0].max"},
		{"fraction for an int", base("rmse", Column{Name: "y", Type: Int, Min: ptr(0.5)}), "targets[0].min"},
		{"labels without range", base("accuracy", Column{Name: "y", Type: Int}), "targets[0]"},
		{"labels without end", base("accuracy", Column{Name: "y", Type: Int, Min: ptr(0), Max: ptr(1e9)}), "targets[0]"},
		{"float labels", base("accuracy", num), "targets[0].type"},
		{"no classes", base("accuracy", Column{Name: "y", Type: Category}), "targets[0].classes"},
		{"bad classes", base("accuracy", Column{Name: "y", Type: Category, Classes: []string{"a", "a", "", " b"}}), "targets[0].classes[1] targets[0].classes[2] targets[0].classes[3]"},
		{"what does not belong", base("rmse", Column{Name: "y", Type: Float, Classes: []string{"a"}, Width: 1, Height: 1, MaxBoxes: 3}),
			"targets[0].classes targets[0].width targets[0].height targets[0].max_boxes"},
		{"mask without size", base("dice", Column{Name: "m", Type: RLE, Width: 4}), "targets[0]"},
		{"mask too large", base("dice", Column{Name: "m", Type: RLE, Width: 1 << 20, Height: 1 << 20}), "targets[0]"},
		{"min of a mask", base("dice", Column{Name: "m", Type: RLE, Width: 4, Height: 4, Min: ptr(0)}), "targets[0].min"},
		{"too many boxes", base("map_iou", Column{Name: "b", Type: Boxes, MaxBoxes: 1 << 20}), "targets[0].max_boxes"},
		{"two columns of labels", base("accuracy", label, Column{Name: "z", Type: Int, Min: ptr(0), Max: ptr(1)}), "targets"},
		{"truth for labels", with(base("accuracy", label), func(s *Spec) { s.Truth = two }), "truth options.positive"},
		{"several classes, no truth", base("roc_auc", num, Column{Name: "z", Type: Float}), "truth"},
		{"several classes, truth a number", with(base("roc_auc", num, Column{Name: "z", Type: Float}), func(s *Spec) { s.Truth = &Column{Name: "t", Type: Int} }), "truth.type"},
		{"several classes, others in truth", with(base("roc_auc", num, Column{Name: "z", Type: Float}), func(s *Spec) { s.Truth = two }), "truth.classes"},
		{"binary, no positive", with(base("roc_auc", num), func(s *Spec) { s.Truth = two }), "options.positive"},
		{"binary, three classes", with(base("roc_auc", num), func(s *Spec) {
			s.Truth, s.Options.Positive = &Column{Name: "t", Type: Category, Classes: []string{"a", "b", "c"}}, "a"
		}), "truth.classes"},
		{"binary, truth 0 to 5", with(base("roc_auc", num), func(s *Spec) { s.Truth = &Column{Name: "t", Type: Int, Max: ptr(5)} }), "truth"},
		{"binary, float truth", with(base("roc_auc", num), func(s *Spec) { s.Truth = &Column{Name: "t", Type: Float} }), "truth.type"},
		{"truth named as the id", with(base("roc_auc", num), func(s *Spec) { s.Truth = &Column{Name: "id", Type: Int} }), "truth.name"},
		{"options of others", with(base("rmse", num), func(s *Spec) { s.Options = Options{"x", 0.1, "one"} }), "options.positive options.epsilon options.empty_masks"},
		{"bad epsilon", with(base("log_loss", num), func(s *Spec) { s.Options.Epsilon = 0.5 }), "options.epsilon"},
		{"bad empty_masks", with(mask, func(s *Spec) { s.Options.EmptyMasks = "maybe" }), "options.empty_masks"},
		{"bad limits", with(base("rmse", num), func(s *Spec) { s.Rows, s.Limits = -1, Limits{-1, -1, -1, 1000} }),
			"rows limits.max_bytes limits.max_field limits.max_rows limits.max_examples"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := c.spec.Validate()
			var locs []string
			if f := fault.As(err); f != nil {
				if f.Kind != fault.Invalid || f.Code != "competitions/spec-invalid" {
					t.Errorf("got %s", explain(err))
				}
				for _, x := range f.Fields {
					locs = append(locs, x.Loc)
				}
			}
			if got := strings.Join(locs, " "); got != c.want || err != nil && c.want == "" {
				t.Errorf("got %q, want %q\n%s", got, c.want, explain(err))
			}
			if err != nil {
				if _, err := LoadHoldout(context.Background(), c.spec, strings.NewReader("")); fault.CodeOf(err) != "competitions/spec-invalid" {
					t.Errorf("LoadHoldout: %v", err)
				}
				if _, err := NewScorer(c.spec, nil); fault.CodeOf(err) != "competitions/spec-invalid" {
					t.Errorf("NewScorer: %v", err)
				}
			}
		})
	}
}

// TestMismatch: a holdout is only scored by the rules it was read for.
func TestMismatch(t *testing.T) {
	t.Parallel()
	h, err := LoadHoldout(context.Background(), survival, strings.NewReader(survivalTruth))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Spec){
		"id column": func(s *Spec) { s.IDColumn = "ID" },
		"name":      func(s *Spec) { s.Targets[0].Name = "dead" },
		"range":     func(s *Spec) { s.Targets[0].Max = ptr(2) },
		"rows":      func(s *Spec) { s.Rows = 4 },
	} {
		s := survival
		s.Targets = slices.Clone(s.Targets)
		change(&s)
		if _, err := NewScorer(s, h); fault.CodeOf(err) != "competitions/holdout-mismatch" {
			t.Errorf("another %s: %v", name, err)
		}
	}
	other := survival
	other.Metric = "f1_macro"
	if _, err := NewScorer(other, h); err != nil {
		t.Errorf("another metric over the same columns: %v", err)
	}
}

// TestSpecJSON: a Spec survives JSON, and leaves out what is not set.
func TestSpecJSON(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(survival)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"id_column":"id","targets":[{"name":"alive","type":"int","min":0,"max":1}],"rows":3,"metric":"accuracy"}`
	if string(data) != want {
		t.Errorf("got %s", data)
	}
}
