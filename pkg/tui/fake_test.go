package tui

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

// noon is when the tests happen.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// fake is a daemon in memory. TestTheFakeBehavesAsTheRealAPI holds it against
// the real one.
type fake struct {
	mu       sync.Mutex
	me       api.Me
	health   api.Health
	sessions []api.Session
	gpus     []api.GPU
	logs     map[string]string
	snaps    map[string][]api.Snapshot
	usage    api.SessionUsage
	host     api.Host

	competitions []api.CompetitionDetail
	board        map[string][]api.LeaderboardEntry
	submissions  []api.Submission
	submitErr    error
	past         []api.ScorePoint
	packs        []api.Pack
	checks       []api.Check
	orphans      []api.Orphan
	users        []api.User
	waiting      int

	err    error // what every call answers
	calls  []string
	events chan api.Event
}

// did notes a call and returns the error that all answer.
func (f *fake) did(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
	return f.err
}

// called reports whether a call was made.
func (f *fake) called(what string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.calls, what)
}

func (f *fake) Address() string { return "/run/medforge/medforged.sock" }

func (f *fake) Me(context.Context) (api.Me, error) { return f.me, f.did("me") }

func (f *fake) Health(context.Context) (api.Health, error) { return f.health, f.did("health") }

type fakeStream struct {
	ctx context.Context
	f   *fake
}

func (f *fake) Events(ctx context.Context) (EventStream, error) {
	return fakeStream{ctx, f}, f.did("events")
}

func (s fakeStream) Next() (api.Event, error) {
	select {
	case <-s.ctx.Done():
		return api.Event{}, s.ctx.Err()
	case e, ok := <-s.f.events:
		if !ok {
			return e, gone
		}
		return e, nil
	}
}

func (s fakeStream) Close() {}

// gone is what the client says of a daemon that does not run.
var gone = fault.New(fault.Unavailable, "client/daemon-unreachable",
	"MedForge's daemon is not running: nobody listens on /run/medforge/medforged.sock. Start it with: systemctl start medforged.")

func (f *fake) Sessions(_ context.Context, all bool, limit int) ([]api.Session, error) {
	if err := f.did("sessions all=%v", all); err != nil {
		return nil, err
	}
	var out []api.Session
	for _, s := range f.sessions {
		if (all || s.UserID == f.me.UserID) && len(out) < limit {
			out = append(out, s)
		}
	}
	return out, nil
}

func (f *fake) find(ref string) (*api.Session, error) {
	for i, s := range f.sessions {
		if s.ID == ref || s.Slug == ref {
			return &f.sessions[i], nil
		}
	}
	return nil, fault.New(fault.NotFound, "sessions/not-found", "There is no session %q that you may see.", ref)
}

func (f *fake) StartSession(_ context.Context, r api.SessionCreate) (api.Session, error) {
	if err := f.did("start from=%s", r.From); err != nil {
		return api.Session{}, err
	}
	s := api.Session{ID: "new", Slug: "n3wn3wn3", UserID: f.me.UserID, Status: api.SessionStarting, GPUID: 6, GPUUUID: gpuID(6),
		CreatedAt: noon, PackID: "default", PackDigest: "sha256:0123456789abcdef", URL: "https://s-n3wn3wn3.medforge.example.org/"}
	f.sessions = append([]api.Session{s}, f.sessions...)
	return s, nil
}

func (f *fake) StopSession(_ context.Context, ref string) error {
	if err := f.did("stop %s", ref); err != nil {
		return err
	}
	s, err := f.find(ref)
	if err == nil {
		s.Status = api.SessionStopping
	}
	return err
}

func (f *fake) OpenSession(_ context.Context, ref string) (api.SessionLink, error) {
	if err := f.did("open %s", ref); err != nil {
		return api.SessionLink{}, err
	}
	s, err := f.find(ref)
	if err != nil {
		return api.SessionLink{}, err
	}
	return api.SessionLink{URL: s.URL + ".medforge/open?ticket=s3cret", ExpiresAt: noon.Add(time.Minute)}, nil
}

func (f *fake) SessionLogs(_ context.Context, ref string, _ int, follow bool) (io.ReadCloser, error) {
	if err := f.did("logs %s follow=%v", ref, follow); err != nil {
		return nil, err
	}
	return io.NopCloser(strings.NewReader(f.logs[ref])), nil
}

func (f *fake) Snapshots(_ context.Context, ref string) ([]api.Snapshot, error) {
	return f.snaps[ref], f.did("snapshots %s", ref)
}

func (f *fake) SessionUsage(_ context.Context, ref string) (api.SessionUsage, error) {
	return f.usage, f.did("usage %s", ref)
}

func (f *fake) GPUs(context.Context) ([]api.GPU, error) { return slices.Clone(f.gpus), f.did("gpus") }

func (f *fake) Host(context.Context) (api.Host, error) { return f.host, f.did("host") }

