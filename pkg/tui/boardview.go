package tui

import (
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"

	"github.com/medforge/medforge/pkg/api"
)

func (b *board) bindings() []binding {
	return []binding{{"/", "search a name", true}, {"n N", "next, previous", false}, {"m", "your row", true}, {"enter", "score history", true}, {"[ ]", "another competition", true},
		{"u", "submit", false}, {"y", "copy the row", false}, {"r", "load anew", false}}
}

func (b *board) commands() []command { return nil } // the competitions' have them

func (b *board) key(k tea.KeyMsg) tea.Cmd {
	n := len(b.st.rows)
	key := k.String()
	switch {
	case (key == "G" || key == "end") && b.cursor != "":
		b.toEnd = true
		b.grid.move(n-1, n)
		return b.more()
	case b.grid.key(key, n):
		b.toEnd, b.hunting = false, false
		b.choose()
		return tea.Batch(b.prefetch(), b.loadPast())
	}
	switch key {
	case "n":
		b.hunting = b.words != ""
		return tea.Batch(b.hunt(), b.loadPast())
	case "N":
		b.back()
		return b.loadPast()
	case "esc":
		b.toEnd, b.hunting, b.panel = false, false, false
	case "m":
		return b.toMe()
	case "enter":
		b.panel = !b.panel
		return b.loadPast()
	case "]", "[":
		return b.other(map[string]int{"]": 1, "[": -1}[key])
	case "y":
		if p := b.current(); p != nil {
			b.out.Copy(fmt.Sprintf("%d\t%s\t%s", b.grid.cursor+1, clean(p.Name), score(p.PrimaryScore)))
			b.say("The row is in the clipboard, if this terminal allows it.")
		}
	case "r":
		b.dirty, b.changed = true, b.now().Add(-refreshWait)
		if !b.loaded {
			return b.shown()
		}
		return b.refresh()
	}
	return nil
}

// toMe goes to the caller's own row, and loads up to it.
func (b *board) toMe() tea.Cmd {
	me := b.info.Me
	if me == nil {
		b.say("You are not on this board yet. Submit to it from the competitions.")
		return nil
	}
	if i := b.st.find(me.UserID); i >= 0 {
		b.grid.top = i - b.grid.height/2
		b.grid.move(i, len(b.st.rows))
		b.choose()
		return b.loadPast()
	}
	b.words, b.hunting = strings.ToLower(me.Name), true
	b.grid.move(len(b.st.rows)-1, len(b.st.rows))
	return b.hunt()
}

// other opens the board before or after this one.
func (b *board) other(step int) tea.Cmd {
	for i, c := range b.all {
		if c.Slug == b.slug {
			return b.open(b.all[((i+step)%len(b.all)+len(b.all))%len(b.all)].Slug)
		}
	}
	return nil
}

func (b *board) current() *place {
	if b.grid.cursor < len(b.st.rows) {
		return b.st.rows[b.grid.cursor]
	}
	return nil
}

func (b *board) mouse(m tea.MouseMsg) tea.Cmd {
	n := len(b.st.rows)
	switch {
	case wheel(m) != 0:
		b.grid.move(b.grid.cursor+wheel(m), n)
	case pressed(m):
		b.grid.click(m.Y-1, n)
	default:
		return nil
	}
	b.choose()
	return tea.Batch(b.prefetch(), b.loadPast())
}

var boardColumns = []column{
	{title: "RANK", width: 7, right: true}, {title: "MOVED", width: 5, right: true, drop: 2}, {title: "NAME", width: 12, grow: 1, most: 44},
	{title: "SCORE", width: 10, right: true}, {title: "", width: 19, drop: 3}, {title: "SCORED", width: 16, drop: 4},
}

