package session_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/store/storetest"
)

// A container that has no row may still compute: its GPU is given to nobody.
// One that tells no GPU keeps none from anybody.
func TestStrayContainerKeepsItsGPU(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 2, func(o *session.Options) { o.PollInterval = 1 << 40 })
	gpus, err := r.gpus.Inventory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for slug, uuidOf := range map[string]string{"straystr": gpus[0].UUID, "unmarked": ""} {
		spec := session.Spec{SessionID: uuid.NewString(), UserID: r.bob.UserID, Slug: slug, PackDigest: packDigest, GPUUUID: uuidOf}
		if err := r.runtime.Create(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		if err := r.runtime.Start(t.Context(), slug); err != nil {
			t.Fatal(err)
		}
	}
	if s := r.start(r.alice, session.StartRequest{}); s.GPUUUID != gpus[1].UUID {
		t.Errorf("given %s, want %s", s.GPUUUID, gpus[1].UUID)
	}
	_, err = r.Start(t.Context(), r.bob, session.StartRequest{})
	wantKind(t, err, fault.LimitReached, "sessions/no-gpu-available")
	for _, slug := range []string{"straystr", "unmarked"} {
		r.runtime.Exit(slug, 0)
		if err := r.runtime.Remove(t.Context(), slug); err != nil {
			t.Fatal(err)
		}
	}
	r.start(r.bob, session.StartRequest{})
}
