package config

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/docker/go-units"
)

// Size is a number of bytes. In the file it is a string such as "100G", where K,
// M, G and T are powers of 1024, as zfs has them; "0" is none.
type Size int64

// UnmarshalText reads "100G", "64MiB" or a plain number of bytes.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := units.RAMInBytes(strings.TrimSpace(string(text)))
	if err != nil || n < 0 {
		return fmt.Errorf("not a size")
	}
	*s = Size(n)
	return nil
}

// String writes the size so that UnmarshalText reads the same number.
func (s Size) String() string {
	for _, u := range []struct {
		n    Size
		name string
	}{{units.TiB, "T"}, {units.GiB, "G"}, {units.MiB, "M"}, {units.KiB, "K"}} {
		if s >= u.n && s%u.n == 0 {
			return fmt.Sprintf("%d%s", s/u.n, u.name)
		}
	}
	return fmt.Sprintf("%d", int64(s))
}

// Secret is text that no log, message or JSON shows. Reveal returns it.
type Secret string

const hidden = "[hidden]"

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the text; an empty secret is shown as empty.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the text from %#v.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// MarshalText hides the text from JSON and other encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the text from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
