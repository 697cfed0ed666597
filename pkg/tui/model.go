package tui

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/medforge/medforge/pkg/api"
)

// screen is one of the program's. Every message reaches every screen, so that
// what is loaded for one that is not in front is not lost.
type screen interface {
	name() string
	shown() tea.Cmd // it came to the front, or the daemon came back
	update(msg tea.Msg) tea.Cmd
	key(k tea.KeyMsg) tea.Cmd
	mouse(m tea.MouseMsg) tea.Cmd // Y counts from the screen's first line
	view(columns, lines int) string
	bindings() []binding
	commands() []command
	// filter narrows what is listed; every letter that is typed comes here.
	filter(text string) tea.Cmd
	// editing reports whether letters are text now, and no keys.
	editing() bool
}

// binding is a key of a screen and what it does.
type binding struct {
	keys, what string
	hint       bool // shown at the foot of the screen
}

// command is an entry of the palette.
type command struct {
	name string
	run  func() tea.Cmd
}

// layer stands above the screen until it is done.
type layer interface {
	key(k tea.KeyMsg) (cmd tea.Cmd, done bool)
	view(th *theme, columns, lines int) string
}

// model is the whole program.
type model struct {
	*hub
	feed           *feed
	listen, clock  func() tea.Cmd // the next feedMsg, the next tickMsg
	suspend        tea.Cmd        // stops the program until the shell lets it go on
	columns, lines int
	screens        []screen
	contests       *competitions
	front          int
	layers         []layer
	find           textinput.Model
	finding        bool
	note           string
	noteBad        bool
	noteEnds       time.Time
	question       tea.Cmd // asks the terminal for its background; nil: nothing is asked
	blank          bool    // until it has answered, or the first frame waits no longer
}

// Lines that are not the screen's: tabs and a rule above, keys below.
const headLines, footLines = 2, 1

// noteTime is how long something that is said stays.
const noteTime = 6 * time.Second

func newModel(ctx context.Context, d Daemon, th *theme, now func() time.Time, out Output) *model {
	h := &hub{ctx: ctx, daemon: d, th: th, now: now, out: out, history: map[string]*history{},
		usage: map[string]api.SessionUsage{}, stages: map[string][]stage{}}
	m := &model{hub: h, feed: newFeed(d, now), columns: 80, lines: 24, find: newInput(th, "/")}
	m.listen, m.clock, m.suspend = func() tea.Cmd { return m.feed.listen(ctx) }, tick, tea.Suspend
	h.ask = func(l layer) { m.layers = append(m.layers, l) }
	h.say = func(format string, args ...any) { m.tell(false, fmt.Sprintf(format, args...)) }
	h.grief = func(err error) {
		if !h.lost(err) {
			m.tell(true, why(err))
		}
	}
	h.show = m.showNamed
	h.plain = func() { m.endFind(true) }
	own := newSessions(h)
	h.goSession = func(id string) tea.Cmd {
		own.leave()
		own.words, own.chosen = "", id
		return m.showNamed(own.name())
	}
	b := newBoard(h)
	m.contests = newCompetitions(h, b.open)
	m.screens = []screen{own, newGPUs(h), m.contests, b}
	return m
}

// newInput is a field for one line.
func newInput(th *theme, prompt string) textinput.Model {
	in := textinput.New()
	in.Prompt = prompt
	in.PromptStyle, in.TextStyle, in.PlaceholderStyle, in.Cursor.Style = th.key, th.text, th.muted, th.text
	in.Cursor.SetMode(1) // static: a blinking cursor draws the screen twice a second
	in.CharLimit = 500
	return in
}

func (m *model) tell(bad bool, text string) {
	m.note, m.noteBad, m.noteEnds = clean(text), bad, m.now().Add(noteTime)
}

func (m *model) screen() screen { return m.screens[m.front] }

func (m *model) showNamed(name string) tea.Cmd {
	for i, s := range m.screens {
		if s.name() == name {
			return m.toFront(i)
		}
	}
	return nil
}

func (m *model) toFront(i int) tea.Cmd {
	if i < 0 || i >= len(m.screens) {
		return nil
	}
	m.front = i
	m.endFind(true)
	return m.screens[i].shown()
}

// tick comes every second.
func tick() tea.Cmd { return tea.Tick(time.Second, func(t time.Time) tea.Msg { return tickMsg(t) }) }

// Init begins the feed's messages and the clock. The first feedMsg loads
// everything.
func (m *model) Init() tea.Cmd {
	return tea.Batch(m.question, m.listen(), m.clock(), m.screen().shown())
}

// Update is the one place that changes anything.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch x := msg.(type) {
	case tea.WindowSizeMsg:
		m.columns, m.lines = x.Width, x.Height
		return m, nil
	case backgroundMsg:
		m.blank = false
		if x.known && x.dark != m.th.dark {
			m.th.r.SetHasDarkBackground(x.dark)
			m.th.dark = x.dark
			m.contests.pageW = 0 // rendered with the other's colours
		}
		return m, nil
	case tea.KeyMsg:
		return m, m.onKeys(x)
	case tea.MouseMsg:
		return m, m.onMouse(x)
	}
	turn := m.conn.turn
	cmds := []tea.Cmd{m.hub.update(msg)}
	switch x := msg.(type) {
	case feedMsg:
		if x.panic != nil {
			panic(x.panic) // here Bubble Tea gives the terminal back first
		}
		cmds = append(cmds, m.listen())
		if m.conn.turn != turn || x.missed {
			cmds = append(cmds, m.screen().shown(), m.contests.load()) // the palette names the competitions
		}
	case tickMsg:
		_, m.hostSeen = m.screen().(*gpus)
		cmds = append(cmds, m.clock())
		if m.note != "" && !m.now().Before(m.noteEnds) {
			m.note = ""
		}
	case meMsg:
		cmds = append(cmds, m.roles())
	}
	for _, s := range m.screens {
		cmds = append(cmds, s.update(msg))
	}
	return m, tea.Batch(cmds...)
}

