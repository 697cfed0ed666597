// Package tui is the full-screen program: a Bubble Tea program that shows the
// daemon's state live. All input and output happens in commands with a
// deadline, so that no key ever waits for the daemon.
package tui

import (
	"context"
	"io"

	"github.com/medforge/medforge/pkg/api"
)

// Daemon is what the program sees of MedForge. The errors are *fault.Error as
// the API's client returns them; nothing here outlives its context.
type Daemon interface {
	// Address is where the daemon is, for people.
	Address() string
	Me(ctx context.Context) (api.Me, error)
	Health(ctx context.Context) (api.Health, error)
	// Events begins a stream with what happens from now on.
	Events(ctx context.Context) (EventStream, error)

	// Sessions lists the newest, at most limit; everybody's for admins.
	Sessions(ctx context.Context, all bool, limit int) ([]api.Session, error)
	StartSession(ctx context.Context, req api.SessionCreate) (api.Session, error)
	StopSession(ctx context.Context, ref string) error
	OpenSession(ctx context.Context, ref string) (api.SessionLink, error)
	SessionLogs(ctx context.Context, ref string, tail int, follow bool) (io.ReadCloser, error)
	Snapshots(ctx context.Context, ref string) ([]api.Snapshot, error)
	SessionUsage(ctx context.Context, ref string) (api.SessionUsage, error)
	GPUs(ctx context.Context) ([]api.GPU, error)
	Host(ctx context.Context) (api.Host, error)

	Competitions(ctx context.Context) ([]api.Competition, error)
	Competition(ctx context.Context, slug string) (api.CompetitionDetail, error)
	// Leaderboard returns one page; an empty cursor is the first.
	Leaderboard(ctx context.Context, slug string, limit int, cursor string) (api.LeaderboardPage, error)
	// ScoreHistory is how a user's best on the present board came about, oldest
	// first.
	ScoreHistory(ctx context.Context, slug, userID string) ([]api.ScorePoint, error)
	// Submit sends a file. It ends with ctx and has no other time limit.
	Submit(ctx context.Context, slug string, f Upload) (api.SubmissionCreated, error)
	Submission(ctx context.Context, id string) (api.Submission, error)
	// MySubmissions lists the newest, at most limit.
	MySubmissions(ctx context.Context, slug string, limit int) ([]api.Submission, error)

	// For admins.
	Users(ctx context.Context) ([]api.User, error)
	SetUser(ctx context.Context, id string, c api.UserChange) error
	ScoringQueue(ctx context.Context) (api.ScoringQueue, error)
	Packs(ctx context.Context) ([]api.Pack, error)
	UsePack(ctx context.Context, digest string) error
	SetGPU(ctx context.Context, ref string, enabled bool) error
	Doctor(ctx context.Context) ([]api.Check, error)
	Reconcile(ctx context.Context) (api.Reconciled, error)
}

// EventStream gives events in order. Next returns an error when the connection
// is lost, for good: the program then loads the present state and begins a new
// stream.
type EventStream interface {
	Next() (api.Event, error)
	Close()
}

// Upload is a file to submit.
type Upload struct {
	Filename string
	File     io.Reader
	Size     int64 // bytes
	Message  string
	Progress func(sent int64) // called from one goroutine; may be nil
}
