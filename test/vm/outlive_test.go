package vm_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestSessionsOutlive: one session goes through all that can happen to the
// daemon and to what it stands on, and its process and its page never notice.
func TestSessionsOutlive(t *testing.T) {
	p, s, i, pid := session(t)
	for _, tt := range []struct {
		what string
		do   func(*testing.T, *ide)
	}{
		{"a restart", func(t *testing.T, _ *ide) { unit(t, "restart") }},
		{"a stop", func(t *testing.T, i *ide) { stopped(t, p, i) }},
		{"a kill", func(t *testing.T, _ *ide) { replaced(t, "KILL") }},
		{"a daemon that hangs", func(t *testing.T, _ *ide) { replaced(t, "STOP") }}, // the watchdog's
		{"an upgrade", func(t *testing.T, _ *ide) { upgraded(t) }},
		{"MariaDB's restart", databaseRestarted},
		{"containerd's restart", func(t *testing.T, _ *ide) { run(t, "systemctl", "restart", "containerd") }},
		{"an export of the pool", poolExported},
	} {
		t.Run(tt.what, func(t *testing.T) {
			i.t = t
			tt.do(t, i)
			well(t)
			lives(t, p, s, i, pid)
		})
	}
	i.t = t
}

func stopped(t *testing.T, p person, i *ide) {
	run(t, "systemctl", "stop", "medforged.socket", "medforged.service")
	if i.answers() {
		t.Error("the IDE answers without the daemon")
	}
	code, _, stderr := try(t, "runuser", p.args("session", "list")...)
	if code != 6 || !strings.Contains(stderr, "systemctl") {
		t.Errorf("without the daemon: exit code %d: %s", code, stderr)
	}
	unit(t, "start")
}

// replaced sends the daemon a signal and waits until systemd has started another.
func replaced(t *testing.T, signal string) {
	before := run(t, "systemctl", "show", "-P", "MainPID", "medforged.service")
	run(t, "systemctl", "kill", "--kill-whom=main", "--signal="+signal, "medforged.service")
	eventually(t, "another daemon runs", 5*time.Minute, func() bool {
		now := run(t, "systemctl", "show", "-P", "MainPID", "medforged.service")
		return now != before && now != "0" && active(t, "medforged.service")
	})
}

// upgraded has apt replace the program.
func upgraded(t *testing.T) {
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
}

func databaseRestarted(t *testing.T, i *ide) {
	run(t, "systemctl", "stop", "mariadb")
	if !i.answers() {
		t.Error("the IDE does not answer without the database")
	}
	run(t, "systemctl", "start", "mariadb")
}

// poolExported: an operator exports the pool while people work. ZFS does not let
// go of what sessions use; what it had unmounted before it noticed is an
// operator's to mount again.
func poolExported(t *testing.T, i *ide) {
	if code, _, stderr := try(t, "zpool", "export", "tank"); code == 0 || !strings.Contains(stderr, "busy") {
		t.Fatalf("zpool export: exit code %d: %s", code, stderr)
	}
	i.write("/workspace/still", "here")
	run(t, "zfs", "mount", "-a")
}

// lives checks that a session came through: the same process, and its IDE
// answers a browser that was there before.
func lives(t *testing.T, p person, s sess, i *ide, pid int) {
	t.Helper()
	eventually(t, "the IDE answers again", 5*time.Minute, i.answers)
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

// well waits until the daemon says so.
func well(t *testing.T) {
	t.Helper()
	var said string
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last answer of /healthz: %s", said)
		}
	})
	eventually(t, "the daemon is well", 5*time.Minute, func() bool {
		code, body, err := socketGet(context.Background(), "/healthz") // also in a clean-up
		said = fmt.Sprint(code, body, err)
		return err == nil && code == 200
	})
}
