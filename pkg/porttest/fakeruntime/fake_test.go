package fakeruntime_test

import (
	"testing"

	"github.com/medforge/medforge/pkg/porttest"
	"github.com/medforge/medforge/pkg/porttest/fakeruntime"
	"github.com/medforge/medforge/pkg/testkit/minipack"
)

func TestConformance(t *testing.T) {
	archive, err := minipack.Archive("tiny", []byte("not a program, and never run"))
	if err != nil {
		t.Fatal(err)
	}
	porttest.Runtime(t, func(t *testing.T) porttest.RuntimeKit {
		f := fakeruntime.New()
		return porttest.RuntimeKit{
			Runtime:    f,
			Packs:      f,
			Archive:    archive,
			Spec:       porttest.NewSpec,
			Say:        func(_ *testing.T, slug, line string) { f.Say(slug, "%s", line) },
			IgnoreTerm: func(_ *testing.T, slug string) { f.IgnoreTerm(slug) },
			Tamper:     func(_ *testing.T, digest string) { f.Tamper(digest) },
			Exit: func(t *testing.T, slug string, code uint32) {
				if !f.Exit(slug, code) {
					t.Fatalf("session %s does not run", slug)
				}
			},
			Lose: func(*testing.T) func() { f.Lose(); return f.Restore },
		}
	})
}
