package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/competition"
)

// Slug is the input of every route on one competition.
type Slug struct {
	Slug string `path:"slug" maxLength:"100" doc:"The competition's slug."`
}

type competitionsInput struct{ Paging }

func (s *Server) listCompetitions(ctx context.Context, _ auth.Actor, _ *competitionsInput, limit int, after string) ([]api.Competition, string, error) {
	rows, err := s.Competitions.List(ctx)
	if err != nil {
		return nil, "", err
	}
	out := make([]api.Competition, len(rows))
	for i, c := range rows {
		out[i] = wireCompetition(c)
	}
	return whole(out, func(c api.Competition) string { return c.Slug }, limit, after)
}

func (s *Server) getCompetition(ctx context.Context, _ auth.Actor, in *Slug) (api.CompetitionDetail, error) {
	c, m, err := s.Competitions.Get(ctx, in.Slug)
	if err != nil {
		return api.CompetitionDetail{}, err
	}
	return wireDetail(c, m), nil
}

type leaderboardInput struct {
	Paging
	Slug
}

// leaderboard is a page in an object: board makes the row, since list's rows
// are the data itself.
func board(r Route, name string, h func(ctx context.Context, a auth.Actor, in *leaderboardInput, limit int, after string) (api.Leaderboard, string, error)) Route {
	r.Problems = append(r.Problems, 400)
	r.small = true
	r.register = func(s *Server, hapi huma.API, op huma.Operation) {
		huma.Register(hapi, op, func(ctx context.Context, in *leaderboardInput) (*output[api.LeaderboardPage], error) {
			ctx, cancel := s.bounded(ctx, r)
			defer cancel()
			after, err := decodeCursor(name, in.Cursor)
			if err != nil {
				return nil, s.fail(ctx, err)
			}
			data, next, err := h(ctx, actorOf(ctx), in, in.Limit, after)
			if err != nil {
				return nil, s.fail(ctx, err)
			}
			return &output[api.LeaderboardPage]{api.LeaderboardPage{Data: data, Meta: s.listMeta(ctx, name, in.Limit, next)}}, nil
		})
	}
	return r
}

func (s *Server) leaderboard(ctx context.Context, a auth.Actor, in *leaderboardInput, limit int, after string) (api.Leaderboard, string, error) {
	b, err := s.Competitions.Leaderboard(ctx, a, in.Slug.Slug, limit, after)
	if err != nil {
		return api.Leaderboard{}, "", err
	}
	out := api.Leaderboard{CompetitionSlug: b.Competition.Slug, Entries: []api.LeaderboardEntry{}, EvaluationSplitVersion: b.Competition.SplitVersion,
		Metric: b.Competition.Metric, HigherIsBetter: b.Competition.HigherIsBetter, Total: b.Size}
	for _, e := range b.Entries {
		out.Entries = append(out.Entries, wireEntry(e))
	}
	if b.Me != nil {
		me := wireEntry(*b.Me)
		out.Me = &me
	}
	return out, b.Next, nil
}

type historyInput struct {
	Paging
	Slug
	User string `path:"user" maxLength:"100" doc:"The user's id, as on the board."`
}

func (s *Server) scoreHistory(ctx context.Context, _ auth.Actor, in *historyInput, limit int, after string) ([]api.ScorePoint, string, error) {
	steps, err := s.Competitions.History(ctx, in.Slug.Slug, in.User)
	if err != nil {
		return nil, "", err
	}
	out := make([]api.ScorePoint, len(steps))
	for i, e := range steps {
		out[i] = api.ScorePoint{SubmissionID: e.SubmissionID, ScoredAt: e.ScoredAt.UTC(), PrimaryScore: e.Primary}
	}
	return whole(out, func(p api.ScorePoint) string { return p.SubmissionID }, limit, after)
}

func (s *Server) scoringQueue(ctx context.Context, _ auth.Actor, _ *none) (api.ScoringQueue, error) {
	n, err := s.Competitions.Waiting(ctx)
	return api.ScoringQueue{Waiting: n}, err
}

type mineInput struct {
	Paging
	Slug
}

func (s *Server) mySubmissions(ctx context.Context, a auth.Actor, in *mineInput, limit int, after string) ([]api.Submission, string, error) {
	rows, next, err := s.Competitions.Mine(ctx, a, in.Slug.Slug, limit, after)
	out := make([]api.Submission, len(rows))
	for i, r := range rows {
		out[i] = wireSubmission(r)
	}
	return out, next, err
}

type submissionInput struct {
	ID string `path:"id" maxLength:"100" doc:"The submission's id."`
}

