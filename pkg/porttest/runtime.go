package porttest

import (
	"context"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// RuntimeKit is one implementation of session.Runtime and session.Packs with
// what the suite needs to act on it from outside.
type RuntimeKit struct {
	Runtime session.Runtime
	Packs   session.Packs
	// Archive is a sound OCI archive. Its main process prints at least one
	// line when it starts, stays, and ends at SIGTERM.
	Archive []byte
	// Spec returns a spec with a slug, ids and host folders of its own.
	Spec func(t *testing.T, digest string) session.Spec
	// Say makes the main process print a line.
	Say func(t *testing.T, slug, line string)
	// Exit makes the main process end with a code.
	Exit func(t *testing.T, slug string, code uint32)
	// IgnoreTerm makes the main process ignore SIGTERM.
	IgnoreTerm func(t *testing.T, slug string)
	// Tamper makes the Pack stored under a digest another one.
	Tamper func(t *testing.T, digest string)
	// Lose takes the runtime away while sessions run, and returns what brings
	// it back.
	Lose func(t *testing.T) (restore func())
}

// runtimeDeadline bounds one call. It is generous: it is there so that a hang
// fails the test, not to measure.
const runtimeDeadline = 60 * time.Second

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), runtimeDeadline)
	t.Cleanup(cancel)
	return ctx
}

// Runtime is the conformance suite of session.Runtime and session.Packs. open
// returns an implementation of its own for each test that calls it, empty, and
// cleans it up with t.Cleanup.
func Runtime(t *testing.T, open func(t *testing.T) RuntimeKit) {
	tests := []struct {
		name string
		run  func(t *testing.T, k RuntimeKit)
	}{
		{"Ping", testPing},
		{"Packs", testPacks},
		{"PackBadArchives", testBadArchives},
		{"PackTampered", testTampered},
		{"Create", testCreate},
		{"CreateAtOnce", testCreateAtOnce},
		{"StartStopRemove", testStartStopRemove},
		{"StopStubborn", testStopStubborn},
		{"Exits", testExits},
		{"Lost", testLost},
		{"Log", testLog},
		{"LogFollow", testLogFollow},
		{"BadSlugs", testBadSlugs},
		{"Interrupted", testInterrupted},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.run(t, open(t))
		})
	}
}

// NewSpec returns a spec with fresh ids and folders that exist. Kits may change
// it further.
func NewSpec(t *testing.T, digest string) session.Spec {
	t.Helper()
	return session.Spec{
		SessionID:     uuid.NewString(),
		UserID:        uuid.NewString(),
		Slug:          NewSlug(),
		Tier:          session.TierPublic,
		PackDigest:    digest,
		WorkspacePath: t.TempDir(),
		SocketPath:    t.TempDir(),
		GPUIndex:      0,
		GPUUUID:       "GPU-" + uuid.NewString(),
	}
}

// NewSlug returns a random slug.
func NewSlug() string {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	id := uuid.New()
	slug := make([]byte, 8)
	for i := range slug {
		slug[i] = letters[id[i]&31] // the first six bytes and two others: random but for one
	}
	return string(slug)
}

func wantKind(t *testing.T, err error, kind fault.Kind, what string) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Fatalf("%s: got error %v (kind %q), want kind %q", what, err, fault.KindOf(err), kind)
	}
	if e := fault.As(err); e == nil || e.Message == "" || e.Code == "" {
		t.Fatalf("%s: the error has no message or code: %#v", what, err)
	}
}

func must(t *testing.T, err error, what string) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// running imports the kit's Pack and starts one session.
func running(t *testing.T, k RuntimeKit) session.Spec {
	t.Helper()
	spec := created(t, k)
	must(t, k.Runtime.Start(deadline(t), spec.Slug), "Start")
	return spec
}

func created(t *testing.T, k RuntimeKit) session.Spec {
	t.Helper()
	spec := k.Spec(t, imported(t, k).Digest)
	must(t, k.Runtime.Create(deadline(t), spec), "Create")
	return spec
}

func inspect(t *testing.T, k RuntimeKit, slug string) session.Container {
	t.Helper()
	c, err := k.Runtime.Inspect(deadline(t), slug)
	must(t, err, "Inspect")
	return c
}

func networks(t *testing.T, k RuntimeKit) []string {
	t.Helper()
	got, err := k.Runtime.Networks(deadline(t))
	must(t, err, "Networks")
	return got
}

func hasNetwork(t *testing.T, k RuntimeKit, slug string) bool {
	t.Helper()
	return slices.Contains(networks(t, k), slug)
}

func readLog(t *testing.T, k RuntimeKit, slug string, tail int) string {
	t.Helper()
	r, err := k.Runtime.Log(deadline(t), slug, tail, false)
	must(t, err, "Log")
	defer r.Close()
	text, err := io.ReadAll(r)
	must(t, err, "reading the log")
	return string(text)
}

// eventually waits until ok answers true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx := deadline(t)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !ok() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("waited %s in vain until %s", runtimeDeadline, what)
		}
	}
}

func waitExit(t *testing.T, exits <-chan session.Exit, slug string) session.Exit {
	t.Helper()
	ctx := deadline(t)
	for {
		select {
		case e, ok := <-exits:
			if !ok {
				t.Fatalf("the channel of exits was closed before %s ended", slug)
			}
			if e.Slug == slug {
				return e
			}
		case <-ctx.Done():
			t.Fatalf("no exit of %s was delivered", slug)
		}
	}
}
