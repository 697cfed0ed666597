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

// TestRestartRefusesNobody: callers on the socket and on the public listener, and
// one whose browser is at a session, wait while the daemon restarts; and one who
// follows events does not keep it from ending.
func TestRestartRefusesNobody(t *testing.T) {
	_, _, i, _ := session(t)
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
			if code, text, err := i.try("GET", "/healthz", ""); err != nil || code != 200 {
				t.Errorf("refused at a session: %d %s %v", code, text, err)
				return
			}
		}
	})
	wg.Go(func() {
		for ctx.Err() == nil {
			_, _, _ = socketGet(ctx, "/api/v1/events")
		}
	})
	for range 2 {
		before := [2]int64{asked[0].Load(), asked[1].Load()}
		unit(t, "restart")
		eventually(t, "callers are answered after the restart", 5*time.Minute, func() bool {
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
		_, _, err := get(context.Background(), "tcp", address, "http://medforge.localhost/healthz")
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
		unit(t, "restart")
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
	unit(t, "stop")
	if out := run(t, "medforge", "whoami"); !strings.Contains(out, "root") {
		t.Errorf("whoami says %q", out)
	}
	if !active(t, "medforged.service") {
		t.Error("the daemon does not run")
	}
}
