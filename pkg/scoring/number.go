package scoring

import (
	"bytes"
	"math"
	"strconv"
)

// maxWhole is the largest magnitude up to which every whole number is a
// float64.
const maxWhole = 1 << 53

// trim drops blanks around a field; "1, 2" is read as "1,2".
func trim(field []byte) []byte {
	if n := len(field); n > 0 && (field[0] <= ' ' || field[n-1] <= ' ') {
		return bytes.Trim(field, " \t")
	}
	return field
}

// parseFloat reads a decimal number. What strconv takes beyond that is told
// apart ("inf", "nan") or refused ("0x1p4", "1_000"); "" means that the number
// is fine.
func parseFloat(field []byte) (float64, Mistake) {
	if v, ok := plainDecimal(field); ok {
		return v, ""
	}
	field = trim(field)
	if len(field) == 0 {
		return 0, EmptyField
	}
	v, err := strconv.ParseFloat(string(field), 64)
	switch {
	case math.IsInf(v, 0):
		return 0, Infinite
	case math.IsNaN(v):
		return 0, NaN
	case err != nil && isNaNText(field):
		return 0, NaN
	case err != nil || bytes.ContainsAny(field, "xX_"):
		return 0, NotANumber
	}
	return v, ""
}

// plainDecimal reads what nearly all fields are, up to 15 digits with or
// without a point. Digits and power of ten are then whole numbers that float64
// holds exactly, so that their quotient is rounded once and equals strconv's
// (Clinger 1990, "How to read floating point numbers accurately"); it takes a
// third of the time (BenchmarkParseFloat).
func plainDecimal(field []byte) (v float64, ok bool) {
	if len(field) == 0 || len(field) > 16 {
		return 0, false
	}
	digits, point := uint64(0), len(field)
	for i, c := range field {
		switch {
		case c-'0' <= 9:
			digits = digits*10 + uint64(c-'0')
		case c == '.' && point == len(field):
			point = i
		default:
			return 0, false
		}
	}
	if point == len(field) {
		return float64(digits), len(field) <= 15
	}
	return float64(digits) / powersOfTen[len(field)-point-1], len(field) > 1
}

var powersOfTen = [16]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// parseWhole reads a whole number within 2^53; "3.0" and "3e0" are 3, as
// pandas writes an int column that once held a blank.
func parseWhole(field []byte) (int64, Mistake) {
	field = trim(field)
	if n := len(field); n > 0 && n <= 15 {
		v, ok := int64(0), true
		for _, c := range field {
			if c < '0' || c > '9' {
				ok = false
				break
			}
			v = v*10 + int64(c-'0')
		}
		if ok {
			return v, ""
		}
	}
	v, mistake := parseFloat(field)
	switch {
	case mistake != "":
		return 0, mistake
	case v != math.Trunc(v):
		return 0, NotAnInteger
	case math.Abs(v) > maxWhole:
		return 0, OutOfRange
	}
	return int64(v), ""
}

// isNaNText reports signed spellings of not-a-number, which strconv refuses.
func isNaNText(field []byte) bool {
	return len(field) == 4 && (field[0] == '-' || field[0] == '+') && bytes.EqualFold(field[1:], []byte("nan"))
}
