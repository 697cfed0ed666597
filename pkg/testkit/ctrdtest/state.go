package ctrdtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/pkg/namespaces"
)

// stateTime bounds each look of State: what it looks at may hang.
const stateTime = 5 * time.Second

// State tells what containerd and the kernel have of the sessions, for the log
// of a test that waited in vain: every container with its task's status, every
// process with the kernel's function that it waits in, the end of containerd's
// log and all of its goroutines.
func (c *Containerd) State() string {
	var b strings.Builder
	ctx, cancel := context.WithTimeout(namespaces.WithNamespace(context.Background(), c.Namespace), stateTime)
	defer cancel()
	containers, err := c.cli.Containers(ctx)
	if err != nil {
		fmt.Fprintf(&b, "containers cannot be listed: %v\n", err)
	}
	for _, x := range containers {
		fmt.Fprintf(&b, "container %s: %s\n", x.ID(), taskState(ctx, x.ID(), c))
	}
	for _, p := range processes(c.Dir) {
		proc := filepath.Join("/proc", fmt.Sprint(p.pid))
		wchan, _ := os.ReadFile(filepath.Join(proc, "wchan"))
		stat, _ := os.ReadFile(filepath.Join(proc, "stat"))
		_, rest, _ := strings.Cut(string(stat), ") ")
		state, _, _ := strings.Cut(rest, " ")
		fmt.Fprintf(&b, "process %d, %s in %s: %s\n", p.pid, state, wchan, p.args)
	}
	fmt.Fprintf(&b, "containerd's log ends with:\n%s\n", lastLines(c.Log(), 40))
	fmt.Fprintf(&b, "containerd's goroutines:\n%s\n", c.goroutines())
	return b.String()
}

func taskState(ctx context.Context, id string, c *Containerd) string {
	x, err := c.cli.LoadContainer(ctx, id)
	if err != nil {
		return err.Error()
	}
	task, err := x.Task(ctx, nil)
	if err != nil {
		return err.Error()
	}
	status, err := task.Status(ctx)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s, process %d", status.Status, task.Pid())
}

// goroutines has containerd write its own, which it does at SIGUSR1 to a file
// in the folder for temporary files.
func (c *Containerd) goroutines() string {
	if c.Exited() {
		return "(containerd does not run)"
	}
	c.mu.Lock()
	proc := c.proc
	c.mu.Unlock()
	path := filepath.Join(os.TempDir(), fmt.Sprintf("containerd.%d.stacks.log", proc.Pid))
	defer os.Remove(path)
	if err := proc.Signal(syscall.SIGUSR1); err != nil {
		return err.Error()
	}
	// The log says when the file is whole.
	for deadline := time.Now().Add(stateTime); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if strings.Contains(c.Log(), path) {
			break
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
