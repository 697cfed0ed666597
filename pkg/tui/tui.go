package tui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"github.com/medforge/medforge/pkg/tui/quietterm"
)

func init() { quietterm.Restore() }

// Options are what the program has of the system it runs on.
type Options struct {
	In, Out *os.File // a terminal
	Now     func() time.Time
	NoColor bool
	// Getenv is the environment: NO_COLOR, TERM, COLORTERM, TMUX.
	Getenv func(name string) string
	// Browse opens a link in the browser of this desktop; nil where there is
	// none.
	Browse func(ctx context.Context, link string) error
}

// Output is what screens do outside of the screen.
type Output struct {
	Copy   func(text string)
	Browse func(ctx context.Context, link string) error
}

// terminal is the file that the program draws on, and the clipboard's escape
// sequences go to between two frames.
type terminal struct {
	*os.File
	mu sync.Mutex
}

func (t *terminal) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := t.File.Write(unwrapped(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// unwrapped keeps the terminal from wrapping lines for as long as it shows the
// program's screen. Terminals differ in how wide some emoji are; a line that
// one of them takes for too long is then cut, and the others stay in place.
func unwrapped(b []byte) []byte {
	if !bytes.Contains(b, []byte("\x1b[?1049")) {
		return b
	}
	b = bytes.ReplaceAll(b, []byte(ansi.SetModeAltScreenSaveCursor), []byte(ansi.SetModeAltScreenSaveCursor+ansi.ResetModeAutoWrap))
	return bytes.ReplaceAll(b, []byte(ansi.ResetModeAltScreenSaveCursor), []byte(ansi.SetModeAutoWrap+ansi.ResetModeAltScreenSaveCursor))
}

// WriteString is Write: os.File's own would go past the lock.
func (t *terminal) WriteString(s string) (int, error) { return t.Write([]byte(s)) }

// copy puts a text into the clipboard of whoever looks at the terminal (OSC
// 52); tmux hands it on where it is allowed to.
func (t *terminal) copy(text string, tmux bool) {
	seq := ansi.SetSystemClipboard(text)
	if tmux {
		seq += ansi.TmuxPassthrough(ansi.SetSystemClipboard(text))
	}
	_, _ = t.WriteString(seq) // a terminal that is gone ends the program elsewhere
}

// Run shows the program until it is left or outer ends. The terminal is then as
// it was, after a panic too. Errors: the terminal's; what Bubble Tea says of a
// panic.
func Run(outer context.Context, d Daemon, o Options) error {
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	out := &terminal{File: o.Out}
	r := renderer(o.Out, o)
	copyText := func(text string) { out.copy(text, o.Getenv("TMUX") != "") }
	m := newModel(ctx, d, newTheme(r), o.Now, Output{Copy: copyText, Browse: o.Browse})
	var reading sync.WaitGroup
	reading.Go(func() { m.feed.run(ctx) })
	// Signals end outer, by whoever made it. Bubble Tea's own handler beside that
	// can hang in sending its message to a loop that has ended.
	keys := &keyboard{file: o.In, done: true}
	defer keys.release(true)
	m.suspend = func() tea.Msg { keys.release(false); return tea.Suspend() }
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithoutSignalHandler(), tea.WithInput(keys), tea.WithOutput(out), tea.WithAltScreen(),
		tea.WithMouseCellMotion(), tea.WithFPS(frames))
	if r.ColorProfile() != termenv.Ascii && askable(o.Getenv) {
		m.blank, m.question, keys.done = true, out.askBackground, false
		keys.answered = func(colour string) {
			dark, known := darkColour(colour)
			p.Send(backgroundMsg{known, dark})
		}
	}
	_, err := p.Run()
	cancel()
	reading.Wait()
	if outer.Err() != nil && errors.Is(err, outer.Err()) {
		return nil // ended from outside: that is no failure of the program
	}
	return err
}

// frames a second at most. Each is a timer that wakes the program, so that
// fewer of them cost less while nothing happens.
const frames = 30

// renderer knows the terminal's colours and, until the terminal has told it,
// what the environment says of its background. It asks nothing.
func renderer(out io.Writer, o Options) *lipgloss.Renderer {
	r := lipgloss.NewRenderer(out, termenv.WithEnvironment(environ(o.Getenv)))
	if o.NoColor {
		r.SetColorProfile(termenv.Ascii)
	}
	r.SetHasDarkBackground(darkUnasked(o.Getenv))
	return r
}

// environ is Options.Getenv as termenv reads it.
type environ func(string) string

func (e environ) Getenv(name string) string { return e(name) }
func (e environ) Environ() []string         { return nil }
