package httpapi

import (
	"context"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// Ref is the input of every route on one session.
type Ref struct {
	Name string `path:"ref" maxLength:"100" doc:"The session's id or slug."`
}

type startInput struct {
	Body api.SessionCreate
}

func (s *Server) startSession(ctx context.Context, a auth.Actor, in *startInput) (api.SessionCreated, error) {
	row, err := s.Sessions.Start(ctx, a, session.StartRequest{
		Tier: session.Tier(in.Body.Tier), PackID: in.Body.PackID, From: in.Body.From,
	})
	if err != nil {
		return api.SessionCreated{}, err
	}
	return api.SessionCreated{Message: "Session is starting.", Session: s.wire(row)}, nil
}

type listSessionsInput struct {
	Paging
	All bool `query:"all" doc:"Everybody's, for an admin; others always see their own."`
}

func (s *Server) listSessions(ctx context.Context, a auth.Actor, in *listSessionsInput, limit int, after string) ([]api.Session, string, error) {
	rows, more, err := s.Sessions.List(ctx, a, session.ListQuery{All: in.All, Limit: limit, After: after})
	if err != nil {
		return nil, "", err
	}
	out := make([]api.Session, len(rows))
	for i, r := range rows {
		out[i] = s.wire(r)
	}
	if !more || len(rows) == 0 {
		return out, "", nil
	}
	return out, rows[len(rows)-1].ID, nil
}

func (s *Server) currentSession(ctx context.Context, a auth.Actor, _ *none) (api.SessionCurrent, error) {
	row, ok, err := s.Sessions.Current(ctx, a)
	if err != nil || !ok {
		return api.SessionCurrent{}, err
	}
	w := s.wire(row)
	return api.SessionCurrent{Session: &w}, nil
}

func (s *Server) getSession(ctx context.Context, a auth.Actor, in *Ref) (api.Session, error) {
	row, err := s.Sessions.Get(ctx, a, in.Name)
	if err != nil {
		return api.Session{}, err
	}
	return s.wire(row), nil
}

func (s *Server) stopSession(ctx context.Context, a auth.Actor, in *Ref) (api.Message, error) {
	outcome, err := s.Sessions.Stop(ctx, a, in.Name)
	if err != nil {
		return api.Message{}, err
	}
	if outcome == session.AlreadyTerminal {
		return api.Message{Message: api.MessageAlreadyTerminal}, nil
	}
	return api.Message{Message: api.MessageStopRequested}, nil
}

func (s *Server) openSession(ctx context.Context, a auth.Actor, in *Ref) (api.SessionLink, error) {
	row, err := s.Sessions.Get(ctx, a, in.Name)
	if err != nil {
		return api.SessionLink{}, err
	}
	if row.Status != session.Running {
		return api.SessionLink{}, fault.New(fault.Conflict, "sessions/not-running",
			"Session %s is %s, and only a running session can be opened. medforge session show %s says more.", row.Slug, row.Status, row.Slug)
	}
	url, expires, err := s.Tickets.Issue(ctx, a, row)
	if err != nil {
		return api.SessionLink{}, err
	}
	return api.SessionLink{URL: url, ExpiresAt: expires.UTC()}, nil
}

type snapshotsInput struct {
	Paging
	Ref
}

func (s *Server) snapshots(ctx context.Context, a auth.Actor, in *snapshotsInput, limit int, after string) ([]api.Snapshot, string, error) {
	snaps, err := s.Sessions.Snapshots(ctx, a, in.Name)
	if err != nil {
		return nil, "", err
	}
	out := make([]api.Snapshot, len(snaps))
	for i, n := range snaps {
		out[i] = api.Snapshot{SessionID: n.Ref.SessionID, Name: n.Name, CreatedAt: n.CreatedAt.UTC()}
		if n.UsedBytes >= 0 {
			out[i].UsedBytes = &snaps[i].UsedBytes
		}
	}
	return whole(out, func(n api.Snapshot) string { return n.Name }, limit, after)
}

func (s *Server) usage(ctx context.Context, a auth.Actor, in *Ref) (api.SessionUsage, error) {
	u, err := s.Sessions.Usage(ctx, a, in.Name)
	return api.SessionUsage(u), err
}

// wire is the session as the API shows it.
func (s *Server) wire(r session.Session) api.Session {
	return api.Session{
		ID: r.ID, UserID: r.UserID, Tier: string(r.Tier), PackID: r.PackID,
		Status: api.SessionStatus(r.Status), ContainerID: r.ContainerID,
		GPUID: r.GPUIndex, GPUUUID: r.GPUUUID, PackDigest: r.PackDigest, Slug: r.Slug,
		WorkspaceZFS: r.Workspace, URL: s.SessionURL(r.Slug),
		CreatedAt: r.CreatedAt.UTC(), StartedAt: orNull(r.StartedAt), StoppedAt: orNull(r.StoppedAt),
		ErrorMessage: r.ErrorMessage,
	}
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
