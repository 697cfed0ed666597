package tui

import (
	"context"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/termtext"
)

// snaps lists a session's snapshots, newest first.
type snaps struct {
	*hub
	session api.Session
	list    list[api.Snapshot]
	grid    grid
	start   func(from string) tea.Cmd
}

type snapsMsg struct {
	id   string
	rows []api.Snapshot
	err  error
}

func newSnaps(h *hub, s api.Session, start func(string) tea.Cmd) *snaps {
	return &snaps{hub: h, session: s, start: start}
}

func (p *snaps) load() tea.Cmd {
	if !p.list.begin() {
		return nil
	}
	id := p.session.ID
	return call(p.hub, callTime, func(ctx context.Context) ([]api.Snapshot, error) { return p.daemon.Snapshots(ctx, id) },
		func(rows []api.Snapshot, err error) tea.Msg { return snapsMsg{id, rows, err} })
}

func (p *snaps) update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case snapsMsg:
		if m.id == p.session.ID && p.list.end(m.rows, m.err) {
			return p.load()
		}
	case feedMsg:
		for _, e := range m.events {
			if e.Type == api.EventSessionSnapshot && e.SessionID == p.session.ID {
				return p.load()
			}
		}
		if p.list.err != nil && m.conn.up {
			return p.load()
		}
	}
	return nil
}

func (p *snaps) key(k tea.KeyMsg) (tea.Cmd, bool) {
	if p.grid.key(k.String(), len(p.list.rows)) {
		return nil, false
	}
	switch k.String() {
	case "esc", "backspace":
		return nil, true
	case "enter", "f":
		if len(p.list.rows) == 0 {
			return nil, false
		}
		chosen := p.list.rows[len(p.list.rows)-1-p.grid.cursor] // as the view shows them
		return p.start(p.session.Slug + "@" + chosen.Name), true
	}
	return nil, false
}

func (p *snaps) mouse(m tea.MouseMsg) tea.Cmd {
	if w := wheel(m); w != 0 {
		p.grid.move(p.grid.cursor+w, len(p.list.rows))
	} else if pressed(m) {
		p.grid.click(m.Y-1, len(p.list.rows))
	}
	return nil
}

func (p *snaps) filter(string) tea.Cmd { return nil }
func (p *snaps) editing() bool         { return false }
func (p *snaps) close()                {}

func (p *snaps) bindings() []binding {
	return []binding{{"esc", "back", true}, {"enter", "start with these files", true}}
}

func (p *snaps) view(columns, lines int) string {
	head := " " + p.th.strong.Render("Snapshots of "+clean(p.session.Slug)) + "  " + p.th.muted.Render(plural(len(p.list.rows), "snapshot"))
	switch {
	case p.list.err != nil && !p.list.loaded:
		return head + "\n\n" + p.th.bad.Render(indent(wrap(why(p.list.err), columns-4)))
	case !p.list.loaded:
		return head + "\n\n" + p.th.muted.Render("  Loading the snapshots.")
	case len(p.list.rows) == 0:
		return head + "\n\n" + p.th.muted.Render("  None yet. One is taken when the session stops.")
	}
	cols := []column{{title: "SNAPSHOT", width: 18, grow: 1, most: 40}, {title: "TAKEN", width: 16, drop: 1}, {title: "ONLY ITS OWN", width: 12, right: true, drop: 2}}
	n := len(p.list.rows)
	return head + "\n" + p.grid.view(p.th, cols, columns, lines-1, n, func(i int) []cell {
		s := p.list.rows[n-1-i] // the API gives the oldest first
		used := "-"
		if s.UsedBytes != nil {
			used = termtext.Bytes(*s.UsedBytes)
		}
		return []cell{{clean(s.Name), p.th.text}, {stamp(s.CreatedAt, p.now()), p.th.muted}, {used, p.th.muted}}
	})
}
