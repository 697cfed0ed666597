package account

import (
	"crypto/sha256"
	"encoding/base64"
	"io"

	"github.com/medforge/medforge/pkg/fault"
)

// Every cookie, token and ticket is 256 random bits, written in 43 characters.
// Only its SHA-256 is kept: with that many random bits a slow hash adds
// nothing, and a lookup by hash tells a guesser nothing by its timing.
const (
	secretBytes = 32
	secretChars = 43
)

// secretText is strict: one text for each secret, no other spelling.
var secretText = base64.RawURLEncoding.Strict()

func newSecret(random io.Reader) (text string, hash [32]byte, err error) {
	var raw [secretBytes]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", hash, fault.Wrap(err, fault.Internal, "auth/no-randomness", "no secret could be made")
	}
	return secretText.EncodeToString(raw[:]), sha256.Sum256(raw[:]), nil
}

// hashSecret allocates nothing: it stands in the way of every proxied request.
func hashSecret(text string) (hash [32]byte, ok bool) {
	var src [secretChars]byte
	var raw [secretBytes + 1]byte
	if len(text) != secretChars {
		return hash, false
	}
	copy(src[:], text)
	for _, c := range src { // the decoder would skip line ends
		if c == '\n' || c == '\r' {
			return hash, false
		}
	}
	n, err := secretText.Decode(raw[:], src[:])
	if err != nil || n != secretBytes {
		return hash, false
	}
	return sha256.Sum256(raw[:secretBytes]), true
}
