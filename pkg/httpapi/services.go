package httpapi

import (
	"context"
	"io"
	"time"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/competition"
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

// Accounts is what the handlers ask of account.Service. Errors are those of its
// methods.
type Accounts interface {
	Me(ctx context.Context, a auth.Actor) (account.User, error)
	SignUpMode() account.SignUpMode
	SignUp(ctx context.Context, n account.NewAccount, from account.Origin) (account.SignIn, error)
	SignIn(ctx context.Context, email, password string, from account.Origin) (account.SignIn, error)
	SignOut(ctx context.Context, a auth.Actor) error
	ChangePassword(ctx context.Context, a auth.Actor, current, next string, from account.Origin) error

	CreateToken(ctx context.Context, a auth.Actor, name string, life time.Duration) (string, account.Credential, error)
	Credentials(ctx context.Context, a auth.Actor, kind account.CredentialKind) ([]account.Credential, error)
	EndCredential(ctx context.Context, a auth.Actor, kind account.CredentialKind, id string) error
	EndOtherBrowsers(ctx context.Context, a auth.Actor) (int, error)

	ListUsers(ctx context.Context, a auth.Actor, after string, limit int) ([]account.User, error)
	FindUser(ctx context.Context, a auth.Actor, ref string) (account.User, error)
	CreateUser(ctx context.Context, a auth.Actor, n account.UserSpec) (u account.User, password string, err error)
	SetUser(ctx context.Context, a auth.Actor, id string, c account.UserChange) (u account.User, password string, err error)
}

// Tickets makes one-time links into a session's host.
type Tickets interface {
	Issue(ctx context.Context, a auth.Actor, s session.Session) (url string, expires time.Time, err error)
}

// Backup is one in the making. Close is called, whether it was written or not.
type Backup interface {
	Write(ctx context.Context, w io.Writer) error
	Close() error
}

// Competitions is what the handlers ask of competition.Service. Errors are
// those of its methods.
type Competitions interface {
	List(ctx context.Context) ([]competition.Competition, error)
	Get(ctx context.Context, slug string) (competition.Competition, competition.Manifest, error)
	Leaderboard(ctx context.Context, a auth.Actor, slug string, limit int, after string) (competition.Board, error)
	History(ctx context.Context, slug, userID string) ([]competition.Entry, error)
	Waiting(ctx context.Context) (int, error)
	Data(ctx context.Context, slug string) ([]competition.DataFile, error)
	WriteData(ctx context.Context, files []competition.DataFile, w io.Writer) error

	Admit(ctx context.Context, a auth.Actor, slug string, size int64) (competition.Competition, error)
	Submit(ctx context.Context, a auth.Actor, slug string, in competition.Upload) (competition.Receipt, error)
	Mine(ctx context.Context, a auth.Actor, slug string, limit int, after string) (rows []competition.Submission, next string, err error)
	Submission(ctx context.Context, a auth.Actor, id string) (competition.Submission, error)
	Rescore(ctx context.Context, a auth.Actor, id string) (competition.Submission, error)
	RescoreAll(ctx context.Context, a auth.Actor, slug string) (int, error)

	Add(ctx context.Context, a auth.Actor, archive io.Reader) (competition.Competition, error)
	ImportCodabench(ctx context.Context, a auth.Actor, archive io.Reader) (c competition.Competition, notes []string, err error)

	Datasets(ctx context.Context) ([]competition.Dataset, error)
	Dataset(ctx context.Context, slug string) (competition.Dataset, error)
	ImportWants(ctx context.Context, slug string) ([]string, error)
	Uploaded(ctx context.Context, a auth.Actor, sum string) (int64, error)
	Upload(ctx context.Context, a auth.Actor, sum string, offset int64, r io.Reader) (int64, error)
	Import(ctx context.Context, a auth.Actor, slug, sum string, png bool) (competition.Dataset, error)
}
