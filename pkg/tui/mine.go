package tui

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/termtext"
)

// maxMine is how many of the caller's submissions are listed.
const maxMine = 500

// mine are the caller's submissions to one competition, newest first.
type mine struct {
	*hub
	competition api.Competition
	list        list[api.Submission]
	grid        grid
	words       string
}

type mineMsg struct {
	slug string
	rows []api.Submission
	err  error
}

func newMine(h *hub, c api.Competition) *mine { return &mine{hub: h, competition: c} }

func (p *mine) load() tea.Cmd {
	if !p.list.begin() {
		return nil
	}
	return loadMine(p.hub, p.competition.Slug)
}

func loadMine(h *hub, slug string) tea.Cmd {
	return call(h, callTime, func(ctx context.Context) ([]api.Submission, error) { return h.daemon.MySubmissions(ctx, slug, maxMine) },
		func(rows []api.Submission, err error) tea.Msg { return mineMsg{slug, rows, err} })
}

func (p *mine) update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case mineMsg:
		if m.slug == p.competition.Slug && p.list.end(m.rows, m.err) {
			return p.load()
		}
	case feedMsg:
		again := p.list.err != nil && m.conn.up
		for _, e := range m.events {
			again = again || (e.Type == api.EventScored || e.Type == "submission.created") && str(e, "competition") == p.competition.Slug
		}
		if again {
			return p.load()
		}
	}
	return nil
}

func (p *mine) rows() []api.Submission {
	if p.words == "" {
		return p.list.rows
	}
	var some []api.Submission
	for _, s := range p.list.rows {
		if strings.Contains(strings.ToLower(s.Filename+" "+s.Message+" "+string(s.ScoreStatus)), p.words) {
			some = append(some, s)
		}
	}
	return some
}

func (p *mine) key(k tea.KeyMsg) (tea.Cmd, bool) {
	if p.grid.key(k.String(), len(p.rows())) {
		return nil, false
	}
	switch k.String() {
	case "esc", "backspace":
		return nil, true
	case "r":
		return p.load(), false
	case "y":
		if rows := p.rows(); len(rows) > 0 {
			p.out.Copy(rows[min(p.grid.cursor, len(rows)-1)].ID)
			p.say("The submission's id is in the clipboard, if this terminal allows it.")
		}
	}
	return nil, false
}

func (p *mine) mouse(m tea.MouseMsg) tea.Cmd {
	if w := wheel(m); w != 0 {
		p.grid.move(p.grid.cursor+w, len(p.rows()))
	} else if pressed(m) {
		p.grid.click(m.Y-1, len(p.rows()))
	}
	return nil
}

func (p *mine) filter(text string) tea.Cmd { p.words = strings.ToLower(text); return nil }
func (p *mine) editing() bool              { return false }
func (p *mine) close()                     {}

func (p *mine) bindings() []binding {
	return []binding{{"esc", "back", true}, {"y", "copy the id", true}, {"r", "load anew", true}}
}

func (p *mine) view(columns, lines int) string {
	rows := p.rows()
	head := " " + p.th.strong.Render("Your submissions to "+clean(p.competition.Slug))
	switch {
	case !p.list.loaded && p.list.err != nil && !p.lost(p.list.err):
		return head + "\n\n" + p.th.bad.Render(indent(wrap(why(p.list.err), columns-4)))
	case !p.list.loaded:
		return head + "\n\n" + p.th.muted.Render("  Loading your submissions.")
	case len(rows) == 0 && p.words != "":
		return head + "\n\n" + p.th.muted.Render("  Nothing matches.")
	case len(rows) == 0:
		return head + "\n\n" + p.th.muted.Render("  None yet. esc, then u submits a file.")
	}
	best := p.best()
	cols := []column{{title: "SENT", width: 16, drop: 3}, {title: "FILE", width: 12, grow: 2, most: 30}, {title: "SCORE", width: 10, right: true}, {title: "", width: 4, drop: 2},
		{title: "STATE", width: 7, drop: 1}, {title: "MESSAGE", width: 10, grow: 3, drop: 4}}
	detail := 0
	if lines >= 14 {
		detail = 7
	}
	out := head + "\n" + p.grid.view(p.th, cols, columns, lines-1-detail, len(rows), func(i int) []cell {
		s := rows[i]
		sc, note := "-", ""
		if s.OfficialScore != nil {
			sc = score(s.OfficialScore.PrimaryScore)
			if s.ID == best {
				note = "best"
			}
		}
		return []cell{{stamp(s.CreatedAt, p.now()), p.th.muted}, {clean(s.Filename), p.th.text}, {sc, p.th.strong}, {note, p.th.good},
			{string(s.ScoreStatus), p.th.status(string(s.ScoreStatus))}, {clean(s.Message), p.th.muted}}
	})
	if detail > 0 {
		out += "\n" + p.detail(rows[p.grid.cursor], columns, detail)
	}
	return out
}

// best is the id of the submission that the board shows.
func (p *mine) best() (id string) {
	top := 0.0
	for _, s := range slices.Backward(p.list.rows) { // of equal ones the first counts
		if s.OfficialScore == nil {
			continue
		}
		v := s.OfficialScore.PrimaryScore
		if id == "" || p.competition.HigherIsBetter && v > top || !p.competition.HigherIsBetter && v < top {
			id, top = s.ID, v
		}
	}
	return id
}

func (p *mine) detail(s api.Submission, columns, lines int) string {
	rows := []string{p.th.line.Render("── ") + p.th.strong.Render(cut(clean(s.ID), columns-6)) + " " + p.th.line.Render(strings.Repeat("─", max(0, columns-width(clean(s.ID))-4)))}
	add := func(k, v string) { rows = append(rows, "  "+p.th.muted.Render(pad(k, 10))+" "+cut(v, columns-13)) }
	if s.ScoreError != "" {
		add("Error", p.th.bad.Render(clean(s.ScoreError)))
	}
	if o := s.OfficialScore; o != nil {
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(o.ScoreComponents)) {
			parts = append(parts, fmt.Sprintf("%s %s", clean(k), score(o.ScoreComponents[k])))
		}
		add("Score", score(o.PrimaryScore)+"  "+strings.Join(parts, ", "))
		add("Made by", fmt.Sprintf("scorer %s, metric %s, split %s", clean(o.ScorerVersion), clean(o.MetricVersion), clean(o.EvaluationSplitVersion)))
	}
	add("File", clean(s.Filename)+", "+termtext.Bytes(s.SizeBytes))
	add("SHA-256", clean(s.SHA256))
	return box(strings.Join(rows, "\n"), columns, lines)
}
