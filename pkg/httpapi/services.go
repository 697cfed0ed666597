package httpapi

import (
	"context"
	"io"
	"time"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/session"
)

// Sessions is what the handlers ask of session.Service. Errors are those of
// its methods.
type Sessions interface {
	Start(ctx context.Context, a auth.Actor, r session.StartRequest) (session.Session, error)
	Stop(ctx context.Context, a auth.Actor, ref string) (session.StopOutcome, error)
	Get(ctx context.Context, a auth.Actor, ref string) (session.Session, error)
	Current(ctx context.Context, a auth.Actor) (session.Session, bool, error)
	List(ctx context.Context, a auth.Actor, q session.ListQuery) (page []session.Session, more bool, err error)
	Log(ctx context.Context, a auth.Actor, ref string, tail int, follow bool) (io.ReadCloser, error)
	Snapshots(ctx context.Context, a auth.Actor, ref string) ([]session.Snapshot, error)
	Usage(ctx context.Context, a auth.Actor, ref string) (session.Usage, error)

	GPUs(ctx context.Context, a auth.Actor) ([]session.GPUView, error)
	SetGPU(ctx context.Context, a auth.Actor, ref string, enabled bool) error

	ListPacks(ctx context.Context, a auth.Actor) ([]session.PackView, error)
	ImportPack(ctx context.Context, a auth.Actor, archive io.Reader) (session.Pack, error)
	UsePack(ctx context.Context, a auth.Actor, digest string) error

	Reconcile(ctx context.Context, a auth.Actor) (session.ReconcileReport, error)
	Health() []session.Degradation
}

// Accounts knows who an actor is in full: account.Service.
type Accounts interface {
	Me(ctx context.Context, a auth.Actor) (account.User, error)
}

// Tickets makes one-time links into a session's host.
type Tickets interface {
	Issue(ctx context.Context, a auth.Actor, s session.Session) (url string, expires time.Time, err error)
}
