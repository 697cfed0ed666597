package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kind is what a key takes. parse turns a raw value, as TOML, the environment
// or a flag gave it, into the one that Config holds, or returns what was
// expected, to follow "expected". A kind whose values are secret says so, and
// its values are never quoted.
type kind interface {
	parse(raw any) (value any, expected string)
}

// secretKind is implemented by kinds whose values must not be shown.
type secretKind interface{ secret() }

func isSecret(k kind) bool {
	if l, ok := k.(list); ok {
		k = l.of
	}
	_, ok := k.(secretKind)
	return ok
}

// plain is a value from the environment or a flag, where everything is text.
type plain string

// asString returns raw when it is text. Everything that is not a number or a
// list is written as text.
func asString(raw any) (string, bool) {
	switch v := raw.(type) {
	case string:
		return strings.TrimSpace(v), true
	case plain:
		return strings.TrimSpace(string(v)), true
	}
	return "", false
}

type text struct{}

func (text) parse(raw any) (any, string) {
	s, ok := asString(raw)
	if !ok {
		return nil, "text in quotes"
	}
	return s, ""
}

type choice []string

func (c choice) parse(raw any) (any, string) {
	s, ok := asString(raw)
	if !ok || !slices.Contains(c, s) {
		return nil, "one of " + quoteAll(c)
	}
	return s, ""
}

func quoteAll(words []string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = strconv.Quote(w)
	}
	return strings.Join(q, ", ")
}

// integer is a whole number; where atLeast is set, zero is special and anything
// else must reach it.
type integer struct{ min, max, atLeast int64 }

func (k integer) parse(raw any) (any, string) {
	expected := fmt.Sprintf("a whole number from %d to %d", k.min, k.max)
	if k.atLeast > 0 {
		expected = fmt.Sprintf("0, or a whole number from %d to %d", k.atLeast, k.max)
	}
	var n int64
	switch v := raw.(type) {
	case int64:
		n = v
	case int:
		n = int64(v)
	case plain:
		var err error
		if n, err = strconv.ParseInt(string(v), 10, 64); err != nil {
			return nil, expected
		}
	default:
		return nil, expected
	}
	if n < k.min || n > k.max || n != 0 && n < k.atLeast {
		return nil, expected
	}
	return n, ""
}

// size is a number of bytes, written "64M"; atLeast as with integer.
type size struct{ min, max, atLeast Size }

func (k size) parse(raw any) (any, string) {
	expected := fmt.Sprintf("a size from %q to %q", k.min, k.max)
	if k.atLeast > 0 {
		expected = fmt.Sprintf("%q, or a size from %q to %q", "0", k.atLeast, k.max)
	}
	var n Size
	s, ok := asString(raw)
	if !ok || n.UnmarshalText([]byte(s)) != nil {
		return nil, expected
	}
	if n < k.min || n > k.max || n != 0 && n < k.atLeast {
		return nil, expected
	}
	return n, ""
}

type duration struct{ min, max time.Duration }

func (k duration) parse(raw any) (any, string) {
	expected := fmt.Sprintf("a time from %q to %q, such as \"90s\" or \"1h30m\"", short(k.min), short(k.max))
	s, ok := asString(raw)
	if !ok {
		return nil, expected
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < k.min || d > k.max {
		return nil, expected
	}
	return d, ""
}

// short writes 1h0m0s as 1h.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// boolean is true or false.
type boolean struct{}

func (boolean) parse(raw any) (any, string) {
	switch v := raw.(type) {
	case bool:
		return v, ""
	case plain:
		if b, err := strconv.ParseBool(string(v)); err == nil {
			return b, ""
		}
	}
	return nil, "true or false"
}

// list is several values of one kind. In the environment and in flags they are
// separated by commas.
type list struct {
	of  kind
	min int
}

func (k list) parse(raw any) (any, string) {
	var items []any
	switch v := raw.(type) {
	case []any:
		items = v
	case []string:
		for _, s := range v {
			items = append(items, s)
		}
	case plain:
		for s := range strings.SplitSeq(string(v), ",") {
			if s = strings.TrimSpace(s); s != "" {
				items = append(items, s)
			}
		}
	default:
		return nil, "a list in square brackets"
	}
	values := make([]any, 0, len(items))
	for i, item := range items {
		value, expected := k.of.parse(item)
		if expected != "" {
			return nil, fmt.Sprintf("in item %d of the list %s", i+1, expected)
		}
		values = append(values, value)
	}
	if len(values) < k.min {
		return nil, fmt.Sprintf("a list of %d or more", k.min)
	}
	return values, ""
}
