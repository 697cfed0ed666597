package session

import (
	"context"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
)

// Know reads which sessions are active, so that BySlug knows them from the first
// caller on. It must be called before Run, which reads them again and again.
// Errors: Unavailable.
func (s *Service) Know(ctx context.Context) error {
	rows, err := s.list(ctx, Filter{Statuses: []Status{Starting, Running, Stopping}})
	for _, row := range rows {
		s.index.put(row)
	}
	return err
}

// Run looks at every active row, then follows containerd's exit events and the
// slow poll until ctx ends. Sessions live on after it; their rows too.
func (s *Service) Run(ctx context.Context) error {
	s.drives.begin(ctx)
	var loops sync.WaitGroup
	loops.Go(func() { s.watchExits(ctx) })
	loops.Go(func() { s.every(ctx, s.o.PollInterval, s.poll) })
	loops.Go(func() { s.every(ctx, s.o.PollInterval/3, s.probe) })
	loops.Go(func() { s.every(ctx, s.o.SampleInterval, s.watchGPUs) })
	loops.Wait()
	s.drives.end()
	s.closeAPIs()
	s.wg.Wait()
	return ctx.Err()
}

// every calls f at once and then after each interval.
func (s *Service) every(ctx context.Context, interval time.Duration, f func(context.Context)) {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		f(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// poll is a look whose findings health and events tell.
func (s *Service) poll(ctx context.Context) { _, _ = s.look(ctx) }

// look kicks every active session, the net beneath the events, and reconciles.
func (s *Service) look(ctx context.Context) (report ReconcileReport, err error) {
	s.pollMu.Lock()
	defer s.pollMu.Unlock()
	rows, err := s.list(ctx, Filter{Statuses: []Status{Starting, Running, Stopping}})
	if ctx.Err() != nil {
		return report, ctx.Err()
	}
	s.health.report("database", err)
	for _, row := range rows {
		s.index.put(row)
		s.drives.kick(row.ID)
	}
	if s.o.WatchSpace {
		s.watchSpace(ctx, rows)
	}
	if err == nil {
		report, err = s.reconcile(ctx)
		if ctx.Err() == nil {
			s.health.report("reconciliation", err)
		}
	}
	return report, err
}

// probe asks each part how it is. A part that is well again is a reason to
// look at everything.
func (s *Service) probe(ctx context.Context) {
	parts := []struct {
		name string
		ask  func(context.Context) error
	}{
		{"database", s.o.Store.Ping},
		{"containerd", func(ctx context.Context) error { _, err := s.o.Runtime.Ping(ctx); return err }},
		{"workspaces", s.o.Workspaces.Check},
		{"gpus", func(ctx context.Context) error { _, _, err := s.sampler.read(ctx, false); return err }},
	}
	recovered := false
	for _, p := range parts {
		err := bounded(ctx, probeTimeout, p.ask)
		if ctx.Err() != nil {
			return
		}
		recovered = s.health.report(p.name, err) || recovered
	}
	if recovered {
		s.poll(ctx)
	}
}

// watchExits turns ends of main processes into looks at their sessions. When
// the stream is lost it connects again and looks at everything, since an exit
// may have been missed.
func (s *Service) watchExits(ctx context.Context) {
	wait := s.o.RetryFirst
	for ctx.Err() == nil {
		exits, err := s.o.Runtime.Exits(ctx)
		if err != nil {
			s.o.Logger.Warn("no exit events, trying again", "wait", wait, "error", err)
			if !sleep(ctx, wait) {
				return
			}
			wait = min(2*wait, s.o.RetryMax)
			continue
		}
		wait = s.o.RetryFirst
		s.poll(ctx)
		for e := range exits {
			if v, ok := s.index.get(e.Slug); ok {
				s.drives.kick(v.ID)
			}
		}
		if ctx.Err() == nil {
			s.health.report("containerd", fault.New(fault.Unavailable, "containerd/lost", "The connection to containerd was lost."))
			if !sleep(ctx, s.o.RetryFirst) {
				return
			}
		}
	}
}

// spaceMarks are the shares of a quota, in percent, at which a user is told.
var spaceMarks = []int{80, 95}

// watchSpace says once when a running session's workspace crosses a mark.
func (s *Service) watchSpace(ctx context.Context, rows []Session) {
	seen := map[string]int{}
	for _, row := range rows {
		if row.Status != Running {
			continue
		}
		var u Usage
		err := bounded(ctx, probeTimeout, func(ctx context.Context) (err error) {
			u, err = s.o.Workspaces.Usage(ctx, row.Ref())
			return err
		})
		if err != nil {
			seen[row.ID] = s.spaceMark[row.ID] // what was told is not told again
			continue
		}
		if u.QuotaBytes <= 0 {
			continue
		}
		percent := int(u.UsedBytes * 100 / u.QuotaBytes)
		mark := 0
		for _, m := range spaceMarks {
			if percent >= m {
				mark = m
			}
		}
		seen[row.ID] = mark
		if mark > s.spaceMark[row.ID] {
			s.publish(event.SessionSpace, row, "", map[string]any{
				"used_bytes": u.UsedBytes, "quota_bytes": u.QuotaBytes, "percent": percent, "mark": mark,
			})
		}
	}
	s.spaceMark = seen
}
