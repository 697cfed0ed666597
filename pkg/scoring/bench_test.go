package scoring

import (
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// benchLabels makes a file of n whole-number labels from 0 to 99.
func benchLabels(n int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := []byte("id,label\n")
	for i := range n {
		b = append(strconv.AppendInt(b, int64(i), 10), ',')
		b = append(strconv.AppendInt(b, int64(rng.IntN(100)), 10), '\n')
	}
	return b
}

// benchProbabilities makes a holdout of 0 and 1, and probabilities of six
// digits for it.
func benchProbabilities(n int) (truth, pred []byte) {
	rng := rand.New(rand.NewPCG(7, 1))
	truth, pred = []byte("id,p\n"), []byte("id,p\n")
	for i := range n {
		y := rng.IntN(2)
		p := 0.3*float64(y) + 0.7*rng.Float64()
		truth = append(strconv.AppendInt(append(strconv.AppendInt(truth, int64(i), 10), ','), int64(y), 10), '\n')
		pred = append(strconv.AppendFloat(append(strconv.AppendInt(pred, int64(i), 10), ','), p, 'f', 6, 64), '\n')
	}
	return truth, pred
}

// shuffleRows puts a file's rows in another order.
func shuffleRows(file []byte) []byte {
	lines := bytes.SplitAfter(file, []byte("\n"))
	rows := lines[1 : len(lines)-1]
	rand.New(rand.NewPCG(3, 3)).Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return bytes.Join(lines, nil)
}

var (
	labelSpec = Spec{IDColumn: "id", Metric: "accuracy",
		Targets: []Column{{Name: "label", Type: Int, Min: ptr(0), Max: ptr(99)}}}
	aucSpec = Spec{IDColumn: "id", Metric: "roc_auc", Targets: []Column{{Name: "p", Type: Float}}}
)

// BenchmarkAccuracy10k goes from bytes to score; the aim is 0.5 ms.
func BenchmarkAccuracy10k(b *testing.B) {
	s := mustScorer(b, labelSpec, string(benchLabels(10_000, 1)))
	file := benchLabels(10_000, 2)
	for _, c := range []struct {
		name string
		file []byte
	}{{"in order", file}, {"shuffled", shuffleRows(file)}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.file)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Score(context.Background(), bytes.NewReader(c.file)); err != nil {
					b.Fatal(explain(err))
				}
			}
		})
	}
}

// BenchmarkROCAUC1M: the aim is 80 ms. "metric" is the area alone, "all" goes
// from bytes to score.
func BenchmarkROCAUC1M(b *testing.B) {
	truth, pred := benchProbabilities(1_000_000)
	s := mustScorer(b, aucSpec, string(truth))
	v, _, err := s.plan.read(context.Background(), bytes.NewReader(pred), s.holdout.ids)
	if err != nil {
		b.Fatal(explain(err))
	}
	b.Run("metric", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := rocAUC(s.plan.problem(s.holdout, v)); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, c := range []struct {
		name string
		file []byte
	}{{"all, in order", pred}, {"all, shuffled", shuffleRows(pred)}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.file)))
			for b.Loop() {
				if _, err := s.Score(context.Background(), bytes.NewReader(c.file)); err != nil {
					b.Fatal(explain(err))
				}
			}
		})
	}
}

// BenchmarkReader sets our reader against encoding/csv at its fastest, on the
// same file and for the same work: every field looked at.
func BenchmarkReader(b *testing.B) {
	_, file := benchProbabilities(100_000)
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(len(file)))
		for b.Loop() {
			r, err := newCSVReader(context.Background(), bytes.NewReader(file), 1<<30, 1<<16)
			if err != nil {
				b.Fatal(err)
			}
			for {
				_, state, err := r.next()
				if err != nil {
					b.Fatal(err)
				}
				if state == recordEnd {
					break
				}
			}
		}
	})
	b.Run("encoding-csv", func(b *testing.B) {
		b.SetBytes(int64(len(file)))
		for b.Loop() {
			r := csv.NewReader(bytes.NewReader(file))
			r.ReuseRecord = true
			for {
				if _, err := r.Read(); err == io.EOF {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkSortKeys sets the radix sort against slices.Sort.
func BenchmarkSortKeys(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	keys := make([]uint64, 1_000_000)
	for i := range keys {
		keys[i] = sortKey(rng.Float64())
	}
	work, spare := make([]uint64, len(keys)), make([]uint64, len(keys))
	b.Run("radix", func(b *testing.B) {
		for b.Loop() {
			copy(work, keys)
			sortKeys(work, spare)
		}
	})
	b.Run("slices", func(b *testing.B) {
		for b.Loop() {
			copy(work, keys)
			slices.Sort(work)
		}
	})
}

// BenchmarkParseFloat sets plainDecimal against strconv.
func BenchmarkParseFloat(b *testing.B) {
	field := []byte("0.738291")
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			if _, ok := plainDecimal(field); !ok {
				b.Fatal("not taken")
			}
		}
	})
	b.Run("strconv", func(b *testing.B) {
		for b.Loop() {
			if _, err := strconv.ParseFloat(string(field), 64); err != nil {
				b.Fatal(err)
			}
		}
	})
}
