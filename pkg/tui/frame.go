package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"
)

// span is where something stands on a line.
type span struct{ from, to int }

const brand = "MedForge"

// tabTexts are the screens' names as they stand on the first line, shorter
// where there is less room.
func (m *model) tabTexts() []string {
	for _, form := range []int{2, 1, 0} {
		texts, sum := make([]string, len(m.screens)), len(brand)+2
		for i, s := range m.screens {
			name := s.name()
			if form == 0 && i != m.front {
				name = ""
			}
			texts[i] = strings.TrimSpace(fmt.Sprintf("%d %s", i+1, name))
			sum += len(texts[i]) + 2
		}
		if form == 1 {
			sum -= len(brand) + 2
		}
		if sum <= m.columns || form == 0 {
			return texts
		}
	}
	return nil
}

// withBrand reports whether there is room for the program's name.
func (m *model) withBrand() bool {
	sum := len(brand) + 3
	for _, t := range m.tabTexts() {
		sum += len(t) + 2
	}
	return sum <= m.columns
}

// tabs are where the screens' names stand, for the mouse.
func (m *model) tabs() []span {
	x := 1
	if m.withBrand() {
		x += len(brand) + 2
	}
	var at []span
	for _, t := range m.tabTexts() {
		at = append(at, span{x - 1, x + len(t) + 1})
		x += len(t) + 2
	}
	return at
}

func (m *model) tabLine() string {
	lead := ""
	if m.withBrand() {
		lead = " " + m.th.brand.Render(brand) + " "
	}
	var b strings.Builder
	b.WriteString(lead + m.th.choice(m.tabTexts(), m.front))
	who := m.me.Name
	if who == "" {
		who = m.me.UnixName
	}
	if who = clean(who); who != "" {
		if m.admin() {
			who += " (admin)"
		}
		who = m.th.muted.Render(cut(who, max(8, m.columns/4))) + " "
	}
	left := b.String()
	if width(left)+width(who) > m.columns {
		who = ""
	}
	return spread(left, who, m.columns)
}

// choice writes texts of which one is chosen, each between two blanks. Without
// colours the chosen one stands in brackets.
func (th *theme) choice(texts []string, chosen int) string {
	var b strings.Builder
	for i, t := range texts {
		switch {
		case i != chosen:
			b.WriteString(" " + th.tabOff.Render(t) + " ")
		case th.profile == termenv.Ascii:
			b.WriteString("[" + t + "]")
		default:
			b.WriteString(" " + th.tabOn.Render(t) + " ")
		}
	}
	return b.String()
}

// ruleLine parts the tabs from the screen, and is the banner when the daemon
// is away or something is not well.
func (m *model) ruleLine() string {
	text, style := "", m.th.banner
	switch {
	case !m.conn.up && m.conn.err != nil:
		wait := max(0, m.conn.retry.Sub(m.now()))
		text = fmt.Sprintf("No connection to MedForge, trying again in %d s. %s", int(wait.Seconds()+0.999), why(m.conn.err))
		if wait == 0 {
			text = "No connection to MedForge, trying again now. " + why(m.conn.err)
		}
		style = m.th.bad.Bold(true)
	case !m.conn.up:
		text = "Connecting to MedForge at " + clean(m.daemon.Address())
		style = m.th.muted
	case m.health.Status == "degraded":
		text = "Not well: " + clean(m.health.Why)
	case m.meErr != nil:
		text = why(m.meErr)
	}
	if text == "" {
		return m.th.line.Render(strings.Repeat("─", m.columns))
	}
	text = "── " + cut(text, max(1, m.columns-5)) + " "
	return style.Render(text) + m.th.line.Render(strings.Repeat("─", max(0, m.columns-width(text))))
}

// footLines are the filter while one types, what was said last, or the keys.
// What was said takes more than the one line when it is long.
func (m *model) footLines() []string {
	style := m.th.accent
	if m.noteBad {
		style = m.th.bad
	}
	switch {
	case m.finding:
		m.find.Width = max(5, m.columns-4)
		if m.note == "" {
			return []string{cut(" "+m.find.View(), m.columns)}
		}
		m.find.Width = max(5, m.columns/3)
		return []string{cut(" "+pad(m.find.View(), m.columns/3)+" "+style.Render(m.note), m.columns)}
	case m.note != "":
		rows := strings.Split(wrap(m.note, m.columns-2), "\n")
		if most := max(1, m.lines/4); len(rows) > most {
			rows = append(rows[:most-1], cut(rows[most-1], m.columns-3)+"…")
		}
		for i := range rows {
			rows[i] = pad(" "+style.Render(rows[i]), m.columns)
		}
		return rows
	}
	return []string{m.keyLine()}
}

// keyLine shows the keys that matter most, as many as fit.
func (m *model) keyLine() string {
	left := " "
	if v := m.find.Value(); v != "" {
		left += m.th.key.Render("/"+cut(clean(v), 20)) + m.th.muted.Render(" esc clears") + "  "
	}
	right := m.hintText([]binding{{"?", "keys", true}, {":", "commands", true}, {"q", "quit", true}})
	if m.columns < 60 {
		right = m.hintText([]binding{{"?", "keys", true}})
	}
	for _, b := range m.screen().bindings() {
		if !b.hint {
			continue
		}
		more := m.hintText([]binding{b}) + "  "
		if width(left)+width(more)+width(right)+1 > m.columns {
			break
		}
		left += more
	}
	return spread(left, right+" ", m.columns)
}

func (m *model) hintText(all []binding) string {
	var parts []string
	for _, b := range all {
		parts = append(parts, m.th.key.Render(b.keys)+" "+m.th.muted.Render(b.what))
	}
	return strings.Join(parts, "  ")
}

// overlay puts a box in the middle of the lines below it.
func (th *theme) overlay(rows []string, text string, columns int) []string {
	reset := "\x1b[0m" // a colour that was cut off must not go on in the box
	if th.profile == termenv.Ascii {
		reset = ""
	}
	boxRows := strings.Split(text, "\n")
	w := 0
	for _, r := range boxRows {
		w = max(w, width(r))
	}
	x, y := max(0, (columns-w)/2), max(0, (len(rows)-len(boxRows))/2)
	for i, r := range boxRows {
		if y+i >= len(rows) {
			break
		}
		under := pad(rows[y+i], columns)
		right := ansi.TruncateLeft(under, x+w, "")
		if width(right) > columns-x-w { // a wide character was cut in two
			right = " " + ansi.TruncateLeft(under, x+w+1, "")
		}
		rows[y+i] = pad(ansi.Truncate(under, x, ""), x) + reset + pad(r, w) + reset + right
	}
	return rows
}
