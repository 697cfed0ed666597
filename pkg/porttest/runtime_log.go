package porttest

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/fault"
)

func testLog(t *testing.T, k RuntimeKit) {
	_, err := k.Runtime.Log(deadline(t), NewSlug(), 0, false)
	wantKind(t, err, fault.NotFound, "Log of nothing")

	spec := running(t, k)
	for _, line := range []string{"one", "two", "three"} {
		k.Say(t, spec.Slug, line)
	}
	eventually(t, "the log holds what was said", func() bool {
		return strings.HasSuffix(readLog(t, k, spec.Slug, 0), "one\ntwo\nthree\n")
	})
	if all := readLog(t, k, spec.Slug, 0); strings.HasPrefix(all, "one\n") {
		t.Error("the line printed at the start is missing")
	}
	if got := readLog(t, k, spec.Slug, 2); got != "two\nthree\n" {
		t.Errorf("the last two lines are %q", got)
	}
	if got, all := readLog(t, k, spec.Slug, 10000), readLog(t, k, spec.Slug, 0); got != all {
		t.Errorf("more lines than there are: %q, want %q", got, all)
	}
	must(t, k.Runtime.Stop(deadline(t), spec.Slug, 20*time.Second), "Stop")
	if all := readLog(t, k, spec.Slug, 0); !strings.Contains(all, "one\ntwo\nthree\n") {
		t.Errorf("after Stop the log is %q", all)
	}
}

func testLogFollow(t *testing.T, k RuntimeKit) {
	spec := running(t, k)
	k.Say(t, spec.Slug, "first")
	eventually(t, "the log holds what was said", func() bool {
		return strings.HasSuffix(readLog(t, k, spec.Slug, 0), "first\n")
	})
	r, err := k.Runtime.Log(deadline(t), spec.Slug, 1, true)
	must(t, err, "Log")
	defer r.Close()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			lines <- s.Text()
		}
	}()
	next := func() (string, bool) {
		t.Helper()
		select {
		case line, ok := <-lines:
			return line, ok
		case <-deadline(t).Done():
			t.Fatal("the follower neither got a line nor ended")
			return "", false
		}
	}
	wantLine := func(want string) {
		t.Helper()
		if got, ok := next(); !ok || got != want {
			t.Fatalf("followed line %q (open: %v), want %q", got, ok, want)
		}
	}
	wantLine("first")
	k.Say(t, spec.Slug, "second")
	wantLine("second")

	// A second reader, that ends with its context and not with the container.
	ctx, cancel := context.WithCancel(deadline(t))
	brief, err := k.Runtime.Log(ctx, spec.Slug, 1, true)
	must(t, err, "Log")
	defer brief.Close()
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, brief)
		ended <- err
	}()
	cancel()
	select {
	case <-ended:
	case <-deadline(t).Done():
		t.Fatal("a follower outlived its context")
	}
	// A third, closed by its reader.
	closed, err := k.Runtime.Log(deadline(t), spec.Slug, 1, true)
	must(t, err, "Log")
	must(t, closed.Close(), "closing a follower")

	k.Say(t, spec.Slug, "last words")
	wantLine("last words")
	must(t, k.Runtime.Stop(deadline(t), spec.Slug, 20*time.Second), "Stop")
	for {
		if _, ok := next(); !ok {
			return // the follower ends with its session
		}
	}
}
