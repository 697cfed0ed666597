package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"

	"github.com/medforge/medforge/pkg/fault"
)

// mistake is one thing that is wrong: where, what kind, and what was expected.
type mistake struct {
	loc  string
	kind string // syntax, unreadable, unknown, value, contradiction
	msg  string
}

// line is the line in the file that loc names, 0 for other places.
func (m mistake) line() int {
	at, rest, _ := strings.Cut(m.loc, ": ")
	if rest == "" && !strings.Contains(at, ":") {
		return 0
	}
	n, _ := strconv.Atoi(at[strings.LastIndexByte(at, ':')+1:])
	return n
}

// asError lists every mistake in one error, nil for none: those of the file by
// line, then those of the environment and the flags.
func asError(mistakes []mistake) error {
	slices.SortStableFunc(mistakes, func(a, b mistake) int {
		la, lb := a.line(), b.line()
		if la == 0 || lb == 0 {
			return lb - la
		}
		return la - lb
	})
	if len(mistakes) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString("the configuration has a mistake:")
	if n := len(mistakes); n > 1 {
		b.Reset()
		fmt.Fprintf(&b, "the configuration has %d mistakes:", n)
	}
	fields := make([]fault.Field, 0, len(mistakes))
	for _, m := range mistakes {
		fmt.Fprintf(&b, "\n  %s: %s", m.loc, m.msg)
		fields = append(fields, fault.Field{Loc: m.loc, Msg: m.msg, Type: m.kind})
	}
	return fault.New(fault.Invalid, "config/invalid", "%s", b.String()).With(fields...)
}

// nearest returns the known word that was probably meant, or "".
func nearest(word string, known []string) string {
	best, least := "", len(word)/3+2
	for _, k := range known {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	if best != "" {
		return best
	}
	// The right name in the wrong table.
	last := word[strings.LastIndexByte(word, '.')+1:]
	for _, k := range known {
		if strings.HasSuffix(k, "."+last) {
			return k
		}
	}
	return ""
}

func didYouMean(word string, known []string) string {
	if n := nearest(word, known); n != "" {
		return fmt.Sprintf("; did you mean %s?", n)
	}
	return ""
}
