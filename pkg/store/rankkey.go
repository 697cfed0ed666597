package store

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// A rank key is an entry's whole place in a board's order as one text of 64
// lower-case hexadecimal digits that sorts best first, the same on both
// engines: 16 of the score in its direction, 16 of the time, 32 of the
// submission's id. A page is one range of one index, however many scores are
// equal.
const rankKeyLength = 64

func rankKey(primary float64, higherIsBetter bool, at time.Time, submissionID string) string {
	return fmt.Sprintf("%016x%016x%s", scoreBits(primary, higherIsBetter), uint64(micros(at))^signBit, strings.ReplaceAll(submissionID, "-", ""))
}

const signBit = 1 << 63

// scoreBits orders floats as unsigned integers, better ones first. The bits of
// positive floats are in order already; those of negative ones run backwards.
func scoreBits(v float64, higherIsBetter bool) uint64 {
	if higherIsBetter {
		v = -v
	}
	if v == 0 {
		v = 0 // -0 and 0 are one score
	}
	bits := math.Float64bits(v)
	if bits&signBit != 0 {
		return ^bits
	}
	return bits | signBit
}

func isRankKey(s string) bool {
	return len(s) == rankKeyLength && strings.Trim(s, "0123456789abcdef") == ""
}
