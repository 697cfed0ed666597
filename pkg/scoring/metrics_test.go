package scoring

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/fault"
)

func one1(metric string, kind Type) Spec {
	return Spec{IDColumn: "id", Metric: metric, Targets: []Column{{Name: "y", Type: kind}}}
}

// TestUndefined: what has no value is an error that says so, never NaN.
func TestUndefined(t *testing.T) {
	t.Parallel()
	multi := Spec{IDColumn: "id", Metric: "roc_auc", Targets: []Column{{Name: "a", Type: Float}, {Name: "b", Type: Float}, {Name: "c", Type: Float}},
		Truth: &Column{Name: "label", Type: Category}}
	kappaSpec := Spec{IDColumn: "id", Metric: "quadratic_weighted_kappa", Targets: []Column{{Name: "y", Type: Int, Min: ptr(0), Max: ptr(3)}}}
	for _, c := range []struct {
		name    string
		spec    Spec
		holdout string
	}{
		{"AUC, ones only", one1("roc_auc", Float), "id,y\na,1\nb,1\n"},
		{"AUC, zeros only", one1("roc_auc", Float), "id,y\na,0\nb,0\n"},
		{"AUC, a class nowhere", multi, "id,label\n1,a\n2,b\n"},
		{"average precision, zeros only", one1("average_precision", Float), "id,y\na,0\nb,0\n"},
		{"kappa, one class", kappaSpec, "id,y\na,2\nb,2\n"},
		{"R2, one value", one1("r2", Float), "id,y\na,2\nb,2\n"},
		{"R2, one row", one1("r2", Float), "id,y\na,2\n"},
		{"R2, too far apart", one1("r2", Float), "id,y\na,1e300\nb,-1e300\n"},
		{"Spearman, one value", one1("spearman", Float), "id,y\na,2\nb,2\n"},
		{"dice, no pixel", mask, "id,mask\na,\nb,-1\n"},
	} {
		t.Run("holdout: "+c.name, func(t *testing.T) {
			t.Parallel()
			h, err := LoadHoldout(context.Background(), c.spec, strings.NewReader(c.holdout))
			if err != nil {
				t.Fatal(explain(err))
			}
			if _, err := NewScorer(c.spec, h); fault.CodeOf(err) != "competitions/holdout-unscorable" || !fault.Is(err, fault.Invalid) {
				t.Errorf("got %s", explain(err))
			}
		})
	}
	for _, c := range []struct {
		name, truth, file string
		spec              Spec
	}{
		{"Spearman, one prediction", "id,y\na,1\nb,2\n", "id,y\na,3\nb,3\n", one1("spearman", Float)},
		{"RMSE overflows", "id,y\na,1\nb,2\n", "id,y\na,1e200\nb,3\n", one1("rmse", Float)},
		{"RMSE overflows to NaN", "id,y\na,1\nb,2\n", "id,y\na,1e308\nb,-1e308\n", one1("rmse", Float)},
		{"R2 overflows", "id,y\na,1\nb,2\n", "id,y\na,1e200\nb,3\n", one1("r2", Float)},
		{"MAE overflows", "id,y\na,-1e308\nb,2\n", "id,y\na,1.7e308\nb,3\n", one1("mae", Float)},
	} {
		t.Run("predictions: "+c.name, func(t *testing.T) {
			t.Parallel()
			s := mustScorer(t, c.spec, c.truth)
			got, err := s.Score(context.Background(), strings.NewReader(c.file))
			f := fault.As(err)
			if f == nil || f.Kind != fault.Invalid || f.Code != CodeInvalid || len(f.Fields) != 1 || f.Fields[0].Type != string(UndefinedScore) {
				t.Errorf("got %+v, %s", got, explain(err))
			}
		})
	}
}

// TestFinite: nothing that is not finite leaves the package, should a metric
// ever fail to notice.
func TestFinite(t *testing.T) {
	t.Parallel()
	m, _ := LookupMetric("rmse")
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if s, err := newScore(m, v, nil); !fault.Is(err, fault.Internal) {
			t.Errorf("%v came out as %+v, %v", v, s, err)
		}
		if s, err := newScore(m, 1, Components{{"part", v}}); !fault.Is(err, fault.Internal) {
			t.Errorf("%v came out as %+v, %v", v, s, err)
		}
	}
}

