package api

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/fault"
)

// everyKind is written out, so that a new kind without a status fails here.
var everyKind = []fault.Kind{
	fault.Internal, fault.Invalid, fault.Unauthenticated, fault.Denied, fault.NotFound, fault.Conflict,
	fault.LimitReached, fault.TooMany, fault.TooLarge, fault.Unavailable, fault.Timeout, fault.NotImplemented,
	fault.OutOfSpace, fault.Exists, fault.Busy, fault.Misdirected,
}

func TestEveryKindComesBackAsItself(t *testing.T) {
	for _, kind := range everyKind {
		in := fault.New(kind, "room/what-happened", "what happened").With(fault.Field{Loc: "row 3", Msg: "bad", Type: "invalid"})
		p := NewProblem(in, "https://medforge.example.org")
		out := p.Fault(3 * time.Second)
		if out.Kind != kind {
			t.Errorf("%s came back as %s", kind, out.Kind)
		}
		if p.Status != StatusOf(kind, in.Code) || p.Status < 400 {
			t.Errorf("%s has status %d", kind, p.Status)
		}
		if kind == fault.Internal {
			continue
		}
		if out.Code != in.Code || out.Message != in.Message || len(out.Fields) != 1 || out.RetryAfter != 3*time.Second {
			t.Errorf("%s came back changed: %+v", kind, out)
		}
		if p.Type != "https://medforge.example.org/problems/room/what-happened" || p.Title != "What happened" {
			t.Errorf("type %q, title %q", p.Type, p.Title)
		}
	}
	if len(everyKind) != len(statuses) {
		t.Errorf("%d kinds are tested and %d have a status", len(everyKind), len(statuses))
	}
}

func TestEachStatusHasOneFirstKind(t *testing.T) {
	first := map[int]int{}
	for _, row := range statuses {
		if row.first {
			first[row.status]++
		}
	}
	for _, row := range statuses {
		if first[row.status] != 1 {
			t.Errorf("status %d has %d first kinds", row.status, first[row.status])
		}
	}
}

func TestStatusesOfTheContract(t *testing.T) {
	for _, c := range []struct {
		kind fault.Kind
		code string
		want int
	}{
		{fault.LimitReached, "sessions/no-gpu-available", 409},
		{fault.LimitReached, "sessions/user-limit-reached", 409},
		{fault.LimitReached, "competitions/submission-cap-reached", 429},
		{fault.TooLarge, "competitions/submission-too-large", 422},
		{fault.TooLarge, "packs/too-large", 413},
		{fault.Invalid, "competitions/submission-validation-failed", 422},
		{fault.Invalid, "pagination/invalid-limit", 400},
		{fault.Invalid, "pagination/invalid-cursor", 400},
		{fault.NotImplemented, "sessions/private-tier-not-implemented", 501},
		{fault.Misdirected, "proxy/unknown-host", 421},
		{fault.Unauthenticated, "auth/not-signed-in", 401},
		{fault.Denied, "auth/admins-only", 403},
		{fault.NotFound, "sessions/not-found", 404},
		{fault.TooMany, "auth/too-many-tries", 429},
		{fault.Unavailable, "runtime/unavailable", 503},
		{fault.Timeout, "store/timeout", 504},
		{"made-up", "x/y", 500},
	} {
		if got := StatusOf(c.kind, c.code); got != c.want {
			t.Errorf("%s %s: %d, want %d", c.kind, c.code, got, c.want)
		}
	}
}

func TestNothingOfTheInsideIsShown(t *testing.T) {
	for _, err := range []error{
		errors.New("open /var/lib/medforge/holdout.csv: secret"),
		fault.New(fault.Internal, "store/secret", "the secret"),
		fault.Wrap(errors.New("secret"), fault.Unavailable, "store/unavailable", "The database does not answer."),
	} {
		p := NewProblem(err, "")
		if s := p.Detail + p.Title + p.Type + p.Code; strings.Contains(s, "secret") {
			t.Errorf("%v shows its inside: %+v", err, p)
		}
	}
	if p := NewProblem(errors.New("x"), ""); p.Status != 500 || p.Code != CodeInternal || !strings.HasSuffix(p.Type, "/problems/internal/unexpected") {
		t.Errorf("an error without a kind became %+v", p)
	}
}

func TestForeignAnswersHaveAKind(t *testing.T) {
	for status, want := range map[int]fault.Kind{
		502: fault.Unavailable, 503: fault.Unavailable, 504: fault.Timeout, 404: fault.NotFound, 401: fault.Unauthenticated,
		403: fault.Denied, 418: fault.Invalid, 409: fault.Conflict, 302: fault.Internal, 599: fault.Internal,
	} {
		if got := KindOf(status); got != want {
			t.Errorf("%d is %s, want %s", status, got, want)
		}
	}
	// A kind that this version does not know falls back to the status.
	if e := (Problem{Status: 409, Kind: "later", Title: "T"}).Fault(0); e.Kind != fault.Conflict || e.Message != "T" {
		t.Errorf("got %+v", e)
	}
}

func TestPathsKeepASegmentASegment(t *testing.T) {
	for in, want := range map[string]string{
		"abcd2345": "/api/v1/sessions/abcd2345/stop",
		"a/b":      "/api/v1/sessions/a%2Fb/stop",
		"..":       "/api/v1/sessions/%2E./stop",
		".":        "/api/v1/sessions/%2E/stop",
		"a?b#c":    "/api/v1/sessions/a%3Fb%23c/stop",
	} {
		if got := SessionPath(in, "stop"); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
