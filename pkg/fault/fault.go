// Package fault holds the kinds of error that cross MedForge's rooms. A domain
// returns a *Error; httpapi turns its Kind into a status in one place, the
// client turns the status back into the same Kind, and the CLI turns it into
// an exit code. An error without a Kind is Internal: logged, shown without its
// inside.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind is what went wrong, in the words of whoever asked.
type Kind string

// The kinds. Each has one HTTP status (pkg/api) and one exit code (pkg/cli).
const (
	Internal        Kind = "internal"        // our mistake; details go to the log only
	Invalid         Kind = "invalid"         // what was sent can never work as it is
	Unauthenticated Kind = "unauthenticated" // nobody is signed in
	Denied          Kind = "denied"          // somebody is, and may not
	NotFound        Kind = "not_found"       // no such thing, or not one the caller may see
	Conflict        Kind = "conflict"        // the thing's present state forbids it
	LimitReached    Kind = "limit_reached"   // a limit forbids it; see RetryAfter
	TooMany         Kind = "too_many"        // asked too often; see RetryAfter
	TooLarge        Kind = "too_large"       // more bytes than are taken
	Unavailable     Kind = "unavailable"     // a part of the host does not answer; try again
	Timeout         Kind = "timeout"         // it did not end in its time
	NotImplemented  Kind = "not_implemented" // known, and not offered here
	OutOfSpace      Kind = "out_of_space"    // disk or quota is full
	Exists          Kind = "exists"          // it is already there
	Busy            Kind = "busy"            // something holds it; try again
	Misdirected     Kind = "misdirected"     // the host name is not one that is served here
)

// Field is one of several mistakes in what was sent.
type Field struct {
	Loc  string         `json:"loc" doc:"Where: a field's path, a file's line or row, a column's name."`
	Msg  string         `json:"msg" doc:"What is wrong and what was expected."`
	Type string         `json:"type" doc:"The kind of mistake, a stable word."`
	Ctx  map[string]any `json:"ctx,omitempty" doc:"Numbers and names that the message is made from."`
}

// Error is an error with a kind. Message is for people and says what happened,
// to what, and what to do next; it never holds a secret or a hidden label.
type Error struct {
	Kind       Kind
	Code       string // stable, "room/what-happened"; ends the problem's type URI
	Message    string
	Fields     []Field       // set where several things are wrong at once
	RetryAfter time.Duration // zero when waiting does not help or is not known
	Cause      error         // for the log; never shown to a caller
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %v", e.Message, e.Cause)
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Cause }

// New makes an error of a kind. The code is "room/what-happened".
func New(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap is New with a cause that is logged and never shown.
func Wrap(cause error, kind Kind, code, format string, args ...any) *Error {
	e := New(kind, code, format, args...)
	e.Cause = cause
	return e
}

// With returns a copy that lists the fields that are wrong.
func (e *Error) With(fields ...Field) *Error {
	c := *e
	c.Fields = append(append([]Field(nil), e.Fields...), fields...)
	return &c
}

// After returns a copy that says when trying again can help.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// As returns the first *Error in err's chain, or nil.
func As(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// KindOf returns err's kind: Internal for an error that has none, "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e := As(err); e != nil {
		return e.Kind
	}
	return Internal
}

// Is reports whether err is of the kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }

// CodeOf returns err's code, or "".
func CodeOf(err error) string {
	if e := As(err); e != nil {
		return e.Code
	}
	return ""
}

// Title makes "Submission cap reached" from the code
// "competitions/submission-cap-reached".
func Title(code string) string {
	t := strings.ReplaceAll(code[strings.LastIndexByte(code, '/')+1:], "-", " ")
	if t == "" {
		return t
	}
	return strings.ToUpper(t[:1]) + t[1:]
}
