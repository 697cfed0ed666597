package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

// past is how a user's best came about.
type past struct {
	at     []time.Time
	scores []float64
	busy   bool
	loaded bool
	err    error
}

type pastMsg struct {
	turn int
	user string
	rows []api.ScorePoint
	err  error
}

// loadPast asks for the score history of the chosen user, once.
func (b *board) loadPast() tea.Cmd {
	user := b.chosen
	if p := b.past[user]; !b.panel || user == "" || p.busy || p.loaded {
		return nil
	}
	p := b.past[user]
	p.busy = true
	b.past[user] = p
	turn, slug, d := b.turn, b.slug, b.daemon
	return call(b.hub, callTime, func(ctx context.Context) ([]api.ScorePoint, error) { return d.ScoreHistory(ctx, slug, user) },
		func(rows []api.ScorePoint, err error) tea.Msg { return pastMsg{turn, user, rows, err} })
}

func (b *board) takePast(m pastMsg) {
	if m.turn != b.turn {
		return
	}
	p := past{loaded: m.err == nil, err: m.err}
	for _, r := range m.rows {
		p.at, p.scores = append(p.at, r.ScoredAt), append(p.scores, r.PrimaryScore)
	}
	if errors.Is(m.err, context.Canceled) {
		p.err = nil
	}
	b.past[m.user] = p
}

// addPast takes a new best into a history that is shown.
func (b *board) addPast(user string, at time.Time, v float64) {
	p, ok := b.past[user]
	if !ok || !p.loaded {
		return
	}
	if n := len(p.scores); n > 0 && p.scores[n-1] == v {
		return
	}
	p.at, p.scores = append(p.at, at), append(p.scores, v)
	b.past[user] = p
}

// history draws the chosen user's best over time.
func (b *board) history(columns, lines int) string {
	cur := b.current()
	if cur == nil {
		return ""
	}
	head := " " + b.th.strong.Render(cut(clean(cur.Name), columns-30)) + b.th.muted.Render("  best over time")
	p := b.past[cur.UserID]
	switch {
	case fault.Is(p.err, fault.NotFound), fault.Is(p.err, fault.NotImplemented):
		return head + "\n" + b.th.muted.Render("  not reported")
	case p.err != nil:
		return head + "\n" + b.th.bad.Render(indent(wrap(why(p.err), columns-4)))
	case !p.loaded:
		return head + "\n" + b.th.muted.Render("  Loading.")
	case len(p.scores) == 0:
		return head + "\n" + b.th.muted.Render("  Nothing yet.")
	}
	const label = 10
	tall := max(1, min(16, lines-2))
	at, values := p.at, p.scores
	if now := b.now(); now.After(at[len(at)-1]) { // what was best last still is
		at, values = append(append([]time.Time{}, at...), now), append(append([]float64{}, values...), values[len(values)-1])
	}
	rows, low, high := plot(at, values, max(4, columns-label-2), tall)
	for i := range rows {
		text := ""
		if i == 0 {
			text = score(high)
		} else if i == len(rows)-1 && low != high {
			text = score(low)
		}
		rows[i] = b.th.muted.Render(padLeft(text, label)) + " " + b.th.accent.Render(rows[i])
	}
	foot := spread(strings.Repeat(" ", label+1)+stamp(at[0], b.now()), fmt.Sprintf("%s ", plural(len(p.scores), "step")), columns)
	return head + "\n" + strings.Join(rows, "\n") + "\n" + b.th.muted.Render(foot)
}
