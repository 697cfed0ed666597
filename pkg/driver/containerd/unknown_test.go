package containerd_test

import (
	"syscall"
	"testing"

	"github.com/medforge/medforge/pkg/fault"
)

// A shim that does not answer: containerd says "unknown" of its task after a few
// seconds, which says nothing of the session.
func TestAShimThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	s := h.spec(t, h.importMini(t))
	h.start(t, s)
	shim := h.shim(t, s.Slug)
	noErr(t, syscall.Kill(shim, syscall.SIGSTOP))
	thaw := func() { noErr(t, syscall.Kill(shim, syscall.SIGCONT)) }
	t.Cleanup(thaw)
	v, err := h.Driver.Inspect(t.Context(), s.Slug)
	if !v.Running && !fault.Is(err, fault.Unavailable) {
		t.Errorf("Inspect: %+v, %v", v, err)
	}
	all, err := h.Driver.List(t.Context())
	if err == nil && (len(all) != 1 || !all[0].Running) {
		t.Errorf("List: %+v", all)
	}
	thaw()
	if v, err := h.Driver.Inspect(t.Context(), s.Slug); err != nil || !v.Running {
		t.Errorf("when it answers again: %+v, %v", v, err)
	}
}
