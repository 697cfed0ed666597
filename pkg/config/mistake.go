package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"github.com/medforge/medforge/pkg/fault"
)

// place is where a value came from: its location for people, the line when that
// is in the file, and how strong the source is.
type place struct {
	loc  string
	line int
	from int
}

// The sources, weakest first.
const (
	fromDefault = iota
	fromFile
	fromEnvironment
	fromFlag
)

// mistake is one thing that is wrong: where, what kind, and what was expected.
type mistake struct {
	at   place
	kind string // syntax, unreadable, unknown, value, contradiction
	msg  string
}

// asError lists every mistake in one error, nil for none: those of the file by
// line, then those of the environment and the flags.
func asError(mistakes []mistake) error {
	if len(mistakes) == 0 {
		return nil
	}
	slices.SortStableFunc(mistakes, func(a, b mistake) int {
		return cmp.Or(cmp.Compare(a.at.from, b.at.from), cmp.Compare(a.at.line, b.at.line))
	})
	var b strings.Builder
	b.WriteString("the configuration has a mistake:")
	if n := len(mistakes); n > 1 {
		b.Reset()
		fmt.Fprintf(&b, "the configuration has %d mistakes:", n)
	}
	fields := make([]fault.Field, 0, len(mistakes))
	for _, m := range mistakes {
		fmt.Fprintf(&b, "\n  %s: %s", m.at.loc, m.msg)
		fields = append(fields, fault.Field{Loc: m.at.loc, Msg: m.msg, Type: m.kind})
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
