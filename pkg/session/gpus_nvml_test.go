//go:build cgo

package session_test

import (
	"slices"
	"strings"
	"testing"

	gonvml "github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/store/storetest"
	"github.com/medforge/medforge/pkg/testkit/nvmltest"
)

// newGPURig is a rig whose GPUs are NVIDIA's mock behind the real driver.
// given are the devices that the containers were made with, by slug.
func newGPURig(t *testing.T, devices int) (r *rig, b *nvmltest.Bench, given map[string][]string) {
	t.Helper()
	b = nvmltest.NewBench(t, devices)
	driver := nvmltest.Open(t, b, nvmltest.NewHost(t, devices).Options())
	r = newRig(t, storetest.SQLiteConfig(t), 1, func(o *session.Options) {
		quick(o)
		o.GPUs = driver
	})
	given = map[string][]string{}
	r.stop() // the hook is set while nobody calls
	r.runtime.Started = func(s session.Spec) {
		r.mu.Lock()
		defer r.mu.Unlock()
		given[s.Slug] = s.CDIDevices
	}
	r.run()
	return r, b, given
}

func (r *rig) another() auth.Actor {
	r.t.Helper()
	a := auth.Actor{UserID: uuid.NewString(), Name: "u", Role: auth.RoleUser, Via: auth.ViaSocket}
	addUser(r.t, r.store, a)
	return a
}

// Sessions get devices by UUID; one with MIG on is refused and says why.
func TestMockAllocation(t *testing.T) {
	t.Parallel()
	r, b, given := newGPURig(t, 4)
	if _, ret := b.Server.Devices[1].SetMigMode(gonvml.DEVICE_MIG_ENABLE); ret != gonvml.SUCCESS {
		t.Fatal(ret)
	}
	got := map[string]bool{}
	for range 3 {
		s := r.start(r.another(), session.StartRequest{})
		got[s.GPUUUID] = true
		r.mu.Lock()
		if want := []string{"medforge.local/gpu=" + s.GPUUUID}; !slices.Equal(given[s.Slug], want) {
			t.Errorf("the container of the session with %s was made with %v", s.GPUUUID, given[s.Slug])
		}
		r.mu.Unlock()
	}
	if len(got) != 3 || got[b.UUIDs[1]] {
		t.Errorf("given: %v", got)
	}
	_, err := r.Start(t.Context(), r.bob, session.StartRequest{})
	wantKind(t, err, fault.LimitReached, "sessions/no-gpu-available")
	if status, reason := r.view(1).Status(); status != session.GPUFaulty || !strings.Contains(reason, "MIG mode is on") || !strings.Contains(reason, "nvidia-smi -i 1 -mig 0") {
		t.Errorf("%s: %s", status, reason)
	}
}

// One is lost by an Xid, one by NVML, one left busy; the fourth goes on.
func TestMockLostAndQuarantined(t *testing.T) {
	t.Parallel()
	r, b, _ := newGPURig(t, 4)
	var all []session.Session
	for range 4 {
		all = append(all, r.start(r.another(), session.StartRequest{}))
	}
	index := func(s session.Session) int { return slices.Index(b.UUIDs, s.GPUUUID) }
	b.Xid(index(all[0]), 79)
	b.BreakDevice(all[1].GPUUUID, gonvml.ERROR_GPU_IS_LOST)
	b.Xid(index(all[3]), 31) // a program's own mistake
	for i, why := range []string{"Xid 79", "lost"} {
		end := r.await(all[i].ID, session.Error)
		if end.StopReason != session.ReasonGPULost || !strings.Contains(end.ErrorMessage, why) {
			t.Errorf("%s: %s", end.StopReason, end.ErrorMessage)
		}
		v := r.view(end.GPUIndex)
		if v.State.Reason == "" || v.Fault == "" {
			t.Errorf("GPU %d: %+v", end.GPUIndex, v)
		}
	}
	b.With(func() {
		b.Processes[all[2].GPUUUID], b.Used[all[2].GPUUUID] = []gonvml.ProcessInfo{{Pid: 1 << 30, UsedGpuMemory: 2 << 30}}, 2<<30
	})
	if _, err := r.Stop(t.Context(), auth.Daemon(), all[2].ID); err != nil {
		t.Fatal(err)
	}
	r.await(all[2].ID, session.Stopped)
	if status, reason := r.view(all[2].GPUIndex).Status(); status != session.GPUQuarantined || !strings.Contains(reason, "process 1073741824 with 2GiB") {
		t.Errorf("%s: %s", status, reason)
	}
	if s := r.await(all[3].ID, session.Running); s.StopReason != "" {
		t.Errorf("the fourth: %+v", s)
	}
	_, err := r.Start(t.Context(), r.bob, session.StartRequest{})
	wantKind(t, err, fault.LimitReached, "sessions/no-gpu-available")

	b.With(func() { b.Processes[all[2].GPUUUID], b.Used[all[2].GPUUUID] = nil, 0 })
	if err := r.SetGPU(t.Context(), auth.Daemon(), all[2].GPUUUID, true); err != nil {
		t.Fatal(err)
	}
	if s := r.start(r.bob, session.StartRequest{}); s.GPUUUID != all[2].GPUUUID {
		t.Errorf("given %s, want %s", s.GPUUUID, all[2].GPUUUID)
	}
}
