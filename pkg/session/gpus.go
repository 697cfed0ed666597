package session

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
)

// GPUView is a device with who has it and what was decided about it.
type GPUView struct {
	GPU
	SessionSlug string // of the active session that holds it, or empty
	SessionUser string // that session's owner
	State       GPUState
}

// candidates returns the devices that a new session may be given, in order of
// index: readable, enabled, not quarantined, and not held by a container that
// has no row.
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
	return free, nil
}

// GPUs returns every device as it stands, sampled once for all readers.
func (s *Service) GPUs(ctx context.Context, a auth.Actor) ([]GPUView, error) {
	if !a.Known() {
		return nil, notSignedIn()
	}
	gpus, err := s.sampler.read(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	states, err := s.o.Store.GPUStates(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := s.o.Store.List(ctx, Filter{Statuses: []Status{Starting, Running, Stopping}})
	if err != nil {
		return nil, err
	}
	views := make([]GPUView, 0, len(gpus))
	for _, g := range gpus {
		v := GPUView{GPU: g, State: states[g.UUID]}
		for _, r := range rows {
			if r.GPUUUID == g.UUID {
				v.SessionSlug, v.SessionUser = r.Slug, r.UserID
			}
		}
		views = append(views, v)
	}
	return views, nil
}

// SetGPU enables or disables a device, named by index or UUID. Enabling also
// ends a quarantine; a disabled one finishes its session and takes no new one.
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
		if err := s.o.Store.SetGPUState(ctx, GPUState{UUID: g.UUID, Disabled: !enabled, At: s.o.Now().UTC()}); err != nil {
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

// handBack checks that a session left its GPU clean, and quarantines the
// device when it did not: it is given to nobody until an admin enables it.
func (s *Service) handBack(ctx context.Context, row Session) {
	var last error
	err := bounded(ctx, s.o.GPUIdleTimeout, func(ctx context.Context) error {
		for {
			err := s.o.GPUs.Clean(ctx, row.GPUUUID)
			if err != nil && ctx.Err() == nil {
				last = err
			}
			// Busy passes: drivers free memory a moment after the process is gone.
			if !fault.Is(err, fault.Busy) || !sleep(ctx, s.o.RetryFirst) {
				return err
			}
		}
	})
	if err == nil || ctx.Err() != nil {
		return
	}
	if last != nil {
		err = last
	}
	s.quarantine(ctx, row, fmt.Sprintf("After session %s: %s", row.Slug, publicMessage(err)))
}

func (s *Service) quarantine(ctx context.Context, row Session, reason string) {
	s.o.Logger.Error("GPU quarantined", "gpu", row.GPUUUID, "reason", reason)
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	states, err := s.o.Store.GPUStates(ctx)
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

// sampler reads the devices at most once a moment for all readers.
type sampler struct {
	gpus GPUs
	now  func() time.Time

	mu   sync.Mutex
	at   time.Time
	last []GPU
	err  error
}

// sampleFor is how long one reading serves.
const sampleFor = 2 * time.Second

func newSampler(g GPUs, now func() time.Time) *sampler { return &sampler{gpus: g, now: now} }

func (p *sampler) read(ctx context.Context) ([]GPU, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := p.now().Sub(p.at); p.at.IsZero() || age < 0 || age >= sampleFor {
		ctx, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		p.last, p.err = p.gpus.Inventory(ctx)
		p.at = p.now()
	}
	return p.last, p.err
}
