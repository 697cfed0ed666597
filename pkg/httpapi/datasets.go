package httpapi

import (
	"context"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/competition"
)

type datasetsInput struct{ Paging }

func (s *Server) datasets(ctx context.Context, _ auth.Actor, _ *datasetsInput, limit int, after string) ([]api.Dataset, string, error) {
	rows, err := s.Competitions.Datasets(ctx)
	if err != nil {
		return nil, "", err
	}
	out := make([]api.Dataset, len(rows))
	for i, d := range rows {
		out[i] = wireDataset(d)
	}
	return whole(out, func(d api.Dataset) string { return d.Slug }, limit, after)
}

type datasetInput struct {
	Slug string `path:"slug" maxLength:"100" doc:"The dataset's slug."`
}

func (s *Server) dataset(ctx context.Context, _ auth.Actor, in *datasetInput) (api.Dataset, error) {
	d, err := s.Competitions.Dataset(ctx, in.Slug)
	return wireDataset(d), err
}

func wireDataset(d competition.Dataset) api.Dataset {
	return api.Dataset{Slug: d.Slug, Title: d.Title, Source: d.Source, License: d.License, Bytes: d.Bytes, Checksum: d.Checksum}
}

func (s *Server) importForm(ctx context.Context, _ auth.Actor, in *datasetInput) (api.ImportForm, error) {
	files, err := s.Competitions.ImportWants(ctx, in.Slug)
	return api.ImportForm{Files: append([]string{}, files...)}, err
}

type importDatasetInput struct {
	Slug string `path:"slug" maxLength:"100" doc:"The dataset's slug."`
	Body api.DatasetImport
}

func (s *Server) importDataset(ctx context.Context, a auth.Actor, in *importDatasetInput) (api.Dataset, error) {
	d, err := s.Competitions.Import(ctx, a, in.Slug, in.Body.SHA256, in.Body.PNG)
	return wireDataset(d), err
}

type uploadInput struct {
	SHA256 string `path:"sha256" maxLength:"64" doc:"The SHA-256 of the whole upload."`
}

func (s *Server) uploaded(ctx context.Context, a auth.Actor, in *uploadInput) (api.UploadState, error) {
	n, err := s.Competitions.Uploaded(ctx, a, in.SHA256)
	return api.UploadState{Received: n}, err
}

type uploadPartInput struct {
	Streamed
	SHA256 string `path:"sha256" maxLength:"64" doc:"The SHA-256 of the whole upload."`
	Offset int64  `query:"offset" minimum:"0" doc:"Where the body begins: what the upload has received."`
}

func (s *Server) upload(ctx context.Context, a auth.Actor, in *uploadPartInput) (api.UploadState, error) {
	n, err := s.Competitions.Upload(ctx, a, in.SHA256, in.Offset, in.body)
	return api.UploadState{Received: n}, err
}

type addInput struct{ Streamed }

func (s *Server) addCompetition(ctx context.Context, a auth.Actor, in *addInput) (api.CompetitionAdded, error) {
	c, err := s.Competitions.Add(ctx, a, in.body)
	return s.added(ctx, in, c, nil, err)
}

func (s *Server) importCodabench(ctx context.Context, a auth.Actor, in *addInput) (api.CompetitionAdded, error) {
	c, notes, err := s.Competitions.ImportCodabench(ctx, a, in.body)
	return s.added(ctx, in, c, notes, err)
}

func (s *Server) added(ctx context.Context, in *addInput, c competition.Competition, notes []string, err error) (api.CompetitionAdded, error) {
	if err != nil {
		in.drain()
		return api.CompetitionAdded{}, err
	}
	c, m, err := s.Competitions.Get(ctx, c.Slug)
	return api.CompetitionAdded{Competition: wireDetail(c, m), Notes: append([]string{}, notes...)}, err
}
