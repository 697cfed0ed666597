package cli

import (
	"context"
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/fault"
)

// updating is whether -update was given; the flag is declared with the scripts.
func updating() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

func TestExitCodes(t *testing.T) {
	f := func(k fault.Kind, code string) error { return fault.New(k, code, "m") }
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{f(fault.Internal, "a/b"), 1},
		{f(fault.Unavailable, "runtime/unavailable"), 1},
		{f(fault.NotImplemented, "a/b"), 1},
		{f(fault.OutOfSpace, "a/b"), 1},
		{f(fault.Timeout, "store/timeout"), 1},
		{f(fault.Invalid, "packs/not-an-archive"), 1},
		{f(fault.TooLarge, "packs/too-large"), 1},
		{context.Canceled, 1},
		{f(fault.Invalid, "competitions/bundle-invalid"), 1},
		{f(fault.Invalid, "usage/wrong"), 2},
		{f(fault.Invalid, "request/invalid"), 2},
		{f(fault.Invalid, "client/no-reference"), 2},
		{f(fault.NotFound, "a/b"), 3},
		{f(fault.Unauthenticated, "a/b"), 4},
		{f(fault.Denied, "a/b"), 4},
		{f(fault.Denied, "client/socket-not-allowed"), 4},
		{f(fault.LimitReached, "sessions/no-gpu-available"), 5},
		{f(fault.LimitReached, "competitions/submission-cap-reached"), 5},
		{f(fault.Conflict, "a/b"), 5},
		{f(fault.Exists, "a/b"), 5},
		{f(fault.Busy, "a/b"), 5},
		{f(fault.TooMany, "a/b"), 5},
		{f(fault.Invalid, "competitions/submission-validation-failed"), 5},
		{f(fault.TooLarge, "competitions/submission-too-large"), 5},
		{f(fault.Unavailable, "client/daemon-unreachable"), 6},
		{f(fault.Timeout, "client/timeout"), 6},
		{said{4}, 4},
	} {
		a := &app{ran: true}
		if got := a.code(errors.Join(c.err)); got != c.want {
			t.Errorf("%v (%s): %d, want %d", c.err, fault.CodeOf(c.err), got, c.want)
		}
		if got := (&app{}).code(c.err); c.err != nil && got != 2 && !errors.Is(c.err, context.Canceled) && !errors.As(c.err, new(said)) {
			t.Errorf("%v before the command ran: %d, want 2", c.err, got)
		}
	}
}

func TestErrorsListWhatIsWrong(t *testing.T) {
	var out strings.Builder
	e := fault.New(fault.Invalid, "competitions/submission-validation-failed", "It has mistakes.")
	for range 25 {
		e = e.With(fault.Field{Loc: "row 2", Msg: "not a \x1b[31mnumber"})
	}
	a := &app{System: System{Stderr: &out}, ran: true}
	if a.exit(e.After(90*time.Second)) != 5 || !strings.HasPrefix(out.String(), "medforge: It has mistakes.\n  row 2: not a number\n") ||
		!strings.Contains(out.String(), "  and 5 more\n") || !strings.HasSuffix(out.String(), "Try again in 1m30s.\n") {
		t.Errorf("%q", out.String())
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		in    []int
		width int
		want  []int
	}{
		{[]int{8, 7, 3}, 40, []int{8, 7, 3}},
		{[]int{8, 40, 20}, 48, []int{8, 20, 20}},
		{[]int{8, 40, 20}, 30, []int{8, 11, 11}},
		{[]int{8, 8}, 2, []int{4, 4}},
		{[]int{}, 2, []int{}},
	} {
		got := slices.Clone(c.in)
		fit(got, c.width)
		if !slices.Equal(got, c.want) {
			t.Errorf("%v in %d: %v, want %v", c.in, c.width, got, c.want)
		}
	}
}
