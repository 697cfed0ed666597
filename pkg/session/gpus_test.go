package session_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/porttest/fakeruntime"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/store/storetest"
)

// A container that has no row may still compute: its GPU is given to nobody.
// One that tells no GPU keeps none from anybody.
func TestStrayContainerKeepsItsGPU(t *testing.T) {
	t.Parallel()
	r := newStillRig(t, storetest.SQLiteConfig(t), 2)
	gpus, err := r.gpus.Inventory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for slug, uuidOf := range map[string]string{"straystr": gpus[0].UUID, "unmarked": ""} {
		spec := session.Spec{SessionID: uuid.NewString(), UserID: r.bob.UserID, Slug: slug, PackDigest: packDigest, GPUUUID: uuidOf}
		if err := r.runtime.Create(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		if err := r.runtime.Start(t.Context(), slug); err != nil {
			t.Fatal(err)
		}
	}
	if s := r.start(r.alice, session.StartRequest{}); s.GPUUUID != gpus[1].UUID {
		t.Errorf("given %s, want %s", s.GPUUUID, gpus[1].UUID)
	}
	_, err = r.Start(t.Context(), r.bob, session.StartRequest{})
	wantKind(t, err, fault.LimitReached, "sessions/no-gpu-available")
	for _, slug := range []string{"straystr", "unmarked"} {
		r.runtime.Exit(slug, 0)
		if err := r.runtime.Remove(t.Context(), slug); err != nil {
			t.Fatal(err)
		}
	}
	r.start(r.bob, session.StartRequest{})
}

func quick(o *session.Options) { o.SampleInterval = 5 * time.Millisecond }

func (r *rig) view(index int) session.GPUView {
	r.t.Helper()
	all, err := r.GPUs(r.t.Context(), r.alice)
	if err != nil {
		r.t.Fatal(err)
	}
	return all[index]
}

// A GPU that falls off the bus ends its session with that reason, files kept,
// and is given to nobody; other sessions go on.
func TestGPULost(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 2, quick)
	lost, other := r.start(r.alice, session.StartRequest{}), r.start(r.bob, session.StartRequest{})
	r.write(lost, "model.txt", "weights")
	if err := r.gpus.Break(lost.GPUUUID, "Xid 79: it fell off the bus; restart the host"); err != nil {
		t.Fatal(err)
	}
	end := r.await(lost.ID, session.Error)
	if end.StopReason != session.ReasonGPULost || !strings.Contains(end.ErrorMessage, "GPU 0 was lost: Xid 79") || !strings.Contains(end.ErrorMessage, "--from "+lost.Slug) {
		t.Errorf("%s: %q", end.StopReason, end.ErrorMessage)
	}
	if snaps, err := r.Snapshots(t.Context(), r.alice, lost.ID); err != nil || len(snaps) != 1 {
		t.Errorf("snapshots = %v, %v", snaps, err)
	}
	if !r.has(event.GPUQuarantined)() {
		t.Error("no event tells of the quarantine")
	}
	// Mended, it stays in quarantine until an admin has looked.
	if err := r.gpus.Break(lost.GPUUUID, ""); err != nil {
		t.Fatal(err)
	}
	r.eventually("a new reading", func() bool { return r.view(0).Fault == "" })
	status, reason := r.view(0).Status()
	if status != session.GPUQuarantined || reason != "During session "+lost.Slug+": Xid 79: it fell off the bus; restart the host" {
		t.Errorf("%s: %s", status, reason)
	}
	_, err := r.Start(t.Context(), r.alice, session.StartRequest{})
	wantKind(t, err, fault.LimitReached, "sessions/no-gpu-available")
	if row := r.await(other.ID, session.Running); row.StopReason != "" {
		t.Errorf("the other session: %+v", row)
	}
	if err := r.SetGPU(t.Context(), auth.Daemon(), "0", true); err != nil {
		t.Fatal(err)
	}
	if s := r.start(r.alice, session.StartRequest{From: lost.Slug}); s.GPUUUID != lost.GPUUUID || r.read(s, "model.txt") != "weights" {
		t.Errorf("started again: %+v", s)
	}
}

