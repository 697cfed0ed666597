package pack_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/medforge/medforge/pkg/testkit/promised"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// startContainerd runs a containerd of the test's own, with its root, state and
// socket in a temporary folder, and stops it afterwards.
func startContainerd(t *testing.T) (*containerd.Client, context.Context) {
	t.Helper()
	promised.Root(t, "containerd does")
	binary := promised.Program(t, "containerd")
	// Not t.TempDir: with the test's name in it a socket's path gets too long.
	dir, err := os.MkdirTemp("", "mf-pack-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "c.sock")
	config := filepath.Join(dir, "config.toml")
	must(t, os.WriteFile(config, []byte(`version = 2
root = "`+dir+`/root"
state = "`+dir+`/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[debug]
  level = "warn"
[grpc]
  address = "`+socket+`"
[ttrpc]
  address = "`+socket+`.ttrpc"
`), 0o600))
	var log bytes.Buffer
	cmd := exec.Command(binary, "-c", config)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("containerd's log:\n%s", log.String())
		}
	})
	client, err := containerd.New(socket, containerd.WithTimeout(time.Minute))
	must(t, err)
	t.Cleanup(func() { client.Close() })
	ctx := namespaces.WithNamespace(t.Context(), "pack-test")
	watch.Succeeds(t, "containerd serves", func() error {
		_, err := client.Version(ctx)
		return err
	})
	return client, ctx
}

// container is a running container of the Pack.
type container struct {
	task containerd.Task
	spec *oci.Spec
}

// startContainer runs args as the image's own user, with no capabilities and no
// network, as a session has it.
func startContainer(t *testing.T, ctx context.Context, client *containerd.Client, image containerd.Image, mounts []specs.Mount, args ...string) container {
	t.Helper()
	c, err := client.NewContainer(ctx, "pack",
		containerd.WithNewSnapshot("pack", image),
		containerd.WithNewSpec(
			oci.WithImageConfig(image),
			oci.WithProcessArgs(args...),
			oci.WithCapabilities(nil),
			oci.WithNoNewPrivileges,
			oci.WithEnv([]string{"HOME=/workspace"}),
			oci.WithMounts(mounts),
		))
	must(t, err)
	// The test's context is over when cleanups run.
	after := context.WithoutCancel(ctx)
	t.Cleanup(func() { _ = c.Delete(after, containerd.WithSnapshotCleanup) })
	var output watch.Output
	task, err := c.NewTask(ctx, cio.NewCreator(cio.WithStreams(nil, &output, &output), cio.WithFIFODir(t.TempDir())))
	must(t, err)
	t.Cleanup(func() {
		_, _ = task.Delete(after, containerd.WithProcessKill)
		if t.Failed() {
			t.Logf("the container's output:\n%s", output.String())
		}
	})
	must(t, task.Start(ctx))
	spec, err := c.Spec(ctx)
	must(t, err)
	return container{task: task, spec: spec}
}

// run runs a shell script in the container and returns what it prints.
func (c container) run(t *testing.T, ctx context.Context, id, script string) (string, uint32) {
	t.Helper()
	process := *c.spec.Process
	process.Args = []string{"sh", "-c", script}
	var out watch.Output
	p, err := c.task.Exec(ctx, id, &process, cio.NewCreator(cio.WithStreams(nil, &out, &out), cio.WithFIFODir(t.TempDir())))
	must(t, err)
	exited, err := p.Wait(ctx)
	must(t, err)
	must(t, p.Start(ctx))
	select {
	case status := <-exited:
		p.IO().Wait() // before Delete, which cancels it
		_, err = p.Delete(ctx)
		must(t, err)
		return out.String(), status.ExitCode()
	case <-time.After(2 * time.Minute):
		_, _ = p.Delete(ctx, containerd.WithProcessKill)
		t.Fatalf("%s did not end in two minutes: %s\n%s", id, script, out.String())
		return "", 0
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