// roles shows what the caller may use: the admins' screen comes with its role
// and goes with it.
func (m *model) roles() tea.Cmd {
	last := len(m.screens) - 1
	_, there := m.screens[last].(*admin)
	switch {
	case m.admin() && !there:
		a := newAdmin(m.hub)
		m.screens = append(m.screens, a)
		return a.loadUsers() // whose sessions they are
	case !m.admin() && there:
		m.screens = m.screens[:last]
		m.front = min(m.front, last-1)
	}
	return nil
}

// onKeys: letters that came at once, because one types fast or over a slow
// line, arrive in one message. Each is a key, unless they were pasted.
func (m *model) onKeys(k tea.KeyMsg) tea.Cmd {
	var cmds []tea.Cmd
	if k.Alt && (k.Type == tea.KeyRunes || k.Type == tea.KeyEnter) && !m.typing() {
		// No screen has a key with alt: it was escape, and another key soon after.
		cmds = append(cmds, m.onKey(tea.KeyMsg{Type: tea.KeyEsc}))
		k.Alt = false
	}
	if k.Type != tea.KeyRunes || len(k.Runes) < 2 || k.Paste {
		return tea.Batch(append(cmds, m.onKey(k))...)
	}
	for _, r := range k.Runes {
		cmds = append(cmds, m.onKey(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}, Alt: k.Alt}))
	}
	return tea.Batch(cmds...)
}

// typing reports whether letters go into a line of text, where alt has a meaning.
func (m *model) typing() bool {
	if n := len(m.layers); n > 0 {
		_, is := m.layers[n-1].(*palette)
		return is
	}
	return m.finding || m.screen().editing()
}

// onKey: what is above the screen has the keys first, then a text field, then
// the whole program, then the screen.
func (m *model) onKey(k tea.KeyMsg) tea.Cmd {
	key := k.String()
	switch {
	case key == "ctrl+c":
		return tea.Quit
	case key == "ctrl+z":
		return m.suspend
	case len(m.layers) > 0:
		top := len(m.layers) - 1
		l := m.layers[top]
		cmd, done := l.key(k)
		if done { // it may have opened another one above itself
			for i := range m.layers {
				if m.layers[i] == l {
					m.layers = append(m.layers[:i], m.layers[i+1:]...)
					break
				}
			}
		}
		return cmd
	case m.finding:
		return m.findKey(k)
	case m.screen().editing():
		return m.screen().key(k)
	}
	switch key {
	case "q":
		return tea.Quit
	case "?":
		m.ask(newHelp(m.screen()))
		return nil
	case ":", "ctrl+p":
		m.ask(newPalette(m))
		return nil
	case "/":
		cmd := m.endFind(true)
		m.finding = true
		m.find.Focus()
		return cmd
	case "tab":
		return m.toFront((m.front + 1) % len(m.screens))
	case "shift+tab":
		return m.toFront((m.front + len(m.screens) - 1) % len(m.screens))
	case "ctrl+l":
		return tea.ClearScreen
	}
	if len(key) == 1 && key[0] >= '1' && key[0] <= '9' {
		return m.toFront(int(key[0] - '1'))
	}
	return m.screen().key(k)
}

// findKey types into the filter: enter keeps it, escape takes it away.
func (m *model) findKey(k tea.KeyMsg) tea.Cmd {
	switch k.String() {
	case "enter":
		m.finding = false
		m.find.Blur()
		return nil
	case "esc":
		return m.endFind(true)
	case "up", "down":
		return m.screen().key(k)
	}
	before := m.find.Value()
	m.find, _ = m.find.Update(k)
	if now := m.find.Value(); now != before {
		return m.screen().filter(clean(now))
	}
	return nil
}

func (m *model) endFind(forget bool) tea.Cmd {
	m.finding = false
	m.find.Blur()
	if forget && m.find.Value() != "" {
		m.find.SetValue("")
		var cmds []tea.Cmd
		for _, s := range m.screens {
			cmds = append(cmds, s.filter(""))
		}
		return tea.Batch(cmds...)
	}
	return nil
}

func (m *model) onMouse(e tea.MouseMsg) tea.Cmd {
	if len(m.layers) > 0 {
		return nil
	}
	if e.Y == 0 {
		if e.Action != tea.MouseActionPress || e.Button != tea.MouseButtonLeft {
			return nil
		}
		for i, at := range m.tabs() {
			if e.X >= at.from && e.X < at.to {
				return m.toFront(i)
			}
		}
		return nil
	}
	e.Y -= headLines
	if e.Y < 0 || e.Y >= m.lines-headLines-footLines {
		return nil
	}
	return m.screen().mouse(e)
}

// View draws the whole screen, exactly as large as the terminal.
func (m *model) View() string {
	if m.blank {
		return ""
	}
	if m.columns < 20 || m.lines < 6 {
		return box("Too small.\nEnlarge it,\nor q quits.", m.columns, m.lines)
	}
	body := m.lines - headLines - footLines
	rows := make([]string, 0, m.lines)
	rows = append(rows, m.tabLine(), m.ruleLine())
	rows = append(rows, boxLines(m.screen().view(m.columns, body), m.columns, body)...)
	foot := m.footLines()
	rows = append(rows[:len(rows)-len(foot)+1], foot...)
	if n := len(m.layers); n > 0 {
		rows = m.th.overlay(rows, m.layers[n-1].view(m.th, m.columns, m.lines), m.columns)
	}
	return strings.Join(rows, "\n")
}
