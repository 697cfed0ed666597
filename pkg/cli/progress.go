package cli

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/termtext"
)

// progress shows on stderr what is going on. On a terminal its last line is
// alive: it shows the time until the next thing is done.
type progress struct {
	p     *printer
	now   func() time.Time
	start time.Time

	mu   sync.Mutex
	text string // of the live line
	stop chan struct{}
	done sync.WaitGroup
}

// newProgress begins with a live line. The caller ends it with close.
func (a *app) newProgress(text string) *progress {
	g := &progress{p: a.print, now: a.Now, start: a.Now(), text: text, stop: make(chan struct{})}
	if g.p.live && !g.p.quiet {
		g.done.Go(g.spin)
	}
	return g
}

func (g *progress) spin() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		g.mu.Lock()
		g.draw()
		g.mu.Unlock()
		select {
		case <-g.stop:
			return
		case <-tick.C:
		}
	}
}

// draw is called with the lock held.
func (g *progress) draw() {
	fmt.Fprintf(g.p.err, "\r%s%s  %s", ansi.EraseLineRight, termtext.Cell(g.text), termtext.Duration(g.now().Sub(g.start)))
}

// say changes the live line.
func (g *progress) say(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.text = fmt.Sprintf(format, args...)
}

// bar shows on the live line how far something is; a total below 1 is not
// known.
func (g *progress) bar(what string, done, total int64) {
	if total < 1 {
		g.say("%s %s", what, termtext.Bytes(done))
		return
	}
	g.say("%s %s of %s", barText(what, done, total), termtext.Bytes(done), termtext.Bytes(total))
}

// barText is a bar of 20 characters and a percentage.
func barText(what string, done, total int64) string {
	const width = 20
	n := int(width * min(done, total) / max(total, 1))
	return fmt.Sprintf("%s [%s%s] %3d %%", what, strings.Repeat("#", n), strings.Repeat("-", width-n), 100*min(done, total)/max(total, 1))
}

// did prints a line that stays.
func (g *progress) did(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.erase()
	g.p.tell(format, args...)
}

// erase is called with the lock held.
func (g *progress) erase() {
	if g.p.live && !g.p.quiet {
		fmt.Fprint(g.p.err, "\r"+ansi.EraseLineRight)
	}
}

// close ends the live line. Twice is no error.
func (g *progress) close() {
	g.mu.Lock()
	select {
	case <-g.stop:
		g.mu.Unlock()
		return
	default:
		close(g.stop)
	}
	g.mu.Unlock()
	g.done.Wait()
	g.erase()
}

// stages are the steps of a start, by the names that session.stage events
// carry, as people call them.
var stages = map[string]string{
	"workspace": "Workspace",
	"sockets":   "Sockets",
	"gpu":       "GPU",
	"container": "Container",
	"task":      "Process",
	"ide":       "VS Code",
}

// event prints the line of an event of a session that is on its way.
func (g *progress) event(e api.Event) {
	ms, _ := e.Data["duration_ms"].(float64)
	took := termtext.Duration(time.Duration(ms) * time.Millisecond)
	switch e.Type {
	case api.EventSessionStage:
		name, ok := stages[text(e, "stage")]
		if !ok {
			name = text(e, "stage")
		}
		if why := text(e, "error"); why != "" {
			g.did("  %-10s failed after %s: %s", name, took, why)
			return
		}
		g.did("  %-10s %s", name, took)
	case api.EventSessionStopping:
		g.say("Stopping")
	case api.EventSessionSnapshot:
		if why := text(e, "error"); why != "" {
			g.did("  %-10s failed after %s: %s", "Snapshot", took, why)
			return
		}
		g.did("  %-10s %s", "Snapshot", took)
	}
}
