package zfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/medforge/medforge/pkg/driver/internal/workspace"
	"github.com/medforge/medforge/pkg/fault"
)

const (
	// commandLimit bounds a command whose context has no deadline.
	commandLimit = time.Minute
	// killWait is how long a killed command may take to end. One that waits for
	// a suspended pool never does: it is left to itself.
	killWait = time.Second
	// parallel commands, those left to themselves included: a pool that hangs
	// must not fill the host with processes.
	parallel  = 8
	maxOutput = 64 << 20
)

// commands runs zfs and zpool.
type commands struct {
	zfsPath, zpoolPath string
	slots              chan struct{}
}

func newCommands(zfs, zpool string) *commands {
	c := &commands{zfsPath: zfs, zpoolPath: zpool, slots: make(chan struct{}, parallel)}
	if c.zfsPath == "" {
		c.zfsPath = "zfs"
	}
	if c.zpoolPath == "" {
		c.zpoolPath = "zpool"
	}
	return c
}

// zfs runs zfs and returns the fields of each line of its output.
func (c *commands) zfs(ctx context.Context, args ...string) ([][]string, error) {
	return c.run(ctx, c.zfsPath, args)
}

func (c *commands) zpool(ctx context.Context, args ...string) ([][]string, error) {
	return c.run(ctx, c.zpoolPath, args)
}

// failure is a command that ended with a status other than 0.
type failure struct {
	args   []string
	status int
	stderr string
}

func (f *failure) Error() string {
	return fmt.Sprintf("%s: exit status %d: %s", strings.Join(f.args, " "), f.status, strings.TrimSpace(f.stderr))
}

func (c *commands) run(ctx context.Context, program string, args []string) ([][]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, workspace.Interrupted(err)
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, commandLimit)
		defer cancel()
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, hangs(program, args, ctx.Err())
	}
	path, err := lookup(program)
	if err != nil {
		<-c.slots
		return nil, fault.Wrap(err, fault.Unavailable, "workspaces/zfs-not-installed",
			"the program %s is not installed: apt install zfsutils-linux", program)
	}
	var stdout, stderr limited
	cmd := exec.Command(path, args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = killWait
	if err := cmd.Start(); err != nil {
		<-c.slots
		return nil, fault.Wrap(err, fault.Unavailable, "workspaces/zfs-not-installed", "the program %s cannot be run", program)
	}
	done := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		<-c.slots
		done <- err
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		cmd.Process.Kill()
		select {
		case <-done:
			return nil, workspace.Interrupted(ctx.Err())
		case <-time.After(killWait):
			return nil, hangs(program, args, ctx.Err())
		}
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, &failure{args: append([]string{program}, args...), status: exit.ExitCode(), stderr: stderr.String()}
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	return fields(stdout.String()), nil
}

func hangs(program string, args []string, cause error) error {
	return fault.Wrap(fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), cause), fault.Unavailable, "workspaces/zfs-hangs",
		"ZFS does not answer; the pool may be suspended: zpool status -x")
}

// lookup finds a program also where only root's PATH has it.
func lookup(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil || strings.Contains(program, "/") {
		return path, err
	}
	for _, dir := range []string{"/usr/sbin/", "/sbin/", "/usr/local/sbin/"} {
		if _, statErr := os.Stat(dir + program); statErr == nil {
			return dir + program, nil
		}
	}
	return "", err
}

// fields splits parseable output: a line each, tabs between.
func fields(out string) [][]string {
	var rows [][]string
	for line := range strings.Lines(out) {
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			rows = append(rows, strings.Split(line, "\t"))
		}
	}
	return rows
}

// limited keeps the first bytes of what a command says.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxOutput {
		return 0, errors.New("the command says more than can be read")
	}
	return l.Buffer.Write(p)
}
