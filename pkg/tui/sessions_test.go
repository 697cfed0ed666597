package tui

import (
	"testing"
	"time"

	"github.com/muesli/termenv"

	"github.com/medforge/medforge/pkg/api"
)

func TestSessionsFrames(t *testing.T) {
	t.Parallel()
	newRig(t, empty(), termenv.Ascii, true).golden("sessions-empty")

	r := newRig(t, full(), termenv.Ascii, true)
	r.running()
	r.events(stageEvent("id-c7d2ef5g", "workspace", 12), stageEvent("id-c7d2ef5g", "sockets", 1), stageEvent("id-c7d2ef5g", "gpu", 3))
	r.golden("sessions-full")
	r.keys("G")
	r.golden("sessions-ended")

	broken := empty()
	broken.err = gone
	newRig(t, broken, termenv.Ascii, true).golden("sessions-error")
	r.send(feedMsg{conn: connection{err: gone, retry: r.at.Add(4 * time.Second), turn: 1}})
	r.golden("sessions-lost")
}

func stageEvent(id, stage string, ms float64) api.Event {
	return api.Event{Type: api.EventSessionStage, SessionID: id, Data: map[string]any{"stage": stage, "duration_ms": ms}}
}
