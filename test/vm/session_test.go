package vm_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestSession is the main job: files, a snapshot at the stop, and a second
// session that goes on with them.
func TestSession(t *testing.T) {
	p := newPerson(t, "ada")
	s := p.start(t)
	if want := parent + "/" + s.UserID + "/" + s.ID; s.WorkspaceZFS != want {
		t.Errorf("the dataset is %s, want %s", s.WorkspaceZFS, want)
	}
	p.open(t, s).write("/workspace/notes.txt", "learning rate 3e-4\n")

	// Its processes have no part in the daemon's protection.
	if raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", container(t, s))); err != nil || strings.HasPrefix(string(raw), "-") {
		t.Errorf("oom_score_adj is %q, %v", raw, err)
	}

	// On the host: in the dataset's own mount, as the session's user, closed to
	// other people of the host.
	mount := run(t, "zfs", "get", "-H", "-o", "value", "mountpoint", s.WorkspaceZFS)
	file := filepath.Join(mount, "notes.txt")
	if raw, err := os.ReadFile(file); err != nil || string(raw) != "learning rate 3e-4\n" {
		t.Errorf("%s holds %q, %v", file, raw, err)
	}
	for _, path := range []string{mount, file} {
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if sys := st.Sys().(*syscall.Stat_t); sys.Uid != 1000 || sys.Gid != 1000 {
			t.Errorf("%s belongs to %d:%d", path, sys.Uid, sys.Gid)
		}
	}
	if code, _, _ := try(t, "runuser", "-u", "alice", "--", "cat", file); code == 0 {
		t.Errorf("another person of the host reads %s", file)
	}
	for property, want := range map[string]string{
		"quota": "107374182400", "refquota": "107374182400", "devices": "off", "setuid": "off",
	} {
		if got := run(t, "zfs", "get", "-Hp", "-o", "value", property, s.WorkspaceZFS); got != want {
			t.Errorf("%s is %s, want %s", property, got, want)
		}
	}

	p.medforge(t, "session", "stop", s.Slug)
	if s = p.show(t, s.Slug); s.Status != "stopped" {
		t.Fatalf("the session is %+v", s)
	}
	all := snapshots(t, s)
	if len(all) != 1 || !regexp.MustCompile(`^`+regexp.QuoteMeta(s.WorkspaceZFS)+`@stop-\d{13}$`).MatchString(all[0]) {
		t.Fatalf("the snapshots are %q", all)
	}
	if pid := container(t, s); pid != 0 {
		t.Errorf("its container still runs as %d", pid)
	}

	next := p.start(t, "--from", s.Slug)
	i := p.open(t, next)
	if got := i.read("/workspace/notes.txt"); got != "learning rate 3e-4\n" {
		t.Errorf("the new session reads %q", got)
	}
	i.write("/workspace/notes.txt", "changed\n")
	if raw, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(raw), "learning") {
		t.Errorf("the first session's file is %q, %v", raw, err)
	}
	if got := run(t, "zfs", "get", "-H", "-o", "value", "origin", next.WorkspaceZFS); got != all[0] {
		t.Errorf("the clone's origin is %s", got)
	}
}

// TestSecondSession: one for a person, and the message says what to do.
func TestSecondSession(t *testing.T) {
	p := newPerson(t, "ada")
	s := p.start(t)
	code, _, stderr := try(t, "runuser", p.args("session", "start")...)
	if code != 5 || !strings.Contains(stderr, s.Slug) && !strings.Contains(stderr, "session stop") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
