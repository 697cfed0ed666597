package vm_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// lives checks that a session came through: the same process, and its IDE
// answers a browser that was there before.
func lives(t *testing.T, p person, s sess, i *ide, pid int) {
	t.Helper()
	eventually(t, "the IDE answers again", time.Minute, i.answers)
	if err := i.talks(); err != nil {
		t.Errorf("a WebSocket to the IDE: %v", err)
	}
	if now := container(t, s); now != pid {
		t.Errorf("the session's process was %d and is %d", pid, now)
	}
	if got := p.show(t, s.Slug); got.Status != "running" {
		t.Errorf("the session is %+v", got)
	}
}

func session(t *testing.T) (person, sess, *ide, int) {
	t.Helper()
	p := newPerson(t, "grace")
	s := p.start(t)
	i := p.open(t, s)
	pid := container(t, s)
	if pid == 0 {
		t.Fatal("containerd does not know the session's process")
	}
	return p, s, i, pid
}

func TestRestartLeavesSessions(t *testing.T) {
	p, s, i, pid := session(t)
	run(t, "systemctl", "restart", "medforged.service")
	lives(t, p, s, i, pid)
}

func TestStopLeavesSessions(t *testing.T) {
	p, s, i, pid := session(t)
	run(t, "systemctl", "stop", "medforged.socket", "medforged.service")
	if i.answers() {
		t.Error("the IDE answers without the daemon")
	}
	if now := container(t, s); now != pid {
		t.Errorf("the session's process was %d and is %d", pid, now)
	}
	code, _, stderr := try(t, "runuser", p.args("session", "list")...)
	if code != 6 || !strings.Contains(stderr, "systemctl") {
		t.Errorf("without the daemon: exit code %d: %s", code, stderr)
	}
	run(t, "systemctl", "start", "medforged.service")
	lives(t, p, s, i, pid)
}

// TestKilledDaemonComesBack: systemd starts it again.
func TestKilledDaemonComesBack(t *testing.T) {
	p, s, i, pid := session(t)
	before := run(t, "systemctl", "show", "-P", "MainPID", "medforged.service")
	run(t, "systemctl", "kill", "--kill-whom=main", "--signal=KILL", "medforged.service")
	eventually(t, "another daemon runs", 2*time.Minute, func() bool {
		now := run(t, "systemctl", "show", "-P", "MainPID", "medforged.service")
		return now != before && now != "0" && active(t, "medforged.service")
	})
	lives(t, p, s, i, pid)
}

// TestHangingDaemonIsRestarted: the watchdog notices one that no longer serves.
func TestHangingDaemonIsRestarted(t *testing.T) {
	p, s, i, pid := session(t)
	before := run(t, "systemctl", "show", "-P", "MainPID", "medforged.service")
	run(t, "systemctl", "kill", "--kill-whom=main", "--signal=STOP", "medforged.service")
	eventually(t, "another daemon runs", 5*time.Minute, func() bool {
		now := run(t, "systemctl", "show", "-P", "MainPID", "medforged.service")
		return now != before && now != "0" && active(t, "medforged.service")
	})
	lives(t, p, s, i, pid)
}

// TestRestartRefusesNobody: callers on the socket and on the public listener
// wait while the daemon is away, also when it was killed; and one who follows
// events does not keep it from ending.
func TestRestartRefusesNobody(t *testing.T) {
	ctx, end := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer end()
	var asked [2]atomic.Int64
	for i, get := range []func(context.Context, string) (int, string, error){socketGet, publicGet} {
		for range 2 {
			wg.Go(func() {
				for ctx.Err() == nil {
					code, body, err := get(context.WithoutCancel(ctx), "/healthz")
					asked[i].Add(1)
					// 503 is an answer: it serves, and says what it has not looked at yet.
					if err != nil || code != 200 && code != 503 {
						t.Errorf("refused: %d %s %v", code, body, err)
						return
					}
				}
			})
		}
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			_, _, _ = socketGet(ctx, "/api/v1/events")
		}
	})
	for range 2 {
		before := [2]int64{asked[0].Load(), asked[1].Load()}
		run(t, "systemctl", "restart", "medforged.service")
		eventually(t, "callers are answered after the restart", time.Minute, func() bool {
			return t.Failed() || asked[0].Load() > before[0]+10 && asked[1].Load() > before[1]+10
		})
	}
	if out := run(t, "journalctl", "-u", "medforged", "-n", "200", "-o", "cat"); strings.Contains(out, "State 'stop-sigterm' timed out") {
		t.Errorf("the daemon did not end by itself:\n%s", out)
	}
}

// TestListenAddressChanges: systemd keeps the public listener, and gives it up
// when the configuration names another.
func TestListenAddressChanges(t *testing.T) {
	stored := func() string { return run(t, "systemctl", "show", "-P", "NFileDescriptorStore", "medforged.service") }
	answers := func(address string) bool {
		_, _, err := get(t.Context(), "tcp", address, "http://medforge.localhost/healthz")
		return err == nil
	}
	if n := stored(); n != "1" {
		t.Errorf("systemd keeps %s descriptors, want the public listener", n)
	}
	config, err := os.ReadFile(configPath)
	if err != nil {
		t.Fatal(err)
	}
	with := func(text string) {
		t.Helper()
		if err := os.WriteFile(configPath, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, "systemctl", "restart", "medforged.service")
	}
	const other = "127.0.0.1:8081"
	t.Cleanup(func() {
		with(string(config))
		if !answers(publicAddress) || answers(other) || stored() != "1" {
			t.Errorf("back at %s: it answers %v, %s answers %v, systemd keeps %s", publicAddress, answers(publicAddress), other, answers(other), stored())
		}
	})
	with(strings.Replace(string(config), publicAddress, other, 1))
	if !answers(other) || answers(publicAddress) {
		t.Errorf("%s answers %v, the old %s answers %v", other, answers(other), publicAddress, answers(publicAddress))
	}
	if n := stored(); n != "1" {
		t.Errorf("systemd keeps %s descriptors, want the new listener", n)
	}
}

// TestSocketStartsTheDaemon: a caller is enough.
func TestSocketStartsTheDaemon(t *testing.T) {
	run(t, "systemctl", "stop", "medforged.service")
	if out := run(t, "medforge", "whoami"); !strings.Contains(out, "root") {
		t.Errorf("whoami says %q", out)
	}
	if !active(t, "medforged.service") {
		t.Error("the daemon does not run")
	}
}

// TestUpgrade: apt replaces the program while a session runs.
func TestUpgrade(t *testing.T) {
	p, s, i, pid := session(t)
	before := run(t, "systemctl", "show", "-P", "MainPID", "medforged.service")
	config, err := os.ReadFile(configPath)
	if err != nil {
		t.Fatal(err)
	}
	run(t, "apt-get", "install", "-y", "/mnt/payload/upgrade/medforge_upgrade_amd64.deb")
	if v := run(t, "dpkg-query", "-W", "-f=${Version}", "medforge"); !strings.HasSuffix(v, "+upgrade") {
		t.Errorf("the version is %s", v)
	}
	if now := run(t, "systemctl", "show", "-P", "MainPID", "medforged.service"); now == before || now == "0" {
		t.Errorf("the daemon was %s and is %s", before, now)
	}
	if after, err := os.ReadFile(configPath); err != nil || string(after) != string(config) {
		t.Errorf("the configuration was changed: %v", err)
	}
	if st, err := os.Stat(configPath); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the configuration's mode: %v, %v", st.Mode(), err)
	}
	lives(t, p, s, i, pid)
}
