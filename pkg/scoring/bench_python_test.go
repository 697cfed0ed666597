package scoring

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkBesidePython runs the same files through this package and through
// pandas with scikit-learn, in turns, and reports how many times as long the
// latter takes (medians). It needs Debian's python3-pandas and python3-sklearn.
func BenchmarkBesidePython(b *testing.B) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import pandas, sklearn").Run(); err != nil {
		b.Skipf("%s with pandas and scikit-learn is not there: %v", python, err)
	}
	truth, pred := benchProbabilities(1_000_000)
	for _, c := range []struct {
		name           string
		spec           Spec
		holdout, file  []byte
		rounds, repeat int
	}{
		{"accuracy, 10,000 rows in order", labelSpec, benchLabels(10_000, 1), benchLabels(10_000, 2), 3, 21},
		{"accuracy, 10,000 rows shuffled", labelSpec, benchLabels(10_000, 1), shuffleRows(benchLabels(10_000, 2)), 3, 21},
		{"ROC AUC, 1,000,000 rows in order", aucSpec, truth, pred, 2, 3},
		{"ROC AUC, 1,000,000 rows shuffled", aucSpec, truth, shuffleRows(pred), 2, 3},
	} {
		b.Run(c.name, func(b *testing.B) {
			dir := b.TempDir()
			holdout, file := filepath.Join(dir, "holdout.csv"), filepath.Join(dir, "predictions.csv")
			for path, data := range map[string][]byte{holdout: c.holdout, file: c.file} {
				if err := os.WriteFile(path, data, 0o600); err != nil {
					b.Fatal(err)
				}
			}
			s := mustScorer(b, c.spec, string(c.holdout))
			var ours, theirs []float64
			for b.Loop() {
				for range c.rounds {
					var value float64
					for range c.repeat {
						seconds, got := timeScore(b, s, file)
						ours, value = append(ours, seconds), got
					}
					theirs = append(theirs, timePython(b, python, c.spec.Metric, holdout, file, c.repeat, value)...)
				}
			}
			b.ReportMetric(median(ours)*1000, "go-ms")
			b.ReportMetric(slices.Min(ours)*1000, "go-min-ms")
			b.ReportMetric(median(theirs)*1000, "python-ms")
			b.ReportMetric(slices.Min(theirs)*1000, "python-min-ms")
			b.ReportMetric(median(theirs)/median(ours), "times")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// timeScore goes from the file to the score.
func timeScore(b *testing.B, s *Scorer, path string) (seconds, value float64) {
	start := time.Now()
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	got, err := s.Score(context.Background(), f)
	if err != nil {
		b.Fatal(explain(err))
	}
	return time.Since(start).Seconds(), got.Primary
}

// timePython runs testdata/bench.py and holds its value to ours.
func timePython(b *testing.B, python, metric, holdout, file string, repeat int, value float64) []float64 {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, filepath.Join("testdata", "bench.py"), metric, holdout, file, fmt.Sprint(repeat))
	out, err := cmd.Output()
	if err != nil {
		b.Fatal(err)
	}
	var all []float64
	for line := range strings.Lines(string(out)) {
		var seconds, theirs float64
		if _, err := fmt.Sscan(line, &seconds, &theirs); err != nil {
			b.Fatal(err)
		}
		if math.Abs(theirs-value) > tolerance {
			b.Fatalf("Python's value is %v, ours %v", theirs, value)
		}
		all = append(all, seconds)
	}
	return all
}

func median(v []float64) float64 {
	sorted := slices.Sorted(slices.Values(v))
	return sorted[len(sorted)/2]
}
