package client

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

// ListOptions chooses a page of a list.
type ListOptions struct {
	Limit  int    // 0 is the server's default
	Cursor string // next_cursor of the page before
}

func (o ListOptions) query() url.Values {
	q := url.Values{}
	if o.Limit > 0 {
		q.Set("limit", strconv.Itoa(o.Limit))
	}
	if o.Cursor != "" {
		q.Set("cursor", o.Cursor)
	}
	return q
}

// page reads one page of a list.
func page[T any](ctx context.Context, c *Client, path string, o ListOptions, q url.Values) (api.Page[T], error) {
	var p api.Page[T]
	query := o.query()
	for k, v := range q {
		query[k] = v
	}
	err := c.call(ctx, request{method: http.MethodGet, path: path, query: query}, &p)
	return p, err
}

// pages reads a list to its end, page by page, as far as it is consumed.
func pages[T any](ctx context.Context, c *Client, path string, q url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		o := ListOptions{Limit: api.MaxLimit}
		for {
			p, err := page[T](ctx, c, path, o, q)
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, row := range p.Data {
				if !yield(row, nil) {
					return
				}
			}
			if !p.Meta.HasMore || p.Meta.NextCursor == nil {
				return
			}
			o.Cursor = *p.Meta.NextCursor
		}
	}
}

// all collects a list that is known to be short.
func all[T any](seq iter.Seq2[T, error]) ([]T, error) {
	out := []T{}
	for row, err := range seq {
		if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, nil
}

// needRef refuses a reference that would make another path.
func needRef(ref string) error {
	if ref == "" {
		return fault.New(fault.Invalid, "client/no-reference", "Which session? Give its slug; medforge session list shows them.")
	}
	return nil
}

// StartSession asks for a session, which comes back at starting; what follows
// goes on in the daemon. Errors: as session.Service.Start.
func (c *Client) StartSession(ctx context.Context, req api.SessionCreate) (api.Session, error) {
	created, err := post[api.SessionCreated](ctx, c, api.Path("sessions"), req)
	return created.Session, err
}

// Session returns one session by id or slug. Errors: NotFound.
func (c *Client) Session(ctx context.Context, ref string) (api.Session, error) {
	if err := needRef(ref); err != nil {
		return api.Session{}, err
	}
	return get[api.Session](ctx, c, api.SessionPath(ref))
}

// Sessions goes through the caller's sessions, newest first; through
// everybody's with everybody set. Errors: Denied.
func (c *Client) Sessions(ctx context.Context, everybody bool) iter.Seq2[api.Session, error] {
	q := url.Values{}
	if everybody {
		q.Set("all", "true")
	}
	return pages[api.Session](ctx, c, api.Path("sessions"), q)
}

// CurrentSession returns the caller's newest active session, or nil.
func (c *Client) CurrentSession(ctx context.Context) (*api.Session, error) {
	cur, err := get[api.SessionCurrent](ctx, c, api.Path("sessions", "current"))
	return cur.Session, err
}

// StopSession records that a session is to stop; false says that it had ended
// already. Errors: NotFound.
func (c *Client) StopSession(ctx context.Context, ref string) (requested bool, err error) {
	if err := needRef(ref); err != nil {
		return false, err
	}
	m, err := post[api.Message](ctx, c, api.SessionPath(ref, "stop"), nil)
	return m.Message != api.MessageAlreadyTerminal, err
}

// OpenSession returns a link that opens the session's IDE once. Errors:
// NotFound, Conflict (it does not run).
func (c *Client) OpenSession(ctx context.Context, ref string) (api.SessionLink, error) {
	if err := needRef(ref); err != nil {
		return api.SessionLink{}, err
	}
	return post[api.SessionLink](ctx, c, api.SessionPath(ref, "open"), nil)
}

// SessionLogs opens what the session printed; follow waits for more until it
// ends. The bytes are a stranger's. Errors: NotFound; while reading,
// Unavailable "client/stream-broke-off".
func (c *Client) SessionLogs(ctx context.Context, ref string, tail int, follow bool) (io.ReadCloser, error) {
	if err := needRef(ref); err != nil {
		return nil, err
	}
	q := url.Values{}
	if tail > 0 {
		q.Set("tail", strconv.Itoa(tail))
	}
	if follow {
		q.Set("follow", "true")
	}
	resp, err := c.send(ctx, request{method: http.MethodGet, path: api.SessionPath(ref, "logs"), query: q})
	if err != nil {
		return nil, err
	}
	return &logReader{c: c, ctx: ctx, body: resp.Body, what: "The log"}, nil
}

type logReader struct {
	c    *Client
	ctx  context.Context // of the stream, to tell an interrupt from a loss
	body io.ReadCloser
	what string // is read, for people
}

func (r *logReader) Read(b []byte) (int, error) {
	n, err := r.body.Read(b)
	switch {
	case err == nil, errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
	case r.ctx.Err() != nil:
		err = r.ctx.Err()
	default:
		err = r.c.brokeOff(r.what, err)
	}
	return n, err
}

func (r *logReader) Close() error { return r.body.Close() }

// Snapshots lists a session's snapshots, oldest first. Errors: NotFound.
func (c *Client) Snapshots(ctx context.Context, ref string) ([]api.Snapshot, error) {
	if err := needRef(ref); err != nil {
		return nil, err
	}
	return all(pages[api.Snapshot](ctx, c, api.SessionPath(ref, "snapshots"), nil))
}

// SessionUsage returns the space of a session's workspace. Errors: NotFound.
func (c *Client) SessionUsage(ctx context.Context, ref string) (api.SessionUsage, error) {
	if err := needRef(ref); err != nil {
		return api.SessionUsage{}, err
	}
	return get[api.SessionUsage](ctx, c, api.SessionPath(ref, "usage"))
}
