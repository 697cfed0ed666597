package vm_test

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestQuota: a workspace fills while somebody works in it. Who writes is told,
// the marks are events, show has the numbers, and nothing else suffers: the
// session goes on, can be stopped, and its files are there in the next one.
func TestQuota(t *testing.T) {
	p, s, i, pid := session(t)
	run(t, "zfs", "set", "refquota=32M", s.WorkspaceZFS)
	chunk := make([]byte, 4<<20)
	if _, err := rand.Read(chunk); err != nil { // it must not compress
		t.Fatal(err)
	}
	fill := func(n int) (said string) {
		for k := range n {
			if code, text := i.do("POST", fmt.Sprintf("/probe/file?path=/workspace/data.%d.%d", n, k), string(chunk)); code != 200 {
				return text
			}
		}
		return ""
	}
	mark := func(percent int) {
		t.Helper()
		want := fmt.Sprintf(`"mark":%d`, percent)
		eventually(t, want+" is an event", 5*time.Minute, func() bool {
			for line := range strings.Lines(run(t, "journalctl", "-u", "medforged", "-o", "cat", "--since", "-10min")) {
				if strings.Contains(line, "session.space") && strings.Contains(line, s.Slug) && strings.Contains(line, want) {
					return true
				}
			}
			return false
		})
	}
	if said := fill(7); said != "" {
		t.Fatalf("28 of 32 MiB: %s", said)
	}
	mark(80)
	// What a terminal's prompt in the session goes by.
	mount := run(t, "zfs", "get", "-H", "-o", "value", "mountpoint", s.WorkspaceZFS)
	if out := run(t, "df", "--output=pcent", mount); !regexp.MustCompile(`\n *8\d%$`).MatchString(out) {
		t.Errorf("with 28 of 32 MiB df says %q", out)
	}
	if said := fill(5); !strings.Contains(said, "disk quota exceeded") {
		t.Errorf("a full workspace says %q to who writes", said)
	}
	mark(95)
	if out := p.medforge(t, "session", "show", s.Slug); !strings.Contains(out, "of 32") || !strings.Contains(out, "%") {
		t.Errorf("show says nothing of the space:\n%s", out)
	}
	lives(t, p, s, i, pid)

	p.medforge(t, "session", "stop", s.Slug)
	if all := snapshots(t, s); len(all) != 1 {
		t.Errorf("the snapshots of a full workspace are %q", all)
	}
	next := p.start(t, "--from", s.Slug)
	if got := p.open(t, next).read("/workspace/data.7.6"); got == "" {
		t.Error("a file of the full workspace is gone")
	}
}
