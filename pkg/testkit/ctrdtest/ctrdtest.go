// Package ctrdtest gives a test a containerd of its own: Debian's program with
// its root, state, socket, runc state and network below one temporary folder.
// Any number of them run side by side, and when a test ends nothing is left:
// no process, mount, network, control group or file. What a killed test run
// left is taken away by the next.
//
// It needs root, containerd, runc and the CNI plugins. Set
// MEDFORGE_TEST_CONTAINERD to a folder with the programs containerd and
// containerd-shim-runc-v2 to test against another version than the installed
// one.
package ctrdtest

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/driver/containerd"
	"github.com/medforge/medforge/pkg/driver/containerd/network"
	"github.com/medforge/medforge/pkg/testkit/child"
	"github.com/medforge/medforge/pkg/testkit/gobuild"
	"github.com/medforge/medforge/pkg/testkit/nettest"
)

// waitTime bounds waiting for something that a healthy machine does at once.
const waitTime = 60 * time.Second

// envPrograms names a folder with another containerd.
const envPrograms = "MEDFORGE_TEST_CONTAINERD"

// Containerd is a private containerd.
type Containerd struct {
	// Address is its socket, Namespace the namespace to use.
	Address, Namespace string
	// Dir holds everything; sockets in it have short paths.
	Dir string
	// Bridge and Subnet are free for the test.
	Bridge string
	Subnet netip.Prefix

	cli  *client.Client
	lock *os.File // held while the test process lives

	mu     sync.Mutex
	proc   *os.Process
	exited <-chan struct{}
}

// Start starts one. When the test ends it must be clean, see AssertClean, and
// is stopped.
func Start(tb testing.TB) *Containerd {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Fatal("this test starts containers and must run as root")
	}
	removeStale()
	name := nettest.Name("mft")
	c := &Containerd{Dir: filepath.Join(os.TempDir(), dirPrefix+name), Namespace: name, Bridge: name, Subnet: nettest.Subnet(tb)}
	c.Address = filepath.Join(c.Dir, "c.sock")
	if err := c.makeDir(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.end(tb) })
	c.Run(tb)
	var err error
	if c.cli, err = client.New(c.Address, client.WithTimeout(time.Second), client.WithDefaultNamespace(c.Namespace)); err != nil {
		tb.Fatal(err)
	}
	c.WaitReady(tb)
	return c
}

