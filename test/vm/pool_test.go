package vm_test

import (
	"os"
	"strings"
	"testing"
	"time"
)

// diskState is where Linux says, and can be told, whether the pool's disk answers.
const diskState = "/sys/block/sda/device/state"

// poolDisk takes the pool's disk away ("offline"), or brings it back ("running").
func poolDisk(t *testing.T, state string) {
	t.Helper()
	if err := os.WriteFile(diskState, []byte(state+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestPoolLosesItsDisk: the disk of the pool stops to answer while people work.
// ZFS then lets everything wait that has to reach the disk (failmode=wait). The
// daemon does not wait with it: it says what is wrong and what mends it, and when
// that is done everything goes on, with nothing lost.
func TestPoolLosesItsDisk(t *testing.T) {
	p, s, i, pid := session(t)
	other := newPerson(t, "ada")
	ending := other.start(t)
	other.open(t, ending).write("/workspace/before", "the end")
	i.write("/workspace/before", "safe")
	run(t, "zpool", "sync", "tank")

	poolDisk(t, "offline")
	away := true
	back := func() {
		if away {
			away = false
			poolDisk(t, "running")
			run(t, "zpool", "clear", "tank")
		}
	}
	t.Cleanup(back)
	i.write("/workspace/during", "written into memory")
	eventually(t, "ZFS has noticed", 5*time.Minute, func() bool {
		return run(t, "zpool", "list", "-Hp", "-o", "health", "tank") == "SUSPENDED"
	})
	// It waits until the disk is back, longer than its caller, whose connection
	// ends with the daemon's restart below.
	go func() { _, _, _ = i.try("POST", "/probe/file?path=/workspace/waits", "until the disk is back") }()

	eventually(t, "healthz says it", 5*time.Minute, func() bool {
		code, body, err := socketGet(t.Context(), "/healthz")
		return err == nil && code == 503 && strings.Contains(body, "SUSPENDED") && strings.Contains(body, "zpool clear tank")
	})
	code, out, _ := try(t, "medforge", "doctor")
	if code != 1 || !strings.Contains(out, "zpool clear tank") {
		t.Errorf("doctor: exit code %d:\n%s", code, out)
	}
	third := newPerson(t, "grete")
	code, _, stderr := try(t, "runuser", third.args("session", "start")...)
	if code == 0 || !strings.Contains(stderr, "zpool clear tank") {
		t.Errorf("a start: exit code %d: %s", code, stderr)
	}
	other.medforge(t, "session", "stop", "--no-wait", ending.Slug)
	if !i.answers() {
		t.Error("the IDE does not answer")
	}
	if got := i.read("/workspace/before"); got != "safe" {
		t.Errorf("the file holds %q", got)
	}
	// The daemon can be restarted meanwhile.
	unit(t, "restart")
	if now := p.show(t, s.Slug); now.Status != "running" {
		t.Errorf("the session is %+v", now)
	}
	if now := other.show(t, ending.Slug); now.Status != "stopping" {
		t.Errorf("a session cannot end without its snapshot, and it is %+v", now)
	}

	back()
	well(t)
	lives(t, p, s, i, pid)
	for path, want := range map[string]string{"before": "safe", "during": "written into memory", "waits": "until the disk is back"} {
		eventually(t, path+" holds what was written", 5*time.Minute, func() bool { return i.read("/workspace/"+path) == want })
	}
	ended(t, other, ending)
	next := other.start(t, "--from", ending.Slug)
	if got := other.open(t, next).read("/workspace/before"); got != "the end" {
		t.Errorf("the ended session's file holds %q", got)
	}
}
