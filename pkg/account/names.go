package account

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/medforge/medforge/pkg/fault"
)

const (
	emailMax    = 254 // RFC 5321's limit of a path, less its brackets
	nameMax     = 64  // characters
	labelMax    = 200 // characters
	passwordMin = 8   // characters, as the API has it
	passwordMax = 128
	unixNameMax = 32
)

// emailForm is what HTML's <input type=email> takes, so that the page and the
// server agree. Source: HTML Living Standard, "valid email address".
var emailForm = regexp.MustCompile("^[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@" +
	"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$")

// unixForm is what Debian's useradd and most directories make, dots included.
var unixForm = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9_.@-]*\$?$`)

// NormalEmail returns the address as it is stored: no spaces around it, lower
// case. Errors: Invalid "accounts/invalid-email".
func NormalEmail(s string) (string, error) {
	e := strings.ToLower(strings.TrimSpace(s))
	if len(e) > emailMax || !emailForm.MatchString(e) {
		return "", invalid("email", "accounts/invalid-email", "not an email address such as name@example.org")
	}
	return e, nil
}

// CleanName returns the name that others will see. Errors: Invalid
// "accounts/invalid-name" for control or invisible characters, line breaks, or
// a length outside 1 to 64.
func CleanName(s string) (string, error) {
	s = strings.TrimSpace(s)
	if n := utf8.RuneCountInString(s); n < 1 || n > nameMax || !utf8.ValidString(s) || strings.ContainsFunc(s, unprintable) {
		return "", invalid("name", "accounts/invalid-name", "a name has 1 to 64 printable characters")
	}
	return s, nil
}

// unprintable takes in direction marks and other format characters: a name
// must not change the text around it.
func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// nameFromEmail is what others see of someone who chose no name.
func nameFromEmail(email string) string {
	local, _, _ := strings.Cut(email, "@")
	if len(local) > nameMax {
		local = local[:nameMax] // ASCII by emailForm
	}
	return local
}

// cleanLabel makes a browser's user agent or a token's name safe to show.
func cleanLabel(s string) string {
	s = strings.Map(func(r rune) rune {
		if unprintable(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, strings.TrimSpace(s))
	if r := []rune(s); len(r) > labelMax {
		s = string(r[:labelMax])
	}
	return s
}

func checkPassword(field, s string) error {
	n := utf8.RuneCountInString(s)
	switch {
	case !utf8.ValidString(s):
		return invalid(field, "accounts/invalid-password", "the password is not valid UTF-8")
	case n < passwordMin:
		return invalid(field, "accounts/invalid-password", "the password is too short: at least 8 characters")
	case n > passwordMax:
		return invalid(field, "accounts/invalid-password", "the password is too long: at most 128 characters")
	}
	return nil
}

func checkUnixName(s string) error {
	if len(s) > unixNameMax || !unixForm.MatchString(s) {
		return invalid("unix_name", "accounts/invalid-unix-name", "not the login name of a Unix user")
	}
	return nil
}

func invalid(field, code, msg string) error {
	return fault.New(fault.Invalid, code, "%s: %s", field, msg).
		With(fault.Field{Loc: "body." + field, Msg: msg, Type: "invalid"})
}
