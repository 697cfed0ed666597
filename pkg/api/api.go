// Package api holds what goes over the wire, for whoever speaks it: the types,
// the paths, and problems (RFC 9457) both ways. The server makes its OpenAPI
// document from these types, and the client and the CLI read answers into the
// same ones. Nothing here pulls in the daemon.
//
// Struct tags beside `json` (doc, enum, format, example, minLength, ...) are
// read by the server's OpenAPI generator.
package api

import (
	"net/url"
	"time"
)

// Version is what meta.api_version says.
const Version = "v1.0"

// Prefix stands before every path of this version, except Healthz.
const Prefix = "/api/v1"

// Paths that are not below Prefix.
const (
	PathHealthz = "/healthz"
	PathOpenAPI = Prefix + "/openapi.json"
	PathMetrics = "/metrics" // on the unix socket
	PathOpen    = "/open"    // takes a browser on to a session's host
	PathSignIn  = "/signin"  // the sign-in page; "return" is where to go afterwards
)

// SessionPath is the path of one session, by id or slug, and of what is below
// it: SessionPath("abcd2345", "stop").
func SessionPath(ref string, below ...string) string {
	return join(append([]string{"sessions", ref}, below...))
}

// CompetitionPath is the path of one competition and of what is below it.
func CompetitionPath(slug string, below ...string) string {
	return join(append([]string{"competitions", slug}, below...))
}

// Path joins segments below Prefix, each escaped, so that a name with a slash
// in it stays one segment.
func Path(segments ...string) string { return join(segments) }

func join(segments []string) string {
	p := Prefix
	for _, s := range segments {
		switch s {
		case ".", "..": // PathEscape leaves these, and they would be cleaned away
			s = "%2E" + s[1:]
		default:
			s = url.PathEscape(s)
		}
		p += "/" + s
	}
	return p
}

// Envelope is every success: what was asked for, and about the answer.
type Envelope[T any] struct {
	Data T    `json:"data"`
	Meta Meta `json:"meta"`
}

// Page is the success of a list.
type Page[T any] struct {
	Data []T      `json:"data" nullable:"false"`
	Meta ListMeta `json:"meta"`
}

// Meta is about an answer.
type Meta struct {
	RequestID  string    `json:"request_id" doc:"Names this request in the daemon's log."`
	APIVersion string    `json:"api_version" example:"v1.0"`
	Timestamp  time.Time `json:"timestamp" doc:"When the answer was made, in UTC."`
}

// ListMeta is about a page of a list.
type ListMeta struct {
	Meta
	Limit      int     `json:"limit" doc:"Rows a page holds at most."`
	NextCursor *string `json:"next_cursor" doc:"The cursor of the next page; null at the end."`
	HasMore    bool    `json:"has_more" doc:"Whether another page follows."`
}

// Limits of list pages, in rows.
const (
	DefaultLimit = 50
	MinLimit     = 1
	MaxLimit     = 500
)

// Message is an answer that only says what happened.
type Message struct {
	Message string `json:"message"`
}
