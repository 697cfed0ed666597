package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/medforge/medforge/pkg/fault"
)

// ProblemContentType is the media type of every failure.
const ProblemContentType = "application/problem+json"

// PathProblems stands before the code in a problem's type; what it means is
// served there.
const PathProblems = "/problems/"

// Problem is every failure, as RFC 9457 has it. Code, RequestID, Kind and
// Errors are our extension members.
type Problem struct {
	Type      string        `json:"type" format:"uri-reference" doc:"Ends in the code." example:"/problems/sessions/no-gpu-available"`
	Title     string        `json:"title" doc:"The kind of problem in a few words."`
	Status    int           `json:"status" doc:"The HTTP status."`
	Detail    string        `json:"detail" doc:"What happened, to what, and what to do next."`
	Instance  string        `json:"instance,omitempty" format:"uri-reference" doc:"The path that was asked."`
	Code      string        `json:"code" doc:"Stable name of the problem: room/what-happened." example:"sessions/no-gpu-available"`
	RequestID string        `json:"request_id,omitempty" doc:"Names this request in the daemon's log."`
	Kind      fault.Kind    `json:"kind,omitempty" doc:"Tells apart kinds that share a status."`
	Errors    []fault.Field `json:"errors,omitempty" doc:"Each mistake, where several things are wrong."`
}

// statuses is the one table of fault kinds and HTTP statuses. Where kinds share
// a status, a problem without a kind is read as the one marked first.
var statuses = []struct {
	kind   fault.Kind
	status int
	first  bool
}{
	{fault.Internal, http.StatusInternalServerError, true},
	{fault.Invalid, http.StatusUnprocessableEntity, true},
	{fault.Unauthenticated, http.StatusUnauthorized, true},
	{fault.Denied, http.StatusForbidden, true},
	{fault.NotFound, http.StatusNotFound, true},
	{fault.Conflict, http.StatusConflict, true},
	{fault.LimitReached, http.StatusConflict, false},
	{fault.Exists, http.StatusConflict, false},
	{fault.Busy, http.StatusConflict, false},
	{fault.TooMany, http.StatusTooManyRequests, true},
	{fault.TooLarge, http.StatusRequestEntityTooLarge, true},
	{fault.Unavailable, http.StatusServiceUnavailable, true},
	{fault.Timeout, http.StatusGatewayTimeout, true},
	{fault.NotImplemented, http.StatusNotImplemented, true},
	{fault.OutOfSpace, http.StatusInsufficientStorage, true},
	{fault.Misdirected, http.StatusMisdirectedRequest, true},
}

// The codes that httpapi itself answers with.
const (
	CodeInvalidLimit     = "pagination/invalid-limit"
	CodeInvalidCursor    = "pagination/invalid-cursor"
	CodeInvalidRequest   = "request/invalid"
	CodeMalformedRequest = "request/malformed"
	CodeMethodNotAllowed = "request/method-not-allowed"
	CodeUnsupportedMedia = "request/unsupported-media-type"
	CodeNotAcceptable    = "request/not-acceptable"
	CodeUnknownPath      = "request/unknown-path"
	CodeTooLarge         = "request/too-large"
	CodeTooSlow          = "request/too-slow"
	CodeTookTooLong      = "request/took-too-long"
	CodeTooManyUploads   = "request/too-many-uploads"
	CodeForeignOrigin    = "request/foreign-origin"
	CodeUnknownHost      = "request/unknown-host"
	CodeNotSignedIn      = "auth/not-signed-in"
	CodeProxyNotTrusted  = "auth/proxy-not-trusted"
	CodeSignInExpired    = "auth/sign-in-expired"
	CodeAdminOnly        = "auth/admin-only"
	CodeNotFromSession   = "auth/not-from-a-session"
	CodeInternal         = "internal/unexpected"
)

// codeStatuses are the codes whose status is not their kind's: API.md names
// them, or HTTP has a status of its own for them.
var codeStatuses = map[string]int{
	CodeInvalidLimit:                    http.StatusBadRequest,
	CodeInvalidCursor:                   http.StatusBadRequest,
	CodeMalformedRequest:                http.StatusBadRequest,
	CodeMethodNotAllowed:                http.StatusMethodNotAllowed,
	CodeUnsupportedMedia:                http.StatusUnsupportedMediaType,
	CodeNotAcceptable:                   http.StatusNotAcceptable,
	CodeTooSlow:                         http.StatusRequestTimeout,
	"competitions/submission-too-large": http.StatusUnprocessableEntity,
	// LimitReached is 409 elsewhere; a daily cap resets by itself.
	"competitions/submission-cap-reached": http.StatusTooManyRequests,
	"competitions/attempts-exhausted":     http.StatusTooManyRequests,
}

// StatusOf is the HTTP status of a fault.
func StatusOf(kind fault.Kind, code string) int {
	if s, ok := codeStatuses[code]; ok {
		return s
	}
	for _, row := range statuses {
		if row.kind == kind {
			return row.status
		}
	}
	return http.StatusInternalServerError
}

// KindOf is the fault kind of an HTTP status that came without one, from
// something between the client and MedForge, say.
func KindOf(status int) fault.Kind {
	for _, row := range statuses {
		if row.status == status && row.first {
			return row.kind
		}
	}
	switch {
	case status == http.StatusBadGateway:
		return fault.Unavailable
	case status >= 400 && status < 500:
		return fault.Invalid
	}
	return fault.Internal
}

// NewProblem turns an error into what a caller may see of it. An error without
// a kind, or of kind Internal, shows nothing of its inside. base is the public
// URL that the type is made absolute with, without a slash at its end; empty
// leaves it relative.
func NewProblem(err error, base string) Problem {
	e := fault.As(err)
	if e == nil || e.Kind == fault.Internal {
		e = fault.New(fault.Internal, CodeInternal,
			"Something went wrong inside MedForge; its log has the details under the request's id.")
	}
	code := e.Code
	if code == "" {
		code = "fault/" + strings.ReplaceAll(string(e.Kind), "_", "-")
	}
	return Problem{
		Type:   base + PathProblems + code,
		Title:  fault.Title(code),
		Status: StatusOf(e.Kind, code),
		Detail: e.Message,
		Code:   code,
		Kind:   e.Kind,
		Errors: e.Fields,
	}
}

// Fault turns a problem back into the error it was made from. retryAfter is
// what the Retry-After header said, or zero.
func (p Problem) Fault(retryAfter time.Duration) *fault.Error {
	kind := p.Kind
	if !known(kind) {
		kind = KindOf(p.Status)
	}
	message := p.Detail
	if message == "" {
		message = p.Title
	}
	if kind == fault.Internal && p.RequestID != "" {
		message += " Request " + p.RequestID + "."
	}
	return &fault.Error{Kind: kind, Code: p.Code, Message: message, Fields: p.Errors, RetryAfter: retryAfter}
}

func known(kind fault.Kind) bool {
	for _, row := range statuses {
		if row.kind == kind {
			return true
		}
	}
	return false
}