func (c *Containerd) makeDir() error {
	// It gets its name when it is locked: a test that starts meanwhile would
	// take one whose lock is free for what a killed test has left.
	nameless, err := os.MkdirTemp("", "medforge-new-")
	if err != nil {
		return err
	}
	if err := os.Chmod(nameless, 0o711); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(nameless, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	c.lock = f
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	if err := os.Rename(nameless, c.Dir); err != nil {
		return err
	}
	config := fmt.Sprintf(`version = 2
root = %q
state = %q
oom_score = 0
disabled_plugins = [
  "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.nri.v1.nri",
]
[grpc]
  address = %q
[plugins."io.containerd.internal.v1.opt"]
  path = %q
`, filepath.Join(c.Dir, "root"), filepath.Join(c.Dir, "state"), c.Address, filepath.Join(c.Dir, "opt"))
	return os.WriteFile(c.configPath(), []byte(config), 0o600)
}

func (c *Containerd) configPath() string { return filepath.Join(c.Dir, "config.toml") }

// Run starts the program, which must not run. WaitReady waits until it answers.
func (c *Containerd) Run(tb testing.TB) {
	tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.proc != nil {
		tb.Fatal("containerd runs already")
	}
	log, err := os.OpenFile(filepath.Join(c.Dir, "containerd.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	defer log.Close()
	program := "containerd"
	if dir := os.Getenv(envPrograms); dir != "" {
		program = filepath.Join(dir, program)
	}
	cmd := exec.Command(program, "-c", c.configPath())
	cmd.Args[0] = "containerd" // how leftovers recognises it
	cmd.Env = append(os.Environ(), "PATH="+strings.TrimPrefix(os.Getenv(envPrograms)+":"+os.Getenv("PATH"), ":"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	exited, err := child.Start(cmd)
	if err != nil {
		tb.Fatalf("starting containerd (install Debian's package containerd): %v", err)
	}
	c.proc, c.exited = cmd.Process, exited
}

// WaitReady returns when containerd answers.
func (c *Containerd) WaitReady(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitTime)
	defer cancel()
	// Waits for the connection, then asks.
	for {
		ok, err := c.cli.IsServing(ctx)
		if ok && err == nil {
			if _, err = c.cli.Version(ctx); err == nil {
				return
			}
		}
		if c.Exited() {
			tb.Fatalf("containerd ended by itself:\n%s", c.Log())
		}
		if ctx.Err() != nil {
			tb.Fatalf("containerd does not answer: %v\n%s", err, c.Log())
		}
	}
}

// Exited says whether the program is not running.
func (c *Containerd) Exited() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.proc == nil {
		return true
	}
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

// Kill ends the program with SIGKILL. Containers live on.
func (c *Containerd) Kill(tb testing.TB) { tb.Helper(); c.signal(tb, syscall.SIGKILL) }

// Stop ends the program with SIGTERM. Containers live on.
func (c *Containerd) Stop(tb testing.TB) { tb.Helper(); c.signal(tb, syscall.SIGTERM) }

func (c *Containerd) signal(tb testing.TB, sig syscall.Signal) {
	tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.proc == nil {
		return
	}
	_ = c.proc.Signal(sig)
	timer := time.NewTimer(waitTime)
	defer timer.Stop()
	select {
	case <-c.exited:
	case <-timer.C:
		tb.Errorf("containerd did not end at %v", sig)
		_ = c.proc.Kill()
		<-c.exited
	}
	c.proc = nil
}

// Log is what containerd printed.
func (c *Containerd) Log() string {
	b, _ := os.ReadFile(filepath.Join(c.Dir, "containerd.log"))
	return string(bytes.ToValidUTF8(b, nil))
}

// Client is connected, in the namespace.
func (c *Containerd) Client() *client.Client { return c.cli }

// Context is for calls with the Client; it ends with the test.
func (c *Containerd) Context(tb testing.TB) context.Context {
	return namespaces.WithNamespace(tb.Context(), c.Namespace)
}

// logProgram is built once per test binary.
var logProgram = sync.OnceValues(func() (string, error) {
	return gobuild.Build("github.com/medforge/medforge/cmd/medforge-log")
})

// Config is a configuration of the driver for this containerd.
func (c *Containerd) Config(tb testing.TB) containerd.Config {
	tb.Helper()
	logger, err := logProgram()
	if err != nil {
		tb.Fatal(err)
	}
	return containerd.Config{
		Address:    c.Address,
		Namespace:  c.Namespace,
		RunDir:     filepath.Join(c.Dir, "run"),
		LogDir:     filepath.Join(c.Dir, "log"),
		LogProgram: logger,
		RuncRoot:   filepath.Join(c.Dir, "runc"),
		Network:    network.Config{Bridge: c.Bridge, Subnet: c.Subnet},
	}
}

// Driver opens a driver, with changes to the configuration if change is not
// nil, and closes it when the test ends.
func (c *Containerd) Driver(tb testing.TB, change func(*containerd.Config)) *containerd.Driver {
	tb.Helper()
	config := c.Config(tb)
	if change != nil {
		change(&config)
	}
	d, err := containerd.Open(config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Errorf("closing the driver: %v", err)
		}
	})
	return d
}

// RemoveAll stops and removes every session by the driver, as reconciliation
// would, networks without containers too.
func RemoveAll(tb testing.TB, d *containerd.Driver) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitTime)
	defer cancel()
	all, err := d.List(ctx)
	if err != nil {
		tb.Errorf("listing what is left: %v", err)
	}
	slugs, err := d.Networks(ctx)
	if err != nil {
		tb.Errorf("listing networks that are left: %v", err)
	}
	for _, s := range all {
		slugs = append(slugs, s.Slug)
	}
	for _, slug := range slugs {
		if err := d.Stop(ctx, slug, 0); err != nil {
			tb.Errorf("stopping %s: %v", slug, err)
		}
		if err := d.Remove(ctx, slug); err != nil {
			tb.Errorf("removing %s: %v", slug, err)
		}
	}
}

// end is what happens when the test ends.
func (c *Containerd) end(tb testing.TB) {
	if c.cli != nil {
		if c.Exited() {
			c.mu.Lock()
			c.proc = nil
			c.mu.Unlock()
			c.Run(tb)
			c.WaitReady(tb)
		}
		if !tb.Failed() {
			c.AssertClean(tb)
		}
	}
	if tb.Failed() {
		tb.Logf("containerd's log ends with:\n%s", lastLines(c.Log(), 12))
	}
	c.forget(tb)
	if c.cli != nil {
		_ = c.cli.Close()
	}
	c.Stop(tb)
	if err := purge(c.Dir, c.Bridge, c.Namespace); err != nil {
		tb.Errorf("cleaning up: %v", err)
	}
	_ = c.lock.Close()
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