// TestImpliedRange: a metric's own range holds although the Spec names none.
func TestImpliedRange(t *testing.T) {
	t.Parallel()
	checkMistakes(t, mustScorer(t, one1("log_loss", Float), "id,y\na,1\nb,0\n"), "id,y\na,1.01\nb,-0.1\n", []want{{OutOfRange, "row 2, column y", 2, "a b"}})
	checkMistakes(t, mustScorer(t, one1("brier", Float), "id,y\na,1\nb,0\n"), "id,y\na,1.01\nb,0\n", []want{{OutOfRange, "row 2, column y", 1, "a"}})
	checkMistakes(t, mustScorer(t, one1("rmsle", Float), "id,y\na,1\nb,0\n"), "id,y\na,-1\nb,0\n", []want{{OutOfRange, "row 2, column y", 1, "a"}})
	_, err := LoadHoldout(context.Background(), one1("rmsle", Float), strings.NewReader("id,y\na,-1\nb,0\n"))
	if fault.CodeOf(err) != codeHoldoutInvalid {
		t.Errorf("a negative holdout for rmsle: %v", err)
	}
	_, err = LoadHoldout(context.Background(), one1("roc_auc", Float), strings.NewReader("id,y\na,0.5\nb,0\n"))
	if fault.CodeOf(err) != codeHoldoutInvalid {
		t.Errorf("a truth of 0.5 for roc_auc: %v", err)
	}
}

// TestMapIoURules are the rules by hand, beside the reference's vectors.
func TestMapIoURules(t *testing.T) {
	t.Parallel()
	s := mustScorer(t, rsna, rsnaTruth)
	for _, c := range []struct {
		name, a, b string
		want       float64
		images     float64
	}{
		{"perfect", "1 0 0 10 10", "", 1, 1},
		{"nothing", "", "", 0, 1},
		{"a false alarm counts its image", "1 0 0 10 10", "0.1 1 1 2 2", 0.5, 2},
		{"IoU 0.75 is not above 0.75", "1 0 0 10 7.5", "", 7.0 / 8, 1},
		{"IoU 0.40 is above none", "1 0 0 10 4", "", 0, 1},
		{"a second box on the same is false", "1 0 0 10 10 0.9 0 0 10 10", "", 0.5, 1},
	} {
		got := mustScore(t, s, "id,PredictionString\na,"+c.a+"\nb,"+c.b+"\n")
		images, _ := got.Components.Get("images")
		if got.Primary != c.want || images != c.images {
			t.Errorf("%s: got %+v, want %v over %v", c.name, got, c.want, c.images)
		}
	}
	empty := mustScorer(t, rsna, "id,x,y,width,height,Target\na,,,,,0\nb,,,,,0\n")
	if got := mustScore(t, empty, "id,PredictionString\na,\nb,\n"); got.Primary != 0 {
		t.Errorf("nothing to average: got %v, want 0", got.Primary)
	}
}

func TestComponentsJSON(t *testing.T) {
	t.Parallel()
	in := Components{{"z", 1}, {`a "quoted"`, 0.1}, {"m", -2e-30}}
	data, err := json.Marshal(Score{Primary: 1, Components: in, Metric: "z", MetricVersion: "z-v1"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"primary_score":1,"score_components":{"z":1,"a \"quoted\"":0.1,"m":-2e-30},"metric":"z","metric_version":"z-v1"}`
	if string(data) != want {
		t.Errorf("got  %s\nwant %s", data, want)
	}
	var back Score
	if err := json.Unmarshal(data, &back); err != nil || len(back.Components) != 3 || back.Components[1] != in[1] || back.Components[2] != in[2] {
		t.Errorf("back: %+v, %v", back, err)
	}
	for _, bad := range []string{`[1]`, `{"a":"x"}`, `{"a":`, `3`} {
		if err := json.Unmarshal([]byte(bad), &back.Components); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
	if err := json.Unmarshal([]byte(`null`), &back.Components); err != nil || back.Components != nil {
		t.Errorf("null: %v, %v", back.Components, err)
	}
}

func TestMetricTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range Metrics() {
		if m.Version != m.Name+"-v1" || m.Summary == "" || m.score == nil || seen[m.Name] {
			t.Errorf("metric %+v", m)
		}
		seen[m.Name] = true
	}
	if _, ok := LookupMetric("nonsense"); ok {
		t.Error("found a metric that does not exist")
	}
}
