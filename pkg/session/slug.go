package session

import (
	"encoding/base32"
	"io"
)

// slugEncoding is RFC 4648 base32 in lower case: host names fold case.
var slugEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// SlugLength is the number of characters of a slug: 40 random bits.
const SlugLength = 8

// newSlug draws a slug from r.
func newSlug(r io.Reader) (string, error) {
	var raw [5]byte
	if _, err := io.ReadFull(r, raw[:]); err != nil {
		return "", err
	}
	return slugEncoding.EncodeToString(raw[:]), nil
}

// ValidSlug reports whether s has the form of a slug.
func ValidSlug(s string) bool {
	if len(s) != SlugLength {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}
