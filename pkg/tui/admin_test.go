package tui

import (
	"testing"
	"time"

	"github.com/muesli/termenv"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

// asRoot is a host that an admin looks at.
func asRoot(d *fake) *fake {
	d.me = root()
	return d
}

func TestAdminFrames(t *testing.T) {
	t.Parallel()
	r := newOn(t, asRoot(empty()), "5")
	r.golden("admin-empty")

	r = newOn(t, asRoot(full()), "5")
	r.golden("admin-users")
	r.keys("l")
	r.golden("admin-packs")
	r.keys("l")
	r.golden("admin-queue")
	r.keys("l")
	r.golden("admin-health")
	r.keys("R", "y")
	r.d.health = api.Health{Status: api.HealthDegraded, Why: "containerd: it does not answer", Parts: []api.Degradation{{Part: "containerd", Why: "it does not answer", Since: ago(time.Minute)}}}
	r.events(api.Event{Type: "daemon.degraded"})
	r.keys("j", "j")
	r.golden("admin-reconciled")
	r.send(feedMsg{conn: connection{err: gone, retry: r.at.Add(4 * time.Second), turn: 1}})
	r.golden("admin-lost")

	d := asRoot(full())
	r = newRig(t, d, termenv.Ascii, true)
	d.err = fault.New(fault.Denied, "auth/admin-only", "Only an admin may do this.")
	r.m.screens[4].(*admin).users = list[api.User]{}
	r.keys("5")
	r.golden("admin-error")
}

func TestTheAdminsScreenIsForAdmins(t *testing.T) {
	t.Parallel()
	r := newRig(t, full(), termenv.Ascii, true)
	r.hasNot("Admin")
	r.keys("5", "a")
	r.has("Your sessions")
	r.d.me = root()
	r.send(feedMsg{conn: connection{up: true, turn: 2}})
	r.has("5 Admin")
	r.keys("5")
	r.d.me = alice()
	r.send(feedMsg{conn: connection{up: true, turn: 3}})
	r.hasNot("Admin")
}

func TestWhatAdminsDoIsAskedOnce(t *testing.T) {
	t.Parallel()
	d := asRoot(full())
	r := newOn(t, d, "5")
	r.keys("j", "d")
	r.has("Disable Alice Öztürk?")
	r.keys("n")
	if d.called("user " + aliceID + " disabled=true") {
		t.Error("no means no")
	}
	r.keys("d", "y")
	if !d.called("user " + aliceID + " disabled=true") {
		t.Errorf("called %v", d.calls)
	}
	r.has("signed out everywhere")
	r.keys("e", "l", "j", "enter", "y")
	if !d.called("user "+aliceID+" disabled=false") || !d.called("use sha256:60303ae22b998861bce3b28f33eec1be") {
		t.Errorf("called %v", d.calls)
	}
	r.keys("2", "d", "y", "e")
	if !d.called("gpu GPU-0 false") || !d.called("gpu GPU-0 true") {
		t.Errorf("called %v", d.calls)
	}
	r.keys("1", "a")
	r.has("Everybody's sessions", "OWNER", "Alice Öztürk")
}
