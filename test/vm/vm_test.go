// Package vm_test runs inside the virtual machine that test/vm/run boots: a
// production host with OpenZFS, systemd, containerd and MariaDB, on which
// docs/install.md was followed. The tests share that host, so they run one after
// the other; each leaves it as it found it.
package vm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const (
	parent     = "tank/medforge/workspaces" // docs/install.md's
	socketPath = "/run/medforge/medforged.sock"
	configPath = "/etc/medforge/medforged.toml"
	// publicAddress is http.listen of docs/install.md.
	publicAddress = "127.0.0.1:8080"
	// commandTimeout is generous: the machine may be emulated on busy cores.
	commandTimeout = 10 * time.Minute
)

func TestMain(m *testing.M) {
	if os.Getenv("MEDFORGE_TEST_VM") == "" {
		fmt.Println("MEDFORGE_TEST_VM is not set: these tests change the host they run on; test/vm/run runs them in a virtual machine")
		return
	}
	os.Exit(m.Run())
}

// try runs a command and returns its exit code, stdout and stderr.
func try(t testing.TB, name string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return cmd.ProcessState.ExitCode(), strings.TrimSpace(out.String()), strings.TrimSpace(said.String())
}

// unit starts, stops or restarts the daemon. These tests do so more often in a
// minute than its StartLimitBurst allows, after which the socket ends too.
func unit(t testing.TB, verb string) {
	t.Helper()
	run(t, "systemctl", "reset-failed", "medforged.service")
	run(t, "systemctl", verb, "medforged.service")
}

// run runs a command that must succeed and returns its stdout.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	code, stdout, stderr := try(t, name, args...)
	if code != 0 {
		t.Fatalf("%s %s: exit code %d\n%s\n%s", name, strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, within time.Duration, holds func() bool) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// person is a Unix user of the host, in the group medforge.
type person string

// newPerson makes one for this test.
func newPerson(t testing.TB, name string) person {
	t.Helper()
	if code, _, _ := try(t, "id", name); code != 0 {
		run(t, "useradd", "--create-home", name)
	}
	run(t, "usermod", "-aG", "medforge", name)
	return person(name)
}

// args are runuser's, for medforge as this person.
func (p person) args(args ...string) []string {
	return append([]string{"-u", string(p), "--", "env", "HOME=/home/" + string(p), "medforge"}, args...)
}

func (p person) medforge(t testing.TB, args ...string) string {
	t.Helper()
	return run(t, "runuser", p.args(args...)...)
}

// sess is what `medforge session show -o json` says.
type sess struct {
	ID           string `json:"id"`
	UserID       string `json:"user_id"`
	Status       string `json:"status"`
	Slug         string `json:"slug"`
	URL          string `json:"url"`
	GPUID        int    `json:"gpu_id"`
	ContainerID  string `json:"container_id"`
	WorkspaceZFS string `json:"workspace_zfs"`
	ErrorMessage string `json:"error_message"`
}

func decode[T any](t testing.TB, raw string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		t.Fatalf("%v in %q", err, raw)
	}
	return v
}

// start starts a session that is stopped when the test ends.
func (p person) start(t testing.TB, args ...string) sess {
	t.Helper()
	s := decode[sess](t, p.medforge(t, append([]string{"session", "start", "-o", "json"}, args...)...))
	if s.Status != "running" {
		t.Fatalf("the session is %+v", s)
	}
	t.Cleanup(func() {
		if s := p.show(t, s.Slug); s.Status == "running" {
			p.medforge(t, "session", "stop", s.Slug)
		}
	})
	return s
}

func (p person) show(t testing.TB, slug string) sess {
	t.Helper()
	return decode[sess](t, p.medforge(t, "session", "show", slug, "-o", "json"))
}

// container is the main process's id of a session, as containerd has it; 0
// when it does not run.
func container(t testing.TB, s sess) (pid int) {
	t.Helper()
	for line := range strings.Lines(run(t, "ctr", "-n", "medforge", "tasks", "list")) {
		var id, status string
		if n, _ := fmt.Sscan(line, &id, &pid, &status); n == 3 && id == s.ContainerID && status == "RUNNING" {
			return pid
		}
	}
	return 0
}

// snapshots are the names of a session's snapshots, as zfs has them.
func snapshots(t testing.TB, s sess) []string {
	t.Helper()
	out := run(t, "zfs", "list", "-H", "-o", "name", "-t", "snapshot", s.WorkspaceZFS)
	if out == "" {
		return nil
	}
	return strings.Split(out, "\n")
}

// active says whether a unit runs.
func active(t testing.TB, unit string) bool {
	t.Helper()
	code, _, _ := try(t, "systemctl", "is-active", unit)
	return code == 0
}
