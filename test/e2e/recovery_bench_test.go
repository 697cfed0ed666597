package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/testkit/promised"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// BenchmarkStop is what a stop takes above its process's own end: from the end
// of the session's main process until the snapshot, and until the stop, is
// recorded. With code-server, and a workspace of 1,000 files.
func BenchmarkStop(b *testing.B) {
	archive := promised.Pack(b)
	h := newHost(b, "")
	h.must("admin", "pack", "import", archive)
	var own, snapshot, all []time.Duration
	for b.Loop() {
		s := h.start()
		for i := range 1000 {
			path := filepath.Join(h.workspace(s), "f"+string(rune('a'+i%26))+strings.Repeat("x", i/26))
			if err := os.WriteFile(path, make([]byte, 4096), 0o644); err != nil {
				b.Fatal(err)
			}
		}
		ended := watch.Ended(b, h.mainProcess(s))
		begin := time.Now()
		h.must("session", "stop", s.Slug)
		end := <-ended
		own = append(own, end.Sub(begin))
		snapshot = append(snapshot, h.eventTime(event.SessionSnapshot, s.ID).Sub(end))
		all = append(all, h.eventTime(event.SessionStop, s.ID).Sub(end))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(median(own).Milliseconds()), "ms-process-end")
	b.ReportMetric(float64(median(snapshot).Milliseconds()), "ms-snapshot-above")
	b.ReportMetric(float64(median(all).Milliseconds()), "ms-stopped-above")
}

// BenchmarkRestart is from the start of the daemon, killed with seven sessions,
// until they are reconciled: the answer to a reconciliation that is asked for
// as soon as the socket is there.
func BenchmarkRestart(b *testing.B) {
	h := miniBench(b)
	for range 7 {
		h.start()
	}
	var took []time.Duration
	for b.Loop() {
		h.signal(syscall.SIGKILL)
		begin := time.Now()
		h.up()
		var r api.Reconciled
		h.decode(h.must("admin", "reconcile", "-o", "json"), &r)
		took = append(took, time.Since(begin))
		if r.Active != 7 || len(r.Orphans) > 0 {
			b.Fatalf("%+v", r)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(median(took).Milliseconds()), "ms/restart")
}

// BenchmarkDeath is from the end of a session's main process, unasked for,
// until its row says so.
func BenchmarkDeath(b *testing.B) {
	h := miniBench(b)
	var took []time.Duration
	for b.Loop() {
		s := h.start()
		ended := watch.Ended(b, h.mainProcess(s))
		if err := syscall.Kill(h.mainProcess(s), syscall.SIGKILL); err != nil {
			b.Fatal(err)
		}
		end := <-ended
		h.eventually("the end of the session", func() bool { return h.session(s.Slug).Status == api.SessionError })
		took = append(took, h.eventTime(event.SessionStopping, s.ID).Sub(end))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(median(took).Milliseconds()), "ms-median")
}

// miniBench is a host with the small Pack and room for seven.
func miniBench(b *testing.B) *host {
	h := newHost(b, "[session]\nper_user = 7\n")
	h.importMini()
	return h
}

// mainProcess is the pid of a session's main process on the host.
func (h *host) mainProcess(s api.Session) int {
	h.t.Helper()
	c, err := h.ctrd.Client().LoadContainer(h.ctrd.Context(h.t), session.ContainerName(s.Slug))
	if err != nil {
		h.t.Fatal(err)
	}
	task, err := c.Task(h.ctrd.Context(h.t), nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return int(task.Pid())
}

// eventTime is when a session's event was written.
func (h *host) eventTime(t event.Type, id string) (at time.Time) {
	h.t.Helper()
	h.eventually(string(t), func() bool {
		for line := range strings.Lines(h.events()) {
			if !strings.HasSuffix(line, "\n") {
				break // half a line yet
			}
			var e event.Event
			h.decode(line, &e)
			if e.Type == t && e.SessionID == id {
				at = e.Time
				return true
			}
		}
		return false
	})
	return at
}
