package tui

import (
	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"github.com/medforge/medforge/pkg/api"
)

// theme is how things look. Nothing is told by colour alone: every state is
// also a word, and the chosen row has a mark at its left.
type theme struct {
	r       *lipgloss.Renderer
	dark    bool
	profile termenv.Profile

	text, strong, muted, accent, good, warn, bad lipgloss.Style
	head, line, selected, banner, tabOn, tabOff  lipgloss.Style
	brand, key, mine                             lipgloss.Style
}

// hue is one colour for dark and light backgrounds, on terminals with 16
// million, 256 and 16 colours. The sixteen are the terminal's own, so that its
// user's choice holds.
func hue(dark, light, dark256, light256, dark16, light16 string) lipgloss.TerminalColor {
	return lipgloss.CompleteAdaptiveColor{
		Dark:  lipgloss.CompleteColor{TrueColor: dark, ANSI256: dark256, ANSI: dark16},
		Light: lipgloss.CompleteColor{TrueColor: light, ANSI256: light256, ANSI: light16},
	}
}

var (
	hueAccent = hue("#7cc4d8", "#0f6b83", "116", "24", "14", "6")
	hueGood   = hue("#8fca8f", "#2c7a3f", "114", "28", "10", "2")
	hueWarn   = hue("#e0b974", "#8a5a00", "179", "94", "11", "3")
	hueBad    = hue("#ee8f86", "#b3261e", "210", "124", "9", "1")
	hueMuted  = hue("#8d99a6", "#66717c", "246", "242", "8", "8")
	hueLine   = hue("#48525c", "#c9d1d9", "239", "251", "8", "7")
	hueChosen = hue("#26353f", "#dcecf2", "236", "254", "0", "15")
)

func newTheme(r *lipgloss.Renderer) *theme {
	st := func() lipgloss.Style { return r.NewStyle() }
	th := &theme{
		r: r, dark: r.HasDarkBackground(), profile: r.ColorProfile(),
		text: st(), strong: st().Bold(true), muted: st().Foreground(hueMuted), accent: st().Foreground(hueAccent),
		good: st().Foreground(hueGood), warn: st().Foreground(hueWarn), bad: st().Foreground(hueBad),
		head: st().Foreground(hueMuted), line: st().Foreground(hueLine),
		selected: st().Background(hueChosen).Bold(true),
		banner:   st().Foreground(hueWarn).Bold(true),
		tabOn:    st().Foreground(hueAccent).Bold(true), tabOff: st().Foreground(hueMuted),
		brand: st().Bold(true), key: st().Foreground(hueAccent), mine: st().Foreground(hueAccent).Bold(true),
	}
	if th.profile == termenv.ANSI { // sixteen colours have no quiet background
		th.selected = st().Reverse(true)
	}
	return th
}

// status is the colour of a state.
func (th *theme) status(word string) lipgloss.Style {
	switch word {
	case string(api.SessionRunning), string(api.GPUFree), string(api.HealthOK), string(api.ScoreScored), "yes":
		return th.good
	case string(api.SessionStarting), string(api.SessionStopping), string(api.GPUDisabled), string(api.CheckWarn),
		string(api.ScoreQueued), string(api.ScoreScoring), api.HealthDegraded:
		return th.warn
	case string(api.SessionError), string(api.GPUFaulty), string(api.GPUQuarantined), string(api.CheckFail), string(api.ScoreFailed):
		return th.bad
	case string(api.GPUInUse):
		return th.accent
	}
	return th.muted
}

// load is the colour of a share of something that can run out.
func (th *theme) load(percent float64) lipgloss.Style {
	switch {
	case percent >= 95:
		return th.bad
	case percent >= 80:
		return th.warn
	}
	return th.accent
}