func (f *fake) Competitions(context.Context) ([]api.Competition, error) {
	var out []api.Competition
	for _, c := range f.competitions {
		out = append(out, c.Competition)
	}
	return out, f.did("competitions")
}

func (f *fake) Competition(_ context.Context, slug string) (api.CompetitionDetail, error) {
	if err := f.did("competition %s", slug); err != nil {
		return api.CompetitionDetail{}, err
	}
	for _, c := range f.competitions {
		if c.Slug == slug {
			return c, nil
		}
	}
	return api.CompetitionDetail{}, f.known(slug)
}

// known is the answer to a competition that is not there.
func (f *fake) known(slug string) error {
	for _, c := range f.competitions {
		if c.Slug == slug {
			return nil
		}
	}
	return fault.New(fault.NotFound, "competitions/competition-not-found", "There is no competition %q.", slug)
}

// Leaderboard's cursor is the place that the page begins at.
func (f *fake) Leaderboard(_ context.Context, slug string, limit int, cursor string) (api.LeaderboardPage, error) {
	if err := f.did("board %s %s", slug, cursor); err != nil {
		return api.LeaderboardPage{}, err
	}
	if err := f.known(slug); err != nil {
		return api.LeaderboardPage{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	at, _ := strconv.Atoi(cursor)
	rows := f.board[slug]
	end := min(len(rows), at+limit)
	p := api.LeaderboardPage{Data: api.Leaderboard{CompetitionSlug: slug, Entries: slices.Clone(rows[at:end]), Metric: "accuracy",
		HigherIsBetter: true, EvaluationSplitVersion: "v1", Total: len(rows)}}
	for _, r := range rows {
		if r.UserID == f.me.UserID {
			p.Data.Me = &r
		}
	}
	if end < len(rows) {
		next := strconv.Itoa(end)
		p.Meta.NextCursor, p.Meta.HasMore = &next, true
	}
	return p, nil
}

func (f *fake) ScoreHistory(_ context.Context, slug, user string) ([]api.ScorePoint, error) {
	if err := f.did("history %s %s", slug, user); err != nil {
		return nil, err
	}
	return f.past, f.known(slug)
}

func (f *fake) Submit(_ context.Context, slug string, u Upload) (api.SubmissionCreated, error) {
	if err := f.did("submit %s %s %q", slug, u.Filename, u.Message); err != nil {
		return api.SubmissionCreated{}, err
	}
	if err := f.known(slug); err != nil {
		return api.SubmissionCreated{}, err
	}
	raw, err := io.ReadAll(u.File)
	if err != nil || f.submitErr != nil {
		return api.SubmissionCreated{}, cmpErr(err, f.submitErr)
	}
	if u.Progress != nil {
		u.Progress(int64(len(raw)))
	}
	s := api.Submission{ID: "sub-new", CompetitionSlug: slug, UserID: f.me.UserID, Filename: u.Filename, SizeBytes: int64(len(raw)),
		CreatedAt: noon, ScoreStatus: api.ScoreQueued, Message: u.Message}
	f.submissions = append([]api.Submission{s}, f.submissions...)
	return api.SubmissionCreated{Submission: s, DailyCap: 5, RemainingToday: 3, ResetsAt: noon.Add(12 * time.Hour)}, nil
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (f *fake) Submission(_ context.Context, id string) (api.Submission, error) {
	for _, s := range f.submissions {
		if s.ID == id {
			return s, f.did("submission %s", id)
		}
	}
	return api.Submission{}, fault.New(fault.NotFound, "submissions/not-found", "There is no submission %q.", id)
}

func (f *fake) MySubmissions(_ context.Context, slug string, _ int) ([]api.Submission, error) {
	var out []api.Submission
	for _, s := range f.submissions {
		if s.CompetitionSlug == slug {
			out = append(out, s)
		}
	}
	return out, f.did("submissions %s", slug)
}

func (f *fake) Users(context.Context) ([]api.User, error) { return f.users, f.did("users") }

func (f *fake) SetUser(_ context.Context, id string, c api.UserChange) error {
	return f.did("user %s disabled=%v", id, *c.Disabled)
}

func (f *fake) Packs(context.Context) ([]api.Pack, error) { return f.packs, f.did("packs") }

func (f *fake) UsePack(_ context.Context, digest string) error { return f.did("use %s", digest) }

func (f *fake) SetGPU(_ context.Context, ref string, on bool) error {
	return f.did("gpu %s %v", ref, on)
}

func (f *fake) Doctor(context.Context) ([]api.Check, error) { return f.checks, f.did("doctor") }

func (f *fake) Reconcile(context.Context) (api.Reconciled, error) {
	return api.Reconciled{At: noon, Active: 3, Orphans: f.orphans}, f.did("reconcile")
}

func gpuID(i int) string { return fmt.Sprintf("GPU-%d", i) }

func (f *fake) ScoringQueue(context.Context) (api.ScoringQueue, error) {
	return api.ScoringQueue{Waiting: f.waiting}, f.did("queue")
}
