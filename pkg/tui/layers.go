package tui

import (
	"strings"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/sahilm/fuzzy"
)

// frame draws a titled box around text.
func frame(th *theme, title, text string, columns int) string {
	rows := strings.Split(text, "\n")
	w := width(title) + 2
	for _, r := range rows {
		w = max(w, width(r))
	}
	w = max(1, min(w, columns-4))
	title = cut(title, w-2)
	var b strings.Builder
	b.WriteString(th.line.Render("╭─ ") + th.strong.Render(title) + th.line.Render(" "+strings.Repeat("─", max(0, w-width(title)-1))+"╮"))
	for _, r := range rows {
		b.WriteString("\n" + th.line.Render("│") + " " + pad(r, w) + " " + th.line.Render("│"))
	}
	b.WriteString("\n" + th.line.Render("╰"+strings.Repeat("─", w+2)+"╯"))
	return b.String()
}

// helpLayer lists every key of a screen.
type helpLayer struct {
	title string
	rows  []binding
	top   int
	rest  int // lines that are not in sight
}

// globalBindings are the keys that work on every screen.
var globalBindings = []binding{
	{"1-9, tab", "go to a screen", false}, {"↑ ↓, j k", "move", false}, {"pgup pgdn, ctrl+u ctrl+d", "move by a page, by half", false},
	{"g G, home end", "first, last", false}, {"/", "filter; enter keeps it, esc clears it", false}, {":", "commands, found by any of their letters", false},
	{"mouse", "click tabs and rows, scroll by the wheel", false}, {"ctrl+l", "draw anew", false}, {"ctrl+z", "into the background", false}, {"q, ctrl+c", "quit", false},
}

func newHelp(s screen) *helpLayer {
	rows := append([]binding{}, s.bindings()...)
	rows = append(rows, binding{})
	return &helpLayer{title: "Keys: " + s.name(), rows: append(rows, globalBindings...)}
}

func (l *helpLayer) key(k tea.KeyMsg) (tea.Cmd, bool) {
	switch k.String() {
	case "down", "j", "pgdown", " ":
		l.top = min(l.top+1, l.rest)
		return nil, false
	case "up", "k", "pgup":
		l.top = max(0, l.top-1)
		return nil, false
	}
	return nil, true
}

func (l *helpLayer) view(th *theme, columns, lines int) string {
	w := 0
	for _, r := range l.rows {
		w = max(w, width(r.keys))
	}
	w = min(w, max(8, (columns-6)/3))
	var rows []string
	for _, r := range l.rows {
		rows = append(rows, th.key.Render(pad(r.keys, w))+"  "+cut(r.what, max(1, columns-w-6)))
	}
	room := max(1, lines-2)
	l.rest = max(0, len(rows)-room)
	l.top = min(l.top, l.rest)
	return frame(th, l.title, strings.Join(rows[l.top:min(len(rows), l.top+room)], "\n"), columns)
}

// confirm asks once before something that cannot be taken back.
type confirm struct {
	question string
	yes      func() tea.Cmd
}

func (l *confirm) key(k tea.KeyMsg) (tea.Cmd, bool) {
	switch k.String() {
	case "y", "Y": // not enter, which is pressed by habit
		return l.yes(), true
	case "n", "N", "esc", "q":
		return nil, true
	}
	return nil, false
}

func (l *confirm) view(th *theme, columns, _ int) string {
	return frame(th, "Sure?", wrap(l.question, min(60, columns-6))+"\n\n"+th.key.Render("y")+" yes   "+th.key.Render("n")+" no", columns)
}

// notice shows text until a key; extra are keys that do something.
type notice struct {
	title string
	text  func(columns int) string
	extra map[string]func() tea.Cmd
}

func (l *notice) key(k tea.KeyMsg) (tea.Cmd, bool) {
	if do, ok := l.extra[k.String()]; ok {
		return do(), false
	}
	switch k.String() {
	case "esc", "enter", "q":
		return nil, true
	}
	return nil, false
}

func (l *notice) view(th *theme, columns, lines int) string {
	rows := strings.Split(l.text(min(90, columns-6)), "\n")
	return frame(th, l.title, strings.Join(rows[:min(len(rows), max(1, lines-2))], "\n"), columns)
}

// palette finds a command by some of its letters.
type palette struct {
	m       *model
	in      textinput.Model
	all     []command
	found   fuzzy.Matches
	pick    grid
	columns int
}

func newPalette(m *model) *palette {
	p := &palette{m: m, in: newInput(m.th, ":")}
	p.in.Placeholder = "a command"
	p.in.Focus()
	p.all = append(p.all, m.screen().commands()...)
	for i, s := range m.screens {
		if i != m.front {
			p.all = append(p.all, s.commands()...)
		}
	}
	for i, s := range m.screens {
		p.all = append(p.all, command{"go to " + s.name(), func() tea.Cmd { return m.toFront(i) }})
	}
	p.all = append(p.all, command{"keys of this screen", func() tea.Cmd { m.ask(newHelp(m.screen())); return nil }},
		command{"quit", func() tea.Cmd { return tea.Quit }})
	p.search()
	return p
}

// String and Len make the palette a fuzzy.Source.
func (p *palette) String(i int) string { return p.all[i].name }

// Len is how many commands there are.
func (p *palette) Len() int { return len(p.all) }

func (p *palette) search() {
	p.pick = grid{height: p.pick.height}
	if p.in.Value() == "" {
		p.found = nil
		for i, c := range p.all {
			p.found = append(p.found, fuzzy.Match{Str: c.name, Index: i})
		}
		return
	}
	p.found = fuzzy.FindFrom(p.in.Value(), p)
}

func (p *palette) key(k tea.KeyMsg) (tea.Cmd, bool) {
	switch k.String() {
	case "esc", "ctrl+c":
		return nil, true
	case "enter":
		if len(p.found) == 0 {
			return nil, false
		}
		return p.all[p.found[p.pick.cursor].Index].run(), true
	case "down", "ctrl+n", "tab":
		p.pick.move(p.pick.cursor+1, len(p.found))
		return nil, false
	case "up", "ctrl+p", "shift+tab":
		p.pick.move(p.pick.cursor-1, len(p.found))
		return nil, false
	}
	before := p.in.Value()
	p.in, _ = p.in.Update(k)
	if p.in.Value() != before {
		p.search()
	}
	return nil, false
}

func (p *palette) view(th *theme, columns, lines int) string {
	w := max(10, min(56, columns-6))
	p.in.Width = w - 3
	p.pick.height = max(1, min(10, lines-6))
	p.pick.move(p.pick.cursor, len(p.found))
	rows := []string{pad(p.in.View(), w), th.line.Render(strings.Repeat("─", w))}
	for i := p.pick.top; i < min(len(p.found), p.pick.top+p.pick.height); i++ {
		rows = append(rows, p.row(th, p.found[i], i == p.pick.cursor, w))
	}
	if len(p.found) == 0 {
		rows = append(rows, th.muted.Render("No such command."))
	}
	return frame(th, "Commands", strings.Join(rows, "\n"), columns)
}

// row marks the letters that were found.
func (p *palette) row(th *theme, f fuzzy.Match, chosen bool, w int) string {
	if chosen {
		return th.selected.Render("▌" + pad(f.Str, w-1))
	}
	return " " + cut(lipgloss.StyleRunes(f.Str, f.MatchedIndexes, th.accent.Bold(true), th.text), w-1)
}
