package httpapitest

import (
	"context"
	"testing"
	"time"

	"github.com/medforge/medforge/competitions"
	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/store/storetest"
)

// startCompetitions runs the real service, with the built-in competitions, on a
// database of its own, until the test ends. The database's accounts are empty.
func startCompetitions(t testing.TB, bus *event.Bus) (*competition.Service, account.Store) {
	t.Helper()
	db := storetest.New(t)
	ctx, cancel := context.WithCancel(context.Background())
	s, err := competition.New(competition.Options{
		Store: db.Competitions(), Dir: t.TempDir(), BuiltIn: competitions.FS, Poll: 50 * time.Millisecond,
		MaxSubmission: 1 << 20, Publish: func(e event.Event) { bus.Publish(e) },
	})
	if err == nil {
		err = s.InstallBuiltIn(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return s, db.Accounts()
}
