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

// parseFloat reads a decimal number. What Go takes beyond that (hexadecimal,
// "inf", "nan") is told apart, so that each gets its own message; "" means
// that the number is fine.
func parseFloat(field []byte) (float64, Mistake) {
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
	case err != nil || hexadecimal(field):
		return 0, NotANumber
	}
	return v, ""
}

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

// hexadecimal reports "0x10" and "-0x1p4", which strconv takes.
func hexadecimal(field []byte) bool {
	return len(field) > 2 && (field[1]|0x20 == 'x' || field[2]|0x20 == 'x')
}

// isNaNText reports signed spellings of not-a-number, which strconv refuses.
func isNaNText(field []byte) bool {
	return len(field) == 4 && (field[0] == '-' || field[0] == '+') && bytes.EqualFold(field[1:], []byte("nan"))
}
