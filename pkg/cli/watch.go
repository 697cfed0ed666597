package cli

import (
	"context"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/client"
	"github.com/medforge/medforge/pkg/fault"
)

// watch does something to a session and then follows it until it has come to
// rest: settled reports whether it has. The stream of events is opened before
// act, so that nothing of what act causes is missed. each, called for every
// event of that session, may be nil. When the interrupt comes after act, the
// session that act returned is returned with context.Canceled.
func (a *app) watch(ctx context.Context, act func() (api.Session, error), each func(api.Event), settled func(api.SessionStatus) bool) (api.Session, error) {
	stream, err := a.events(ctx)
	if err != nil {
		return api.Session{}, err
	}
	defer func() { stream.Close() }()
	s, err := act()
	if err != nil || settled(s.Status) {
		return s, err
	}
	for {
		e, err := stream.Next()
		if fault.CodeOf(err) == "events/resume-lost" {
			// The daemon was restarted, or we were away for long: look at how
			// things stand, and go on from there.
			stream.Close()
			if stream, err = a.events(ctx); err != nil {
				return s, err
			}
		} else if err != nil {
			return s, err
		} else if e.SessionID != s.ID {
			continue
		} else {
			if each != nil {
				each(e)
			}
			if e.Type != api.EventSessionRunning && e.Type != api.EventSessionStop {
				continue
			}
		}
		now, err := a.client.Session(ctx, s.ID)
		if err != nil {
			return s, err
		}
		if s = now; settled(s.Status) {
			return s, nil
		}
	}
}

// events opens a stream that tells the person, once, when it is interrupted.
func (a *app) events(ctx context.Context) (*client.EventStream, error) {
	told := false
	return a.client.Events(ctx, client.EventOptions{Retrying: func(error) {
		if !told {
			a.print.tell("The connection to %s was lost; trying again.", a.client.Address())
			told = true
		}
	}})
}

// text reads a string out of an event's data.
func text(e api.Event, key string) string {
	s, _ := e.Data[key].(string)
	return s
}
