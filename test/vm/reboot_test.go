package vm_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

const rebootFile = "/root/reboot.json"

// TestRebootBefore leaves a running session with a file in it. test/vm/run then
// restarts the machine.
func TestRebootBefore(t *testing.T) {
	p := newPerson(t, "hedy")
	s := decode[sess](t, p.medforge(t, "session", "start", "-o", "json"))
	p.open(t, s).write("/workspace/model.bin", "weights")
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(rebootFile, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRebootAfter: the daemon came up by itself, the session has ended with its
// snapshot, its GPU is free, and its files go on in a new one.
func TestRebootAfter(t *testing.T) {
	raw, err := os.ReadFile(rebootFile)
	if err != nil {
		t.Fatal(err)
	}
	s := decode[sess](t, string(raw))
	p := person("hedy")
	eventually(t, "the daemon serves", 5*time.Minute, func() bool { return active(t, "medforged.service") })
	ended(t, p, s)
	next := p.start(t, "--from", s.Slug)
	if got := p.open(t, next).read("/workspace/model.bin"); got != "weights" {
		t.Errorf("the file holds %q", got)
	}
}
