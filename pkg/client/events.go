package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

// EventOptions chooses what a stream carries.
type EventOptions struct {
	// Session limits it to one session, by id or slug.
	Session string
	// Retrying, if not nil, is told why the connection was lost each time it
	// is about to be made anew.
	Retrying func(err error)
}

// EventStream is a live stream of events, in order and without a gap. When the
// connection is lost it is made anew and resumed after the last event seen. It
// is for one goroutine; Close may be called from any.
type EventStream struct {
	c      *Client
	o      EventOptions
	ctx    context.Context // ends with Close: it is the stream's life
	cancel context.CancelFunc
	lastID string
	conn   *connection // nil between two
}

// Events begins a stream with what happens from now on: whatever the caller
// does after Events returned will be seen. Errors: as any call; NotFound for an
// unknown session.
func (c *Client) Events(ctx context.Context, o EventOptions) (*EventStream, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &EventStream{c: c, o: o, ctx: ctx, cancel: cancel}
	if err := s.connect(); err != nil {
		cancel()
		return nil, err
	}
	return s, nil
}

// Close ends the stream; a Next that waits returns context.Canceled.
func (s *EventStream) Close() { s.cancel() }

// How long to wait before the connection is made anew.
const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// Next waits for the next event. Errors: ctx's; Conflict "events/resume-lost"
// when events were missed for good, so that the caller must load the present
// state and begin a new stream; Unauthenticated, Denied and NotFound when the
// caller may not listen any more.
func (s *EventStream) Next() (api.Event, error) {
	wait := firstRetry
	for {
		if s.conn != nil {
			e, err := s.conn.next(&s.lastID)
			if err == nil {
				return e, nil
			}
			s.conn.close()
			s.conn = nil
			if final(s.ctx, err) {
				return api.Event{}, orCanceled(s.ctx, err)
			}
			if s.o.Retrying != nil {
				s.o.Retrying(err)
			}
		}
		select {
		case <-s.ctx.Done():
			return api.Event{}, s.ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, lastRetry)
		if err := s.connect(); err != nil && final(s.ctx, err) {
			return api.Event{}, orCanceled(s.ctx, err)
		}
	}
}

// final reports whether trying again cannot help.
func final(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return true
	}
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Timeout, fault.TooMany:
		return false
	}
	return true
}

func orCanceled(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// connect opens the stream and waits until the server has begun it.
func (s *EventStream) connect() error {
	q := url.Values{}
	if s.o.Session != "" {
		q.Set("session", s.o.Session)
	}
	h := http.Header{"Accept": {"text/event-stream"}}
	if s.lastID != "" {
		h.Set("Last-Event-ID", s.lastID)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	// The answer's head must come in the time of an ordinary call; its body
	// has no end.
	limit := time.AfterFunc(s.c.o.Timeout, cancel)
	resp, err := s.c.send(ctx, request{method: http.MethodGet, path: api.Path("events"), query: q, header: h})
	if !limit.Stop() && s.ctx.Err() == nil && errors.Is(err, context.Canceled) {
		err = s.c.unreachable(ctx, context.DeadlineExceeded)
	}
	if err != nil {
		cancel()
		return err
	}
	s.conn = &connection{c: s.c, body: resp.Body, r: bufio.NewReader(resp.Body), cancel: cancel,
		quiet: time.AfterFunc(s.c.o.Quiet, cancel)}
	return nil
}

// connection is one connection of a stream.
type connection struct {
	c      *Client
	body   io.ReadCloser
	r      *bufio.Reader
	cancel context.CancelFunc
	quiet  *time.Timer // cancels when nothing comes, not even a comment
}

func (n *connection) close() {
	n.quiet.Stop()
	n.cancel()
	_ = n.body.Close() // nothing was written to it
}

// maxEventLine bounds one line of the stream.
const maxEventLine = 4 << 20

// next reads to the next event (WHATWG HTML, 9.2.6, as far as MedForge's
// server uses it: no BOM, lines end in LF) and keeps its id.
func (n *connection) next(lastID *string) (api.Event, error) {
	var name, id string
	var data strings.Builder
	for {
		line, err := n.line()
		if err != nil {
			return api.Event{}, n.c.brokeOff("The stream of events", err)
		}
		n.quiet.Reset(n.c.o.Quiet)
		if line == "" {
			if id != "" {
				*lastID = id
			}
			if data.Len() == 0 {
				name, id = "", ""
				continue
			}
			return n.event(name, data.String())
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			id = value
		case "event":
			name = value
		case "data":
			if data.Len() > 0 {
				data.WriteByte('\n')
			}
			data.WriteString(value)
		}
	}
}

func (n *connection) line() (string, error) {
	var b []byte
	for {
		part, err := n.r.ReadSlice('\n')
		b = append(b, part...)
		if len(b) > maxEventLine {
			return "", errors.New("a line is longer than any event")
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return "", err
		}
		return strings.TrimSuffix(string(b[:len(b)-1]), "\r"), nil
	}
}

func (n *connection) event(name, data string) (api.Event, error) {
	if name == "problem" {
		var p api.Problem
		if err := json.Unmarshal([]byte(data), &p); err != nil {
			return api.Event{}, n.c.brokeOff("The stream of events", err)
		}
		return api.Event{}, p.Fault(0)
	}
	var e api.Event
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		return api.Event{}, fault.Wrap(err, fault.Internal, CodeUnexpected, "%s sent an event that cannot be read.", n.c.Address())
	}
	return e, nil
}
