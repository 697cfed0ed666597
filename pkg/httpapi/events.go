package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
)

type eventsInput struct {
	Session     string `query:"session" maxLength:"100" doc:"Only what happens to this session, by id or slug."`
	LastEventID string `header:"Last-Event-ID" maxLength:"100" doc:"The id of the last event seen: what came after it is sent first. Without it, from now on."`
}

// events is a stream of server-sent events (WHATWG HTML, 9.2). Each has an id
// to resume after and one line of data, an api.Event. A stream that the server
// ends says why in a last event named "problem": the reader was too slow, or
// the daemon shuts down.
func (s *Server) events(ctx context.Context, a auth.Actor, in *eventsInput) (http.HandlerFunc, error) {
	visible := event.VisibleTo(a.UserID, a.Admin())
	filter := visible
	if in.Session != "" {
		row, err := s.Sessions.Get(ctx, a, in.Session)
		if err != nil {
			return nil, err
		}
		filter = func(e event.Event) bool { return e.SessionID == row.ID && visible(e) }
	}
	after, err := s.Events.After(in.LastEventID)
	if err != nil {
		return nil, err
	}
	// A reader that loses the stream before its first event must still have
	// something to resume after.
	begin := s.Events.ID(event.Event{Seq: s.Events.Seq()})
	if in.LastEventID != "" {
		begin = in.LastEventID
	}
	sub := s.Events.Subscribe(untilRevoked(ctx), after, filter)
	if err := endedAtOnce(sub); err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		if r.Method == http.MethodHead {
			return
		}
		s.sendEvents(r.Context(), s.stream(w), begin, sub)
	}, nil
}

// endedAtOnce returns why a subscription could not begin: that is a problem
// with a status, and no stream.
func endedAtOnce(sub *event.Subscription) error {
	if len(sub.C) > 0 {
		return nil
	}
	return sub.Err()
}

func (s *Server) sendEvents(ctx context.Context, w io.Writer, begin string, sub *event.Subscription) {
	// Sent at once, so that the reader knows that whatever it does from now on
	// will be seen. An id without data sets what to resume after and is no
	// event.
	if _, err := fmt.Fprintf(w, "retry: 1000\nid: %s\n\n", begin); err != nil {
		return
	}
	quiet := time.NewTicker(s.KeepAlive)
	defer quiet.Stop()
	for {
		select {
		case <-s.ending.Done():
			s.sendEnd(ctx, w, errEnding)
			return
		case e, ok := <-sub.C:
			if !ok {
				s.sendEnd(ctx, w, sub.Err())
				return
			}
			if err := s.sendEvent(w, e); err != nil {
				return // the reader is gone or too slow for the write's deadline
			}
			quiet.Reset(s.KeepAlive)
		case <-quiet.C:
			if _, err := io.WriteString(w, ": keep-alive\n\n"); err != nil {
				return
			}
		}
	}
}

func (s *Server) sendEvent(w io.Writer, e event.Event) error {
	data, err := json.Marshal(api.Event{
		Seq: e.Seq, Time: e.Time.UTC(), Type: string(e.Type), UserID: e.UserID,
		SessionID: e.SessionID, Slug: e.Slug, ActorID: e.ActorID, Data: e.Data,
	})
	if err != nil {
		s.Logger.Error("event cannot be written as JSON", "event", e.Type, "seq", e.Seq, "error", err)
		return err
	}
	_, err = fmt.Fprintf(w, "id: %s\ndata: %s\n\n", s.Events.ID(e), data)
	return err
}

// errEnding ends a stream; its reader comes back to the next daemon.
var errEnding = fault.New(fault.Unavailable, "events/closed", "the daemon is shutting down")

// sendEnd says why the stream ends, unless the reader ended it.
func (s *Server) sendEnd(ctx context.Context, w io.Writer, why error) {
	if fault.As(why) == nil {
		return
	}
	if data, err := json.Marshal(toProblem(ctx, why).Problem); err == nil {
		_, _ = fmt.Fprintf(w, "event: problem\ndata: %s\n\n", data) // it ends either way
	}
}