// A GPU lost while its session starts ends the start.
func TestGPULostInStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, quick)
	s := r.startSilent(r.alice)
	if err := r.gpus.Break(s.GPUUUID, "it is lost"); err != nil {
		t.Fatal(err)
	}
	if end := r.await(s.ID, session.Error); end.StopReason != session.ReasonGPULost || strings.Contains(end.ErrorMessage, "--from") {
		t.Errorf("%s: %q", end.StopReason, end.ErrorMessage)
	}
	r.clean()
}

// A GPU that somebody uses is given to nobody: the start that finds out fails,
// the next one gets another device.
func TestGPUNotCleanBeforeStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 2, nil)
	first := r.view(0).UUID
	if err := r.gpus.Hold(first, "process 4711 \"miner\" with 2GiB"); err != nil {
		t.Fatal(err)
	}
	s, err := r.Start(t.Context(), r.alice, session.StartRequest{})
	if err != nil {
		t.Fatal(err)
	}
	end := r.await(s.ID, session.Error)
	if end.StopReason != session.ReasonStartFailed || !strings.Contains(end.ErrorMessage, "4711") || !strings.Contains(end.ErrorMessage, "Start again") {
		t.Errorf("%s: %q", end.StopReason, end.ErrorMessage)
	}
	if status, reason := r.view(0).Status(); status != session.GPUQuarantined || !strings.HasPrefix(reason, "Before session "+s.Slug) {
		t.Errorf("%s: %s", status, reason)
	}
	r.clean()
	if s := r.start(r.alice, session.StartRequest{}); s.GPUUUID == first {
		t.Error("given again")
	}
}

// What a session itself computes, when the daemon restarts in the middle of
// its start, does not put its GPU into quarantine.
func TestRestartedStartKeepsItsGPU(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	s := r.startSilent(r.alice)
	r.stop()
	if err := r.gpus.Hold(s.GPUUUID, "process 4711"); err != nil {
		t.Fatal(err)
	}
	r.sockets.set(true, nil)
	r.run()
	r.await(s.ID, session.Running)
	if status, reason := r.view(0).Status(); status != session.GPUInUse || reason != "" {
		t.Errorf("%s: %s", status, reason)
	}
}

// A runtime that does not answer is no reason to doubt the GPU.
func TestRuntimeAwayAtTheCheck(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	r.stop()
	r.runtime.Before = func(_ context.Context, op fakeruntime.Op, slug string) error {
		if op == fakeruntime.OpInspect && slug != "" {
			return fault.New(fault.Unavailable, "runtime/unavailable", "Not now.")
		}
		return nil
	}
	r.run()
	s, err := r.Start(t.Context(), r.alice, session.StartRequest{})
	if err != nil {
		t.Fatal(err)
	}
	r.await(s.ID, session.Error)
	if status, _ := r.view(0).Status(); status != session.GPUFree {
		t.Errorf("the GPU is %s", status)
	}
}

// Disabling neither ends a session nor a quarantine.
func TestDisableKeepsTheRest(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, nil)
	s := r.start(r.alice, session.StartRequest{})
	if err := r.SetGPU(t.Context(), auth.Daemon(), "0", false); err != nil {
		t.Fatal(err)
	}
	if status, reason := r.view(0).Status(); status != session.GPUInUse || !strings.Contains(reason, "disabled") {
		t.Errorf("%s: %s", status, reason)
	}
	if err := r.gpus.Hold(s.GPUUUID, "process 4711"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Stop(t.Context(), r.alice, s.ID); err != nil {
		t.Fatal(err)
	}
	r.await(s.ID, session.Stopped)
	if err := r.SetGPU(t.Context(), auth.Daemon(), "0", false); err != nil {
		t.Fatal(err)
	}
	if status, reason := r.view(0).Status(); status != session.GPUQuarantined || !strings.Contains(reason, "4711") {
		t.Errorf("%s: %s", status, reason)
	}
}

// countedGPUs counts the readings.
type countedGPUs struct {
	session.GPUs
	n atomic.Int64
}