func (s *Server) getSubmission(ctx context.Context, a auth.Actor, in *submissionInput) (api.Submission, error) {
	sub, err := s.Competitions.Submission(ctx, a, in.ID)
	if err != nil {
		return api.Submission{}, err
	}
	return wireSubmission(sub), nil
}

func (s *Server) rescore(ctx context.Context, a auth.Actor, in *submissionInput) (api.Submission, error) {
	sub, err := s.Competitions.Rescore(ctx, a, in.ID)
	if err != nil {
		return api.Submission{}, err
	}
	return wireSubmission(sub), nil
}

func (s *Server) rescoreAll(ctx context.Context, a auth.Actor, in *Slug) (api.Rescored, error) {
	n, err := s.Competitions.RescoreAll(ctx, a, in.Slug)
	return api.Rescored{Queued: n}, err
}

type dataInput struct {
	Paging
	Slug
}

func (s *Server) dataFiles(ctx context.Context, _ auth.Actor, in *dataInput, limit int, after string) ([]api.DataFile, string, error) {
	files, err := s.Competitions.Data(ctx, in.Slug.Slug)
	if err != nil {
		return nil, "", err
	}
	out := make([]api.DataFile, len(files))
	for i, f := range files {
		out[i] = api.DataFile{Path: f.Path, Bytes: f.Bytes}
	}
	return whole(out, func(f api.DataFile) string { return f.Path }, limit, after)
}

func (s *Server) dataArchive(ctx context.Context, _ auth.Actor, in *Slug) (http.HandlerFunc, error) {
	files, err := s.Competitions.Data(ctx, in.Slug)
	if err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-tar")
		if r.Method == http.MethodHead {
			return
		}
		if err := s.Competitions.WriteData(r.Context(), files, s.stream(w)); err != nil {
			if r.Context().Err() == nil {
				s.Logger.Error("data broke off", "request_id", requestOf(r.Context()).id, "competition", in.Slug, "error", err)
			}
			panic(http.ErrAbortHandler) // the caller sees that it is not whole
		}
	}, nil
}

func wireCompetition(c competition.Competition) api.Competition {
	return api.Competition{Slug: c.Slug, Title: c.Title, CompetitionTier: c.Tier, Metric: c.Metric, MetricVersion: c.MetricVersion,
		HigherIsBetter: c.HigherIsBetter, ScoringMode: c.ScoringMode, LeaderboardRule: c.LeaderboardRule,
		EvaluationPolicy: c.EvaluationPolicy, CompetitionSpecVersion: c.SpecVersion, IsPermanent: c.Permanent, SubmissionCapPerDay: c.DailyCap}
}

func wireDetail(c competition.Competition, m competition.Manifest) api.CompetitionDetail {
	d := api.CompetitionDetail{Competition: wireCompetition(c), Description: c.Description, Status: string(c.State), DatasetSlug: c.DatasetSlug,
		EvaluationSplitVersion: c.SplitVersion, Columns: []string{m.IDColumn}, Rows: m.Rows, AttemptCapPerDay: c.AttemptCap,
		License: m.License, Source: m.Source, Revision: c.Revision}
	for _, t := range m.Targets {
		d.Columns = append(d.Columns, t.Name)
	}
	if m.Dataset != nil {
		d.DatasetTitle = m.Dataset.Title
	}
	return d
}

func wireEntry(e competition.Entry) api.LeaderboardEntry {
	return api.LeaderboardEntry{Rank: e.Rank, UserID: e.UserID, Name: e.Name, BestSubmissionID: e.SubmissionID, BestScoreID: e.ScoreID,
		PrimaryScore: e.Primary, MetricVersion: e.MetricVersion, EvaluationSplitVersion: e.SplitVersion, ScoredAt: e.ScoredAt.UTC()}
}

func wireSubmission(r competition.Submission) api.Submission {
	out := api.Submission{ID: r.ID, CompetitionSlug: r.Competition, UserID: r.UserID, Filename: r.Filename, SizeBytes: r.SizeBytes, SHA256: r.SHA256,
		Message: r.Message, CreatedAt: r.CreatedAt.UTC(), ScoreStatus: api.ScoreStatus(r.Status), ScoreError: r.ScoreError}
	if r.SessionID != "" {
		out.SessionID = &r.SessionID
	}
	if c := r.Score; c != nil {
		out.OfficialScore = &api.OfficialScore{PrimaryScore: c.Primary, ScoreComponents: c.Components, ScorerVersion: c.ScorerVersion,
			MetricVersion: c.MetricVersion, EvaluationSplitVersion: c.SplitVersion, ManifestSHA256: c.ManifestSHA256}
	}
	return out
}
