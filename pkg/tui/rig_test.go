package tui

import (
	"context"
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"github.com/medforge/medforge/pkg/api"
)

// updating reports whether golden files are to be written anew: -update, a flag
// of teatest's.
func updating() bool { return flag.Lookup("update").Value.String() == "true" }

// rig is the program without a terminal: commands run at once, one after the
// other, and the clock stands until it is set.
type rig struct {
	t      testing.TB
	m      *model
	d      *fake
	at     time.Time
	copied []string
	quit   bool
}

// newRig starts the program on a daemon. It is connected unless up is false.
func newRig(t testing.TB, d *fake, profile termenv.Profile, up bool) *rig {
	t.Helper()
	r := &rig{t: t, d: d, at: noon}
	lr := lipgloss.NewRenderer(io.Discard)
	lr.SetColorProfile(profile)
	lr.SetHasDarkBackground(true)
	r.m = newModel(context.Background(), d, newTheme(lr), func() time.Time { return r.at }, Output{Copy: func(s string) { r.copied = append(r.copied, s) }})
	none := func() tea.Cmd { return nil }
	r.m.listen, r.m.clock = none, none
	r.do(r.m.Init())
	if up {
		r.send(feedMsg{conn: connection{up: true, turn: 1}})
	}
	return r
}

// do runs a command and all that follows from it.
func (r *rig) do(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case nil:
	case tea.QuitMsg:
		r.quit = true
	case tea.BatchMsg:
		for _, c := range msg {
			r.do(c)
		}
	default:
		r.send(msg)
	}
}

func (r *rig) send(msg tea.Msg) {
	_, cmd := r.m.Update(msg)
	r.do(cmd)
}

// keys presses keys, by their names: "j", "enter", "ctrl+d".
func (r *rig) keys(names ...string) {
	for _, n := range names {
		r.send(keyOf(n))
	}
}

// typed types text.
func (r *rig) typed(text string) {
	for _, c := range text {
		r.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{c}})
	}
}

var special = map[string]tea.KeyType{
	"enter": tea.KeyEnter, "esc": tea.KeyEsc, "tab": tea.KeyTab, "shift+tab": tea.KeyShiftTab, "up": tea.KeyUp, "down": tea.KeyDown,
	"left": tea.KeyLeft, "right": tea.KeyRight, "pgdown": tea.KeyPgDown, "pgup": tea.KeyPgUp, "home": tea.KeyHome, "end": tea.KeyEnd,
	"backspace": tea.KeyBackspace, "ctrl+c": tea.KeyCtrlC, "ctrl+d": tea.KeyCtrlD, "ctrl+u": tea.KeyCtrlU, "ctrl+p": tea.KeyCtrlP, "ctrl+n": tea.KeyCtrlN,
	"space": tea.KeySpace,
}

func keyOf(name string) tea.KeyMsg {
	if t, ok := special[name]; ok {
		return tea.KeyMsg{Type: t}
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(name)}
}

// wait lets time pass.
func (r *rig) wait(d time.Duration) {
	r.at = r.at.Add(d)
	r.send(tickMsg(r.at))
}

func (r *rig) events(all ...api.Event) { r.send(feedMsg{events: all, conn: r.m.conn}) }

func (r *rig) size(columns, lines int) { r.send(tea.WindowSizeMsg{Width: columns, Height: lines}) }

// has fails the test when a text is not on the screen.
func (r *rig) has(texts ...string) {
	r.t.Helper()
	view := r.m.View()
	for _, want := range texts {
		if !strings.Contains(view, want) {
			r.t.Fatalf("%q is not on the screen:\n%s", want, view)
		}
	}
}

func (r *rig) hasNot(texts ...string) {
	r.t.Helper()
	view := r.m.View()
	for _, not := range texts {
		if strings.Contains(view, not) {
			r.t.Fatalf("%q is on the screen:\n%s", not, view)
		}
	}
}