func (c *countedGPUs) Inventory(ctx context.Context) ([]session.GPU, error) {
	c.n.Add(1)
	return c.GPUs.Inventory(ctx)
}

// One reading serves every reader; the stream carries it to every account, and
// a host that nobody uses is not asked.
func TestSamples(t *testing.T) {
	t.Parallel()
	counted := &countedGPUs{}
	var listening atomic.Bool
	var asked atomic.Int64
	r := newRig(t, storetest.SQLiteConfig(t), 2, func(o *session.Options) {
		counted.GPUs, o.GPUs = o.GPUs, counted
		o.PollInterval = time.Hour
		o.SampleInterval = time.Hour
		o.Listening = func() bool { asked.Add(1); return listening.Load() }
	})
	r.eventually("the first look", func() bool { return counted.n.Load() > 0 })
	for range 50 {
		r.view(0)
		if _, err := r.Sample(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := counted.n.Load(); n != 1 {
		t.Errorf("%d readings for many readers", n)
	}

	r.stop()
	r.options.SampleInterval = time.Millisecond
	r.run()
	r.eventually("some ticks", func() bool { return asked.Load() > 5 })
	if r.has(event.GPUSample)() {
		t.Error("a sample, and nobody is there")
	}
	listening.Store(true)
	r.eventually("a sample for the listener", r.has(event.GPUSample))
	listening.Store(false)
	s := r.start(r.alice, session.StartRequest{})
	var last event.Event
	r.eventually("a sample of the session", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, e := range r.events {
			if e.Type == event.GPUSample {
				last = e
			}
		}
		text, err := json.Marshal(last.Data)
		return err == nil && strings.Contains(string(text), `"session":"`+s.Slug+`"`)
	})
	if !last.Volatile || !last.SignedIn || last.Public || last.UserID != "" {
		t.Errorf("%+v", last)
	}
	var data struct {
		GPUs []struct {
			Index       int    `json:"index"`
			UUID        string `json:"uuid"`
			Status      string `json:"status"`
			MemoryTotal int64  `json:"memory_total_bytes"`
			Temperature int    `json:"temperature_c"`
			Processes   []any  `json:"processes"`
		} `json:"gpus"`
	}
	text, err := json.Marshal(last.Data)
	if err == nil {
		err = json.Unmarshal(text, &data)
	}
	if err != nil || len(data.GPUs) != 2 || data.GPUs[0].Status != "in_use" || data.GPUs[1].Status != "free" ||
		data.GPUs[0].UUID != s.GPUUUID || data.GPUs[0].MemoryTotal == 0 || data.GPUs[0].Temperature == 0 || data.GPUs[0].Processes == nil {
		t.Errorf("%s %v", text, err)
	}
}

// What a session did is not shown of its GPU when it is free again.
func TestSampleAfterStop(t *testing.T) {
	t.Parallel()
	counted := &countedGPUs{}
	r := newRig(t, storetest.SQLiteConfig(t), 1, func(o *session.Options) {
		counted.GPUs, o.GPUs = o.GPUs, counted
		o.SampleInterval = time.Hour
	})
	s := r.start(r.alice, session.StartRequest{})
	r.view(0)
	before := counted.n.Load()
	if _, err := r.Stop(t.Context(), r.alice, s.ID); err != nil {
		t.Fatal(err)
	}
	r.await(s.ID, session.Stopped)
	if r.view(0); counted.n.Load() == before {
		t.Error("the GPU is shown as it was in the session")
	}
}

// A reader who goes away takes the reading from nobody.
func TestSampleOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	r := newRig(t, storetest.SQLiteConfig(t), 1, func(o *session.Options) {
		o.PollInterval, o.SampleInterval = time.Hour, time.Hour
	})
	r.eventually("the first look", func() bool { _, err := r.Sample(t.Context()); return err == nil })
	r.stop()
	r.run()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = r.GPUs(gone, r.alice) // its own answer does not matter
	if _, err := r.Sample(t.Context()); err != nil {
		t.Errorf("the next reader: %v", err)
	}
}
