package daemon

import (
	"context"

	"github.com/medforge/medforge/competitions"
	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/event"
)

// openCompetitions makes the service and puts the built-in competitions in
// place.
func (d *Daemon) openCompetitions(ctx context.Context) (*competition.Service, error) {
	s, err := competition.New(competition.Options{
		Store: d.store.Competitions(), Dir: d.cfg.DataDir, BuiltIn: competitions.FS,
		Publish:       func(e event.Event) { d.bus.Publish(e) },
		MaxSubmission: int64(d.cfg.Competition.MaxSubmission),
		MaxUploads:    d.cfg.HTTP.MaxUploads,
		Scorers:       d.cfg.Competition.Scorers,
		ScoreTimeout:  d.cfg.Competition.ScoreTimeout,
		Logger:        d.logger,
	})
	if err != nil {
		return nil, err
	}
	return s, s.InstallBuiltIn(ctx)
}
