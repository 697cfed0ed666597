package session

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/event"
)

// Degradation is a part of the host that is not well.
type Degradation struct {
	Part  string // "containerd", "database", "workspaces", "gpus", "reconciliation"
	Why   string
	Since time.Time
}

// health remembers which parts are not well, and says so when that changes.
type health struct {
	now     func() time.Time
	publish func(event.Event)
	mu      sync.Mutex
	parts   map[string]Degradation
}

func newHealth(now func() time.Time, publish func(event.Event)) *health {
	return &health{now: now, publish: publish, parts: map[string]Degradation{}}
}

// report records how a part is; nil is well. It returns true when the part has
// just become well again.
func (h *health) report(part string, err error) (recovered bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old, was := h.parts[part]
	if err == nil {
		if was {
			delete(h.parts, part)
			h.publish(event.Event{Time: h.now(), Type: event.Recovered, Data: map[string]any{"part": part}})
		}
		return was
	}
	d := Degradation{Part: part, Why: publicMessage(err), Since: h.now().UTC()}
	if was {
		d.Since = old.Since
	}
	h.parts[part] = d
	if !was || old.Why != d.Why {
		h.publish(event.Event{Time: h.now(), Type: event.Degraded, Data: map[string]any{"part": part, "why": d.Why}})
	}
	return false
}

// Health returns what is not well, by part; empty is well.
func (s *Service) Health() []Degradation {
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	out := make([]Degradation, 0, len(s.health.parts))
	for _, d := range s.health.parts {
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Degradation) int { return cmp.Compare(a.Part, b.Part) })
	return out
}
