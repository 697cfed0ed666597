package containerd_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/medforge/medforge/pkg/driver/containerd"
	"github.com/medforge/medforge/pkg/porttest"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/testkit/ctrdtest"
	"github.com/medforge/medforge/pkg/testkit/minipack"
)

func TestConformance(t *testing.T) {
	archive := minipack.Build(t)
	porttest.Runtime(t, func(t *testing.T) porttest.RuntimeKit {
		h := newHost(t, nil)
		return porttest.RuntimeKit{
			Runtime: h.Driver,
			Packs:   h.Driver,
			Archive: archive,
			Spec:    h.spec,
			Say:     func(t *testing.T, slug, line string) { noErr(t, h.probe(t, slug).Say(line)) },
			Exit:    func(t *testing.T, slug string, code uint32) { h.probe(t, slug).Exit(code) },
			IgnoreTerm: func(t *testing.T, slug string) {
				noErr(t, h.probe(t, slug).IgnoreTerm())
			},
			Tamper: h.tamper,
			Lose: func(t *testing.T) func() {
				h.Kill(t)
				return func() { h.Run(t); h.WaitReady(t) }
			},
		}
	})
}

// host is a containerd with a driver and the sessions made with it.
type host struct {
	*ctrdtest.Containerd
	Driver  *containerd.Driver
	sockets map[string]string // by slug
}

// newHost starts a containerd. Its sessions are removed when the test ends.
func newHost(t *testing.T, change func(*containerd.Config)) *host {
	t.Helper()
	c := ctrdtest.Start(t)
	h := &host{Containerd: c, Driver: c.Driver(t, change), sockets: map[string]string{}}
	t.Cleanup(func() {
		if !c.Exited() {
			ctrdtest.RemoveAll(t, h.Driver)
		}
	})
	return h
}

// spec returns a spec whose folders the session's user owns.
func (h *host) spec(t *testing.T, digest string) session.Spec {
	t.Helper()
	s := porttest.NewSpec(t, digest)
	for _, dir := range []string{s.WorkspacePath, s.SocketPath} {
		noErr(t, chown(dir))
	}
	h.sockets[s.Slug] = s.SocketPath
	return s
}

// importMini imports the mini Pack and returns its digest.
func (h *host) importMini(t *testing.T) string {
	t.Helper()
	p, err := h.Driver.ImportPack(t.Context(), bytes.NewReader(minipack.Build(t)))
	noErr(t, err)
	return p.Digest
}

// start creates and starts a session and waits for its stand-in.
func (h *host) start(t *testing.T, s session.Spec) *minipack.Probe {
	t.Helper()
	noErr(t, h.Driver.Create(t.Context(), s))
	noErr(t, h.Driver.Start(t.Context(), s.Slug))
	return h.probe(t, s.Slug)
}

// probe waits until the stand-in of a session answers.
func (h *host) probe(t *testing.T, slug string) *minipack.Probe {
	t.Helper()
	p := minipack.NewProbe(h.sockets[slug])
	p.Wait(t)
	return p
}

// tamper makes the stored image another one, as ctr can.
func (h *host) tamper(t *testing.T, want string) {
	t.Helper()
	ctx := h.Context(t)
	images := h.Client().ImageService()
	all, err := images.List(ctx)
	noErr(t, err)
	for _, img := range all {
		if img.Target.Digest == digest.Digest(want) {
			img.Target.Digest = digest.FromString("another")
			_, err := images.Update(ctx, img, "target")
			noErr(t, err)
		}
	}
}

func noErr(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// chown gives a folder to the session's user. Test folders are private; the
// session must pass through.
func chown(dir string) error {
	if err := os.Chown(dir, 1000, 1000); err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
}