func (b *board) view(columns, lines int) string {
	head := b.head(columns)
	switch {
	case b.slug == "" && b.err == nil && len(b.all) == 0 && b.conn.up:
		return "\n" + b.th.muted.Render("  There is no competition yet.")
	case !b.loaded && b.err != nil && !b.lost(b.err):
		return head + "\n\n" + b.th.bad.Render(indent(wrap(why(b.err), columns-4)))
	case !b.loaded:
		return head + "\n\n" + b.th.muted.Render("  Loading the board.")
	case len(b.st.rows) == 0:
		return head + "\n\n" + b.th.muted.Render("  Nobody yet. Be the first: u in the competitions.")
	}
	side, low := 0, 0
	if b.panel {
		if columns >= 110 {
			side = min(56, columns/2-10)
		} else if lines >= 14 {
			low = 8
		}
	}
	rest := lines - 3 - low // head, the rule and the caller's row
	w := columns
	if side > 0 {
		w -= side + 3
	}
	out := b.grid.view(b.th, boardColumns, w, rest, len(b.st.rows), func(i int) []cell { return b.cells(b.st.rows[i].LeaderboardEntry, b.st.rows[i], i+1) })
	list := append(strings.Split(out, "\n"), b.mine(w)...)
	if side > 0 {
		right := boxLines(b.history(side, len(list)), side, len(list))
		for i := range list {
			list[i] = pad(list[i], w) + b.th.line.Render(" │ ") + right[i]
		}
	}
	if low > 0 {
		list = append(list, b.th.line.Render(strings.Repeat("─", columns)))
		list = append(list, boxLines(b.history(columns, low-1), columns, low-1)...)
	}
	return head + "\n" + strings.Join(list, "\n")
}

// head says which board it is, and how far it is loaded.
func (b *board) head(columns int) string {
	better := "lower is better"
	if b.info.HigherIsBetter {
		better = "higher is better"
	}
	left := " " + b.th.strong.Render(clean(b.slug))
	right := ""
	if b.loaded {
		left += "  " + b.th.muted.Render(clean(b.info.Metric)+", "+better)
		right = plural(b.info.Total, "user")
		switch {
		case b.hunting:
			right = "searching " + group(len(b.st.rows)) + " of " + right
		case b.toEnd:
			right = "loading " + group(len(b.st.rows)) + " of " + right
		}
		right = b.th.muted.Render(right + " ")
	}
	if width(left)+width(right) > columns {
		return spread(" "+b.th.strong.Render(cut(clean(b.slug), max(8, columns-width(right)-2))), right, columns)
	}
	return spread(left, right, columns)
}

// cells are a row; p is nil for one that is not loaded yet.
func (b *board) cells(e api.LeaderboardEntry, p *place, rank int) []cell {
	th := b.th
	name := th.text
	if e.UserID == b.me.UserID {
		name = th.mine
	}
	moved, note := cell{"", th.muted}, cell{"", th.good}
	if p != nil {
		switch d := p.first - rank; {
		case d > 0:
			moved = cell{fmt.Sprintf("▲%d", d), th.good}
		case d < 0:
			moved = cell{fmt.Sprintf("▼%d", -d), th.bad}
		}
		if !p.best.IsZero() && b.now().Sub(p.best) < markTime {
			note.text = "new best"
			if p.gain != 0 {
				note.text += fmt.Sprintf(" %+.6f", p.gain)
			}
		}
	}
	return []cell{{group(rank), name}, moved, {clean(e.Name), name}, {score(e.PrimaryScore), name}, note, {stamp(e.ScoredAt, b.now()), th.muted}}
}

// mine is the caller's own row, always in sight below the others.
func (b *board) mine(columns int) []string {
	rule := b.th.line.Render(strings.Repeat("─", columns))
	me := b.info.Me
	if me == nil {
		return []string{rule, b.th.muted.Render("  You are not on this board yet.")}
	}
	var p *place
	rank := me.Rank
	if i := b.st.find(me.UserID); i >= 0 {
		p, rank = b.st.rows[i], i+1
	}
	widths := fitColumns(boardColumns, columns)
	cells := b.cells(*me, p, rank)
	row := (&grid{}).line(boardColumns, widths, columns, func(i int) string { return cells[i].text }, func(i int) lipgloss.Style { return cells[i].style })
	return []string{rule, b.th.mine.Render("▸") + row[1:]}
}
