package scoring

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// golden is what testdata/golden/make.py writes.
type golden struct {
	MadeBy string `json:"made_by"`
	Cases  []struct {
		Name        string  `json:"name"`
		Spec        Spec    `json:"spec"`
		Holdout     string  `json:"holdout"`
		Predictions string  `json:"predictions"`
		Want        float64 `json:"want"`
	} `json:"cases"`
	Files map[string]string `json:"files"`
}

// tolerance is relative to the value, or absolute below 1: the references add
// up in another order than we do.
const tolerance = 1e-12

func loadGolden(t *testing.T) golden {
	t.Helper()
	data, err := os.ReadFile("testdata/golden/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&g); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGolden(t *testing.T) {
	t.Parallel()
	g := loadGolden(t)
	seen := map[string]bool{}
	for _, c := range g.Cases {
		seen[c.Spec.Metric] = true
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			s := mustScorer(t, c.Spec, g.Files[c.Holdout])
			text := g.Files[c.Predictions]
			got := mustScore(t, s, text)
			if diff := math.Abs(got.Primary - c.Want); diff > tolerance*max(1, math.Abs(c.Want)) {
				t.Fatalf("got %.17g, the reference has %.17g, apart by %g", got.Primary, c.Want, diff)
			}
			if v, ok := got.Components.Get(c.Spec.Metric); !ok || v != got.Primary || got.Components[0].Name != c.Spec.Metric {
				t.Errorf("the first component is not the score: %v", got.Components)
			}
			if got.Metric != c.Spec.Metric || got.MetricVersion == "" {
				t.Errorf("the score does not name its metric: %+v", got)
			}
			// How the file is written does not change a digit.
			for name, other := range rewritten(text) {
				if again := mustScore(t, s, other); again.Primary != got.Primary {
					t.Errorf("%s: got %.17g, before %.17g", name, again.Primary, got.Primary)
				}
			}
		})
	}
	for _, m := range Metrics() {
		if !seen[m.Name] {
			t.Errorf("no golden case for %s", m.Name)
		}
	}
}

// rewritten gives the same predictions in other writings. Rows of one id keep
// their order, since equal boxes count by it.
func rewritten(text string) map[string]string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	head, rows := lines[0], lines[1:]
	byID := map[string][]string{}
	var order []string
	for _, r := range rows {
		id := strings.Split(r, ",")[0]
		if byID[id] == nil {
			order = append(order, id)
		}
		byID[id] = append(byID[id], r)
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	var mixed []string
	if strings.HasPrefix(head, "id,") {
		for _, id := range order {
			mixed = append(mixed, byID[id]...)
		}
	} else {
		mixed = append(mixed, rows...)
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	}
	return map[string]string{
		"other row order":      head + "\n" + strings.Join(mixed, "\n") + "\n",
		"CRLF":                 strings.ReplaceAll(text, "\n", "\r\n"),
		"byte order mark":      "\ufeff" + text,
		"no last line end":     strings.TrimSuffix(text, "\n"),
		"empty lines":          strings.ReplaceAll(text, "\n", "\n\n"),
		"quoted header, CRLF":  `"` + strings.ReplaceAll(head, ",", `","`) + "\"\r\n" + strings.Join(rows, "\r\n"),
		"other order and CRLF": head + "\r\n" + strings.Join(mixed, "\r\n"),
	}
}

func mustScorer(t testing.TB, spec Spec, holdout string) *Scorer {
	t.Helper()
	h, err := LoadHoldout(context.Background(), spec, strings.NewReader(holdout))
	if err != nil {
		t.Fatalf("holdout: %v", explain(err))
	}
	s, err := NewScorer(spec, h)
	if err != nil {
		t.Fatalf("scorer: %v", explain(err))
	}
	return s
}

func mustScore(t testing.TB, s *Scorer, predictions string) Score {
	t.Helper()
	got, err := s.Score(context.Background(), strings.NewReader(predictions))
	if err != nil {
		t.Fatalf("score: %v", explain(err))
	}
	return got
}
