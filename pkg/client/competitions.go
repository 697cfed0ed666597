package client

import (
	"bytes"
	"context"
	"io"
	"iter"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

// needSlug refuses an empty name, which would make another path.
func needSlug(slug, what string) error {
	if slug == "" {
		return fault.New(fault.Invalid, "client/no-reference", "Which %s? medforge %s list shows them.", what, what)
	}
	return nil
}

// Competitions lists them by slug.
func (c *Client) Competitions(ctx context.Context) ([]api.Competition, error) {
	return all(pages[api.Competition](ctx, c, api.Path("competitions"), nil))
}

// Competition errors: NotFound.
func (c *Client) Competition(ctx context.Context, slug string) (api.CompetitionDetail, error) {
	if err := needSlug(slug, "competition"); err != nil {
		return api.CompetitionDetail{}, err
	}
	return get[api.CompetitionDetail](ctx, c, api.CompetitionPath(slug))
}

// Leaderboard returns a page of a board. Errors: NotFound.
func (c *Client) Leaderboard(ctx context.Context, slug string, o ListOptions) (api.LeaderboardPage, error) {
	var p api.LeaderboardPage
	if err := needSlug(slug, "competition"); err != nil {
		return p, err
	}
	err := c.call(ctx, request{method: http.MethodGet, path: api.CompetitionPath(slug, "leaderboard"), query: o.query()}, &p)
	return p, err
}

// ScoreHistory is how a user's place on the present board came about, oldest
// first. Errors: NotFound.
func (c *Client) ScoreHistory(ctx context.Context, slug, userID string) ([]api.ScorePoint, error) {
	if err := needSlug(slug, "competition"); err != nil {
		return nil, err
	}
	return all(pages[api.ScorePoint](ctx, c, api.CompetitionPath(slug, "leaderboard", userID, "history"), nil))
}

// ScoringQueue is what waits for its score. Errors: Denied.
func (c *Client) ScoringQueue(ctx context.Context) (api.ScoringQueue, error) {
	return get[api.ScoringQueue](ctx, c, api.Path("admin", "queue"))
}

// Predictions is a file to submit.
type Predictions struct {
	Filename string
	File     io.Reader
	Size     int64 // bytes; -1 when not known
	Message  string
	// Progress, if not nil, is told how much was sent, from one goroutine.
	Progress func(sent int64)
}

// Submit sends a file of predictions. It ends with ctx and has no other time
// limit. Errors: NotFound; Invalid with every mistake in the file;
// LimitReached "competitions/submission-cap-reached".
func (c *Client) Submit(ctx context.Context, slug string, p Predictions) (api.SubmissionCreated, error) {
	var e api.Envelope[api.SubmissionCreated]
	if err := needSlug(slug, "competition"); err != nil {
		return e.Data, err
	}
	var head bytes.Buffer
	w := multipart.NewWriter(&head)
	err := w.WriteField("message", p.Message)
	if err == nil {
		_, err = w.CreateFormFile("file", p.Filename)
	}
	if err != nil {
		return e.Data, fault.Wrap(err, fault.Internal, "client/unencodable", "The form cannot be written.")
	}
	begin := bytes.Clone(head.Bytes())
	head.Reset()
	if err := w.Close(); err != nil {
		return e.Data, fault.Wrap(err, fault.Internal, "client/unencodable", "The form cannot be written.")
	}
	length := int64(-1)
	if p.Size >= 0 {
		length = int64(len(begin)) + p.Size + int64(head.Len())
	}
	err = c.callWithin(ctx, request{
		method: http.MethodPost, path: api.CompetitionPath(slug, "submissions"), length: length, ctype: w.FormDataContentType(),
		body: io.MultiReader(bytes.NewReader(begin), &progressReader{r: p.File, report: p.Progress}, &head),
		// A spent day is told before the file is on its way.
		header: http.Header{"Expect": {"100-continue"}},
	}, &e)
	return e.Data, err
}

// MySubmissions goes through the caller's submissions, newest first. Errors:
// NotFound.
func (c *Client) MySubmissions(ctx context.Context, slug string) iter.Seq2[api.Submission, error] {
	return pages[api.Submission](ctx, c, api.CompetitionPath(slug, "submissions", "me"), nil)
}

// Submission errors: NotFound.
func (c *Client) Submission(ctx context.Context, id string) (api.Submission, error) {
	return get[api.Submission](ctx, c, api.Path("submissions", id))
}

// Rescore has one submission scored again. Errors: Denied, NotFound.
func (c *Client) Rescore(ctx context.Context, id string) (api.Submission, error) {
	return post[api.Submission](ctx, c, api.Path("admin", "submissions", id, "score"), nil)
}

// RescoreAll has all of a competition's scored again and returns how many.
// Errors: Denied, NotFound.
func (c *Client) RescoreAll(ctx context.Context, slug string) (int, error) {
	r, err := post[api.Rescored](ctx, c, api.Path("admin", "competitions", slug, "score"), nil)
	return r.Queued, err
}

// CompetitionData lists the files to work with. Errors: NotFound.
func (c *Client) CompetitionData(ctx context.Context, slug string) ([]api.DataFile, error) {
	if err := needSlug(slug, "competition"); err != nil {
		return nil, err
	}
	return all(pages[api.DataFile](ctx, c, api.CompetitionPath(slug, "data"), nil))
}

// CompetitionArchive opens these files as one tar archive. Errors: NotFound;
// while reading, Unavailable "client/stream-broke-off".
func (c *Client) CompetitionArchive(ctx context.Context, slug string) (io.ReadCloser, error) {
	if err := needSlug(slug, "competition"); err != nil {
		return nil, err
	}
	resp, err := c.send(ctx, request{method: http.MethodGet, path: api.CompetitionPath(slug, "data", "archive")})
	if err != nil {
		return nil, err
	}
	return &logReader{c: c, ctx: ctx, body: resp.Body, what: "The archive"}, nil
}

// AddCompetition sends a bundle as a tar archive. Errors: Denied, Invalid with
// every mistake in it.
func (c *Client) AddCompetition(ctx context.Context, archive io.Reader, progress func(sent int64)) (api.CompetitionAdded, error) {
	return c.addCompetition(ctx, api.Path("admin", "competitions"), "application/x-tar", archive, -1, progress)
}

// ImportCodabench sends a Codabench bundle, a zip of size bytes. Errors:
// Denied, Invalid with everything that cannot be converted.
func (c *Client) ImportCodabench(ctx context.Context, archive io.Reader, size int64, progress func(sent int64)) (api.CompetitionAdded, error) {
	return c.addCompetition(ctx, api.Path("admin", "competitions", "codabench"), "application/zip", archive, size, progress)
}

func (c *Client) addCompetition(ctx context.Context, path, media string, r io.Reader, size int64, progress func(int64)) (api.CompetitionAdded, error) {
	var e api.Envelope[api.CompetitionAdded]
	err := c.callWithin(ctx, request{method: http.MethodPost, path: path, body: &progressReader{r: r, report: progress}, length: size, ctype: media,
		header: http.Header{"Expect": {"100-continue"}}}, &e)
	return e.Data, err
}

// Datasets lists them by slug.
func (c *Client) Datasets(ctx context.Context) ([]api.Dataset, error) {
	return all(pages[api.Dataset](ctx, c, api.Path("datasets"), nil))
}

// Dataset errors: NotFound.
func (c *Client) Dataset(ctx context.Context, slug string) (api.Dataset, error) {
	if err := needSlug(slug, "dataset"); err != nil {
		return api.Dataset{}, err
	}
	return get[api.Dataset](ctx, c, api.Path("datasets", slug))
}

// ImportForm says which files the import of a dataset needs; none: the archive
// as it was downloaded. Errors: Denied, NotFound.
func (c *Client) ImportForm(ctx context.Context, slug string) ([]string, error) {
	if err := needSlug(slug, "dataset"); err != nil {
		return nil, err
	}
	f, err := get[api.ImportForm](ctx, c, api.Path("admin", "datasets", slug, "import"))
	return f.Files, err
}

// Upload sends what the daemon does not have yet of a file with that SHA-256,
// so that one that broke off goes on. Errors: Denied, OutOfSpace.
func (c *Client) Upload(ctx context.Context, sha256 string, file io.ReadSeeker, size int64, progress func(sent int64)) error {
	state, err := get[api.UploadState](ctx, c, api.Path("admin", "uploads", sha256))
	if err != nil || state.Received >= size {
		return err
	}
	if _, err := file.Seek(state.Received, io.SeekStart); err != nil {
		return err
	}
	var e api.Envelope[api.UploadState]
	return c.callWithin(ctx, request{
		method: http.MethodPost, path: api.Path("admin", "uploads", sha256), query: url.Values{"offset": {strconv.FormatInt(state.Received, 10)}},
		body: &progressReader{r: file, sent: state.Received, report: progress}, length: size - state.Received, ctype: "application/octet-stream",
	}, &e)
}

// ImportDataset has an upload become the dataset. It ends with ctx and has no
// other time limit. Errors: Denied, NotFound, Invalid (not that dataset).
func (c *Client) ImportDataset(ctx context.Context, slug string, in api.DatasetImport) (api.Dataset, error) {
	var e api.Envelope[api.Dataset]
	r := request{method: http.MethodPost, path: api.Path("admin", "datasets", slug, "import")}
	if err := r.encode(in); err != nil {
		return e.Data, err
	}
	err := c.callWithin(ctx, r, &e)
	return e.Data, err
}
