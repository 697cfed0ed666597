package httpapi

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/fault"
)

// Streamed is part of the input of a route that reads its body itself, as it
// comes. Exported because Huma skips embedded types that are not.
type Streamed struct {
	req  *http.Request
	body io.ReadCloser
}

// Resolve is called by Huma with the request that the input is made from.
func (in *Streamed) Resolve(c huma.Context) []error {
	r, w := humago.Unwrap(c)
	in.req = r
	in.body = &patient{r: r.Body, ctl: http.NewResponseController(w)}
	return nil
}

// quietSender is how long a sender may be silent.
const quietSender = 60 * time.Second

// patient reads a body of any length, as long as bytes keep coming.
type patient struct {
	r   io.ReadCloser
	ctl *http.ResponseController
}

func (p *patient) Read(b []byte) (int, error) {
	_ = p.ctl.SetReadDeadline(time.Now().Add(quietSender)) // a connection without deadlines needs none
	n, err := p.r.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, fault.Wrap(err, fault.Timeout, api.CodeTooSlow, "The body did not arrive in its time. Send the request again.")
	}
	if errors.Is(err, io.EOF) {
		_ = p.ctl.SetReadDeadline(time.Time{}) // the connection goes on without
	}
	return n, err
}

func (p *patient) Close() error { return p.r.Close() }

type submitInput struct {
	Slug
	Streamed
}

// formOverhead is what a form may have besides the file: its boundaries, and
// the message.
const formOverhead = 16 << 10

// submit takes multipart/form-data with the parts file and message, in any
// order, and streams the file.
func (s *Server) submit(ctx context.Context, a auth.Actor, in *submitInput) (api.SubmissionCreated, error) {
	size := int64(-1)
	if n := in.req.ContentLength; n > formOverhead {
		size = n - formOverhead // at least
	}
	// Before anything is read: a sender that waits for 100 Continue gets the
	// refusal instead, and one that went on sending could miss it.
	if _, err := s.Competitions.Admit(ctx, a, in.Slug.Slug, size); err != nil {
		return api.SubmissionCreated{}, err
	}
	parts, err := in.form()
	if err != nil {
		return api.SubmissionCreated{}, err
	}
	u := competition.Upload{Filename: parts.file.FileName(), Size: size, File: parts.file, Message: parts.rest}
	r, err := s.Competitions.Submit(ctx, a, in.Slug.Slug, u)
	if err != nil {
		in.drain()
		return api.SubmissionCreated{}, err
	}
	return api.SubmissionCreated{Submission: wireSubmission(r.Submission), DailyCap: r.DailyCap, RemainingToday: r.Remaining, ResetsAt: r.ResetsAt.UTC()}, nil
}

// drainTime is how long a refused file is still read.
const drainTime = 10 * time.Second

// drain reads what is still on its way, so that the sender gets to read the
// answer instead of a broken connection.
func (in *Streamed) drain() {
	buf := make([]byte, 64<<10)
	for until := time.Now().Add(drainTime); time.Now().Before(until); {
		if _, err := in.body.Read(buf); err != nil {
			return // the end, or a sender that went away: the answer says what matters
		}
	}
}

// form is a multipart form, read up to its file.
type form struct {
	parts   *multipart.Reader
	file    *multipart.Part
	message string
}

func (in *Streamed) form() (*form, error) {
	media, params, err := mime.ParseMediaType(in.req.Header.Get("Content-Type"))
	if err != nil || media != "multipart/form-data" || params["boundary"] == "" {
		return nil, fault.New(fault.Invalid, api.CodeUnsupportedMedia, "The body must be multipart/form-data with the parts file and message.")
	}
	f := &form{parts: multipart.NewReader(in.body, params["boundary"])}
	for {
		p, err := f.parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, fault.New(fault.Invalid, api.CodeInvalidRequest, "The form has no part named file.").
				With(fault.Field{Loc: "body.file", Type: "missing", Msg: "expected a file"})
		}
		if err != nil {
			return nil, brokenForm(err)
		}
		if p.FormName() == "file" {
			f.file = p
			return f, nil
		}
		if err := f.take(p); err != nil {
			return nil, err
		}
	}
}

// take reads a part that is no file.
func (f *form) take(p *multipart.Part) error {
	if p.FormName() != "message" {
		return fault.New(fault.Invalid, api.CodeInvalidRequest, "The form has a part that is not known; it has file and message.").
			With(fault.Field{Loc: "body", Type: "unexpected", Msg: "a part is neither file nor message"})
	}
	raw, err := io.ReadAll(io.LimitReader(p, 4*competition.MaxMessage+1))
	if err != nil {
		return brokenForm(err)
	}
	f.message = string(raw)
	return nil
}

// rest reads what comes after the file and returns the message.
func (f *form) rest() (string, error) {
	for {
		p, err := f.parts.NextPart()
		if errors.Is(err, io.EOF) {
			return f.message, nil
		}
		if err != nil {
			return "", brokenForm(err)
		}
		if err := f.take(p); err != nil {
			return "", err
		}
	}
}

func brokenForm(err error) error {
	if fault.As(err) != nil {
		return err
	}
	return fault.Wrap(err, fault.Invalid, api.CodeMalformedRequest, "The form is not whole or not multipart/form-data. Send it again.")
}
