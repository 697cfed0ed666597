package session

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
)

// Sample is every device of the host at one moment.
type Sample struct {
	At   time.Time
	GPUs []GPUView // by index
}

// Sample returns the devices as they stand, by one reading for all readers: it
// is SampleInterval old at most. It is for the daemon itself, such as its
// metrics; GPUs is for people. Errors: Unavailable.
func (s *Service) Sample(ctx context.Context) (Sample, error) { return s.sample(ctx, false) }

// GPUs is Sample for a caller. Errors: Unauthenticated, Unavailable.
func (s *Service) GPUs(ctx context.Context, a auth.Actor) ([]GPUView, error) {
	if !a.Known() {
		return nil, notSignedIn()
	}
	sample, err := s.sample(ctx, false)
	return sample.GPUs, err
}

// sample adds to a reading who has each device and what was decided about it,
// as they stand now. fresh takes a new reading whatever the last one's age.
func (s *Service) sample(ctx context.Context, fresh bool) (Sample, error) {
	gpus, at, err := s.sampler.read(ctx, fresh)
	if err != nil {
		return Sample{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	states, err := s.o.Store.GPUStates(ctx)
	if err != nil {
		return Sample{}, err
	}
	rows, err := s.o.Store.List(ctx, Filter{Statuses: []Status{Starting, Running, Stopping}})
	if err != nil {
		return Sample{}, err
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
	return Sample{At: at, GPUs: views}, nil
}

// watchGPUs publishes a sample and looks for devices that were lost, while
// sessions run or somebody listens. A host that nobody uses is not asked.
func (s *Service) watchGPUs(ctx context.Context) {
	if !s.index.any() && !s.o.Listening() {
		return
	}
	sample, err := s.sample(ctx, true)
	if err != nil {
		return // the probe of the parts says so
	}
	s.o.Publish(event.Event{
		Time: sample.At, Type: event.GPUSample, SignedIn: true, Volatile: true,
		Data: map[string]any{"gpus": readings(sample.GPUs)},
	})
	if !faultInUse(sample.GPUs) {
		return
	}
	// A fault ends somebody's work, so it must be there twice.
	if sample, err = s.sample(ctx, true); err != nil {
		return
	}
	for _, g := range sample.GPUs {
		if g.Fault != "" && g.SessionSlug != "" {
			s.gpuLost(ctx, g)
		}
	}
}

func faultInUse(gpus []GPUView) bool {
	for _, g := range gpus {
		if g.Fault != "" && g.SessionSlug != "" {
			return true
		}
	}
	return false
}

// gpuLost ends the session whose GPU can no longer be used, and keeps the
// device from others.
func (s *Service) gpuLost(ctx context.Context, g GPUView) {
	row, err := s.get(ctx, g.SessionSlug)
	if err != nil || (row.Status != Starting && row.Status != Running) {
		return // ended by now, or ending; or looked at again with the next sample
	}
	s.quarantine(ctx, row, fmt.Sprintf("During session %s: %s", row.Slug, g.Fault))
	message := fmt.Sprintf("Its GPU %d was lost: %s.", g.Index, g.Fault)
	if row.Status == Running {
		message += " Its files are kept; go on with another GPU: medforge session start --from " + row.Slug + "."
	}
	if _, err := s.stopping(ctx, row, GPULost, ReasonGPULost, message, ""); err != nil {
		s.o.Logger.Error("the end of a session without a GPU is not recorded; tried again with the next sample", "session", row.ID, "error", err)
		return
	}
	s.drives.abort(row.ID)
	s.drives.kick(row.ID)
}

// sampler reads the devices at most once a moment for all readers.
type sampler struct {
	gpus     GPUs
	now      func() time.Time
	interval time.Duration // how long one reading serves

	mu   sync.Mutex
	at   time.Time
	last []GPU
	err  error
}

func newSampler(g GPUs, now func() time.Time, interval time.Duration) *sampler {
	return &sampler{gpus: g, now: now, interval: interval}
}

// read returns the devices and when they were read. The reading is everybody's,
// so that a caller who goes away does not end it.
func (p *sampler) read(ctx context.Context, fresh bool) ([]GPU, time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := p.now().Sub(p.at); fresh || p.at.IsZero() || age < 0 || age >= p.interval {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
		defer cancel()
		p.last, p.err = p.gpus.Inventory(ctx)
		p.at = p.now()
	}
	return p.last, p.at, p.err
}

// forget makes the next reader take a reading of its own: something has changed
// that people should see at once.
func (p *sampler) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = time.Time{}
}
