package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/medforge/medforge/pkg/auth"
)

type logsInput struct {
	Ref
	Follow bool `query:"follow" doc:"Wait for more until the session ends."`
	Tail   int  `query:"tail" minimum:"0" maximum:"100000" doc:"Only that many last lines; 0 is all that is kept."`
}

// logs sends the session's output as it is, byte for byte. Whoever shows it on
// a terminal must expect control sequences in it.
func (s *Server) logs(ctx context.Context, a auth.Actor, in *logsInput) (http.HandlerFunc, error) {
	ctx, cancel := context.WithCancel(ctx)
	stop := func() bool { return true }
	if in.Follow {
		stop = context.AfterFunc(s.ending, cancel)
	}
	log, err := s.Sessions.Log(untilRevoked(ctx), a, in.Name, in.Tail, in.Follow)
	if err != nil {
		stop()
		cancel()
		return nil, err
	}
	return func(w http.ResponseWriter, r *http.Request) {
		defer cancel()
		defer stop()
		defer log.Close()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if r.Method == http.MethodHead {
			return
		}
		sw := s.stream(w)
		if _, err := sw.Write(nil); err != nil { // the headers go out before the first line comes
			return
		}
		if _, err := io.Copy(sw, log); err != nil && r.Context().Err() == nil {
			if !errors.Is(err, context.Canceled) {
				s.Logger.Error("session log broke off", "request_id", requestOf(r.Context()).id, "session", in.Name, "error", err)
			}
			// Without the end of a whole answer, the caller can tell.
			panic(http.ErrAbortHandler)
		}
	}, nil
}
