package containerd_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/client"

	"github.com/medforge/medforge/pkg/porttest"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/testkit/ctrdtest"
	"github.com/medforge/medforge/pkg/testkit/minipack"
)

// BenchmarkStart compares a session's start (Create and Start, with network,
// limits and log) to "ctr run -d" of the same image and program, without any of
// these, in turns. Both end when the IDE stand-in answers.
func BenchmarkStart(b *testing.B) {
	c := ctrdtest.Start(b)
	d := c.Driver(b, nil)
	pack, err := d.ImportPack(b.Context(), bytes.NewReader(minipack.Build(b)))
	noErr(b, err)
	// The network's shared parts stay while one session is there.
	keep := spec(b, pack.Digest)
	noErr(b, d.Create(b.Context(), keep))

	var create, start, answer, ctr time.Duration
	for b.Loop() {
		s := spec(b, pack.Digest)
		t0 := time.Now()
		noErr(b, d.Create(b.Context(), s))
		t1 := time.Now()
		noErr(b, d.Start(b.Context(), s.Slug))
		t2 := time.Now()
		minipack.NewProbe(s.SocketPath).Wait(b)
		t3 := time.Now()
		create, start, answer = create+t1.Sub(t0), start+t2.Sub(t1), answer+t3.Sub(t2)
		noErr(b, d.Stop(b.Context(), s.Slug, 0))
		noErr(b, d.Remove(b.Context(), s.Slug))
		ctr += ctrRun(b, c, spec(b, pack.Digest))
	}
	noErr(b, d.Remove(b.Context(), keep.Slug))
	ms := func(total time.Duration) float64 { return float64(total.Microseconds()) / 1000 / float64(b.N) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(create), "create-ms")
	b.ReportMetric(ms(start), "start-ms")
	b.ReportMetric(ms(answer), "answer-ms")
	b.ReportMetric(ms(ctr), "ctr-ms")
	b.ReportMetric(float64(create+start+answer)/float64(ctr), "ours/ctr")
}

func spec(b *testing.B, digest string) session.Spec {
	s := session.Spec{
		SessionID: "7c0a0d5c-6c4c-4f0e-9d1a-000000000001", UserID: "7c0a0d5c-6c4c-4f0e-9d1a-000000000002",
		Slug: porttest.NewSlug(), Tier: session.TierPublic, PackDigest: digest,
		WorkspacePath: b.TempDir(), SocketPath: b.TempDir(),
		Limits: session.Limits{CPUMillis: 2000, MemoryBytes: 1 << 30, PIDs: 512},
	}
	for _, dir := range []string{s.WorkspacePath, s.SocketPath} {
		noErr(b, chown(dir))
	}
	return s
}

// ctrRun is the same by containerd's own command line.
func ctrRun(b *testing.B, c *ctrdtest.Containerd, s session.Spec) time.Duration {
	name := "medforge.local/pack/minipack@" + s.PackDigest
	ctr := func(args ...string) {
		cmd := exec.Command("ctr", append([]string{"-a", c.Address, "-n", c.Namespace}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("ctr %v: %v\n%s", args, err, out)
		}
	}
	began := time.Now()
	ctr("run", "-d", "--runc-root", filepath.Join(c.Dir, "runc"),
		"--mount", "type=bind,src="+s.WorkspacePath+",dst=/workspace,options=bind:rw",
		"--mount", "type=bind,src="+s.SocketPath+",dst=/run/medforge,options=bind:rw",
		name, s.Slug, "/ide", "--socket", "/run/medforge/ide.sock", "/workspace")
	minipack.NewProbe(s.SocketPath).Wait(b)
	took := time.Since(began)
	ctx := c.Context(b)
	x, err := c.Client().LoadContainer(ctx, s.Slug)
	noErr(b, err)
	task, err := x.Task(ctx, nil)
	noErr(b, err)
	_, err = task.Delete(ctx, client.WithProcessKill)
	noErr(b, err)
	noErr(b, x.Delete(ctx, client.WithSnapshotCleanup))
	return took
}
