package session

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
)

// candidates returns the devices that a new session may be given: readable,
// enabled, not quarantined, and not held by a container that has no row. They
// are in order of index, those that somebody computes on last: whoever gets
// one of these sees it fail its check.
func (s *Service) candidates(ctx context.Context) ([]GPU, error) {
	all, err := s.o.GPUs.Inventory(ctx)
	if err != nil {
		return nil, err
	}
	storeCtx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	states, err := s.o.Store.GPUStates(storeCtx)
	if err != nil {
		return nil, err
	}
	runCtx, cancel := context.WithTimeout(ctx, runtimeTimeout)
	defer cancel()
	containers, err := s.o.Runtime.List(runCtx)
	if err != nil {
		return nil, err
	}
	held := map[string]bool{}
	for _, c := range containers {
		if c.GPUUUID != "" { // a container made before its GPU was written on it tells nothing
			held[c.GPUUUID] = true
		}
	}
	var free []GPU
	for _, g := range all {
		if st := states[g.UUID]; g.Fault == "" && !st.Disabled && st.Reason == "" && !held[g.UUID] {
			free = append(free, g)
		}
	}
	slices.SortStableFunc(free, func(a, b GPU) int { return min(len(a.Processes), 1) - min(len(b.Processes), 1) })
	return free, nil
}

// SetGPU enables or disables a device, named by index or UUID. Enabling also
// ends a quarantine, which disabling leaves; a disabled one finishes its
// session and takes no new one.
// Errors: Denied, NotFound.
func (s *Service) SetGPU(ctx context.Context, a auth.Actor, ref string, enabled bool) error {
	if err := adminOnly(a); err != nil {
		return err
	}
	gpus, err := s.o.GPUs.Inventory(ctx)
	if err != nil {
		return err
	}
	for _, g := range gpus {
		if g.UUID != ref && strconv.Itoa(g.Index) != ref {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, storeTimeout)
		defer cancel()
		state := GPUState{UUID: g.UUID, Disabled: !enabled, At: s.o.Now().UTC()}
		if !enabled {
			states, err := s.o.Store.GPUStates(ctx)
			if err != nil {
				return err
			}
			state.Reason = states[g.UUID].Reason
		}
		if err := s.o.Store.SetGPUState(ctx, state); err != nil {
			return err
		}
		t := event.GPUDisabled
		if enabled {
			t = event.GPUEnabled
		}
		s.o.Publish(event.Event{Time: s.o.Now(), Type: t, ActorID: a.UserID, Data: map[string]any{"gpu_uuid": g.UUID, "gpu_index": g.Index}})
		return nil
	}
	return fault.New(fault.NotFound, "gpus/not-found", "There is no GPU %q. The command medforge gpu list shows them.", ref)
}

// certify sees that nobody uses a session's GPU before the session gets it. A
// device that is not clean within its time is quarantined, and the start fails:
// the next one gets another.
func (s *Service) certify(ctx context.Context, row Session) error {
	inspectCtx, cancel := context.WithTimeout(ctx, runtimeTimeout)
	defer cancel()
	c, err := s.o.Runtime.Inspect(inspectCtx, row.Slug)
	if err == nil && c.Running {
		return nil // a start that a crash cut off: what uses the GPU is this session
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	err = s.awaitClean(ctx, row.GPUUUID)
	if fault.Is(err, fault.Busy) || fault.Is(err, fault.Conflict) {
		s.quarantine(ctx, row, fmt.Sprintf("Before session %s: %s", row.Slug, publicMessage(err)))
		return fault.Wrap(err, fault.Conflict, "sessions/gpu-not-clean",
			"The GPU that was free is not clean, and is given to nobody until an admin looks at it: %s. Start again to get another one.", publicMessage(err))
	}
	return err
}

// handBack checks that a session left its GPU clean, and quarantines the
// device when it did not: it is given to nobody until an admin enables it.
func (s *Service) handBack(ctx context.Context, row Session) {
	storeCtx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if states, err := s.o.Store.GPUStates(storeCtx); err == nil && states[row.GPUUUID].Reason != "" {
		return // nothing more is to be found out, and its time need not pass
	}
	if err := s.awaitClean(ctx, row.GPUUUID); err != nil && ctx.Err() == nil {
		s.quarantine(ctx, row, fmt.Sprintf("After session %s: %s", row.Slug, publicMessage(err)))
	}
}

// awaitClean waits until nobody uses a device, GPUIdleTimeout at most. The
// error is what the driver said last, or that of ctx.
func (s *Service) awaitClean(ctx context.Context, uuid string) error {
	// What the last sample shows of the device is from before.
	defer s.sampler.forget()
	patience, cancel := context.WithTimeout(ctx, s.o.GPUIdleTimeout)
	defer cancel()
	for {
		// Each look has its own time: that a host is slow says nothing of the device.
		err := bounded(ctx, probeTimeout, func(ctx context.Context) error { return s.o.GPUs.Clean(ctx, uuid) })
		// Busy passes: drivers free memory a moment after the process is gone.
		again := fault.Is(err, fault.Busy) && sleep(patience, s.o.RetryFirst)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !again {
			return err
		}
	}
}

// quarantine keeps a device from new sessions and says why. One that is in
// quarantine already keeps its first reason, which is nearest to the cause.
func (s *Service) quarantine(ctx context.Context, row Session, reason string) {
	s.o.Logger.Error("GPU quarantined", "gpu", row.GPUUUID, "reason", reason)
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	states, err := s.o.Store.GPUStates(ctx)
	if err == nil && states[row.GPUUUID].Reason != "" {
		return
	}
	if err == nil {
		st := GPUState{UUID: row.GPUUUID, Disabled: states[row.GPUUUID].Disabled, Reason: reason, At: s.o.Now().UTC()}
		err = s.o.Store.SetGPUState(ctx, st)
	}
	if err != nil {
		s.o.Logger.Error("quarantine not recorded", "gpu", row.GPUUUID, "error", err)
	}
	s.o.Publish(event.Event{Time: s.o.Now(), Type: event.GPUQuarantined, SessionID: row.ID, Slug: row.Slug,
		Data: map[string]any{"gpu_uuid": row.GPUUUID, "gpu_index": row.GPUIndex, "reason": reason}})
}
