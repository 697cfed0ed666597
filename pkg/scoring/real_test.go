package scoring

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var titanicSpec = Spec{IDColumn: "PassengerId", Metric: "accuracy", Rows: 418,
	Targets: []Column{{Name: "Survived", Type: Int, Min: ptr(0), Max: ptr(1)}}}

// titanicHoldout is the one that the project carries.
func titanicHoldout(t testing.TB) string {
	return readFile(t, filepath.Join("..", "..", "competitions", "titanic-survival", "holdout.csv"))
}

// TestTitanicNobody: Kaggle's board shows 0.62200 for "nobody survives".
func TestTitanicNobody(t *testing.T) {
	t.Parallel()
	s := mustScorer(t, titanicSpec, titanicHoldout(t))
	file := "PassengerId,Survived\n"
	for id := 892; id <= 1309; id++ {
		file += fmt.Sprintf("%d,0\n", id)
	}
	if got := mustScore(t, s, file); got.Primary != 260.0/418 || fmt.Sprintf("%.5f", got.Primary) != "0.62201" {
		t.Errorf("got %+v, want 260/418", got)
	}
}

// TestTitanicWomen: Kaggle's board shows 0.76555 for "women survive".
func TestTitanicWomen(t *testing.T) {
	t.Parallel()
	path := sharedFile(t, "titanic", "test.csv")
	s := mustScorer(t, titanicSpec, titanicHoldout(t))
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	file := "PassengerId,Survived\n"
	for _, r := range rows[1:] {
		alive := 0
		if r[3] == "female" {
			alive = 1
		}
		file += fmt.Sprintf("%s,%d\n", r[0], alive)
	}
	if got := mustScore(t, s, file); got.Primary != 320.0/418 || fmt.Sprintf("%.5f", got.Primary) != "0.76555" {
		t.Errorf("got %+v, want 320/418", got)
	}
	if given := readFile(t, sharedFile(t, "titanic", "holdout.csv")); given != titanicHoldout(t) {
		t.Error("the holdout that the project carries is not the given one")
	}
}

// TestRSNA scores against all 26,684 patients of the challenge's labels.
func TestRSNA(t *testing.T) {
	t.Parallel()
	truth := readFile(t, sharedFile(t, "rsna", "stage_2_train_labels.csv"))
	spec := Spec{IDColumn: "patientId", Metric: "map_iou", Rows: 26_684,
		Targets: []Column{{Name: "PredictionString", Type: Boxes}}}
	s := mustScorer(t, spec, truth)
	var ids []string
	boxes := map[string][]string{}
	for _, line := range strings.Split(strings.TrimSpace(truth), "\n")[1:] {
		f := strings.Split(strings.TrimSpace(line), ",")
		if _, ok := boxes[f[0]]; !ok {
			ids = append(ids, f[0])
			boxes[f[0]] = nil
		}
		if f[5] == "1" {
			boxes[f[0]] = append(boxes[f[0]], strings.Join(f[1:5], " "))
		}
	}
	var perfect, nothing, rows, alarms strings.Builder
	perfect.WriteString("patientId,PredictionString\n")
	nothing.WriteString("patientId,PredictionString\n")
	alarms.WriteString("patientId,PredictionString\n")
	rows.WriteString("patientId,confidence,x,y,width,height\n")
	positive := 0
	for _, id := range ids {
		var list []string
		for _, b := range boxes[id] {
			list = append(list, "0.9 "+b)
			rows.WriteString(id + ",0.9," + strings.ReplaceAll(b, " ", ",") + "\n")
		}
		fmt.Fprintf(&nothing, "%s,\n", id)
		fmt.Fprintf(&perfect, "%s,%s\n", id, strings.Join(list, " "))
		if len(list) == 0 {
			rows.WriteString(id + ",,,,,\n")
			list = []string{"0.1 0 0 50 50"}
		} else {
			positive++
		}
		fmt.Fprintf(&alarms, "%s,%s\n", id, strings.Join(list, " "))
	}
	for _, c := range []struct {
		name, file   string
		want, images float64
	}{
		{"perfect", perfect.String(), 1, 6012},
		{"perfect, a row a box", rows.String(), 1, 6012},
		{"nothing", nothing.String(), 0, 6012},
		{"perfect, and an alarm for all others", alarms.String(), float64(positive) / 26684, 26684},
	} {
		got, err := s.Score(context.Background(), strings.NewReader(c.file))
		if err != nil {
			t.Fatalf("%s: %s", c.name, explain(err))
		}
		if images, _ := got.Components.Get("images"); got.Primary != c.want || images != c.images {
			t.Errorf("%s: got %+v, want %v over %v images", c.name, got, c.want, c.images)
		}
	}
}
