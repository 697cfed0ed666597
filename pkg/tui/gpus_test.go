package tui

import (
	"testing"
	"time"

	"github.com/muesli/termenv"
)

func TestGPUsFrames(t *testing.T) {
	t.Parallel()
	r := newRig(t, empty(), termenv.Ascii, true)
	r.keys("2")
	r.golden("gpus-empty")

	r = newRig(t, full(), termenv.Ascii, true)
	r.running()
	r.keys("2")
	r.golden("gpus-full")
	r.send(feedMsg{conn: connection{err: gone, retry: r.at.Add(4 * time.Second), turn: 1}})
	r.golden("gpus-lost")

	broken := empty()
	broken.err = gone
	r = newRig(t, broken, termenv.Ascii, true)
	r.keys("2")
	r.golden("gpus-error")
}
