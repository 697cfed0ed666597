package store

import (
	"cmp"
	"math"
	"testing"
	"time"
)

// The text's order is the order that the board promises.
func TestRankKeyOrder(t *testing.T) {
	t.Parallel()
	type row struct {
		v  float64
		at time.Time
		id string
	}
	values := []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 0.1 + 0.2, 0.3, math.MaxFloat64, -math.MaxFloat64,
		math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64, 1e-300, 0.76555, 0.765550239234449}
	times := []time.Time{{}, time.UnixMicro(1), time.UnixMicro(2), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC)}
	ids := []string{"00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-00000000000a", "ffffffff-ffff-4fff-8fff-ffffffffffff"}
	var rows []row
	for _, v := range values {
		for _, at := range times {
			for _, id := range ids {
				rows = append(rows, row{v, at, id})
			}
		}
	}
	for _, higher := range []bool{true, false} {
		order := func(a, b row) int {
			byScore := cmp.Compare(a.v, b.v)
			if higher {
				byScore = -byScore
			}
			return cmp.Or(byScore, cmp.Compare(micros(a.at), micros(b.at)), cmp.Compare(a.id, b.id))
		}
		for i := range len(rows) * len(rows) {
			a, b := rows[i%len(rows)], rows[i/len(rows)]
			ka, kb := rankKey(a.v, higher, a.at, a.id), rankKey(b.v, higher, b.at, b.id)
			if cmp.Compare(ka, kb) != order(a, b) || !isRankKey(ka) {
				t.Fatalf("higher is better: %v\n%v %s\n%v %s", higher, a, ka, b, kb)
			}
		}
	}
}
