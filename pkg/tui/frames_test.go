package tui

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/exp/teatest"
	"github.com/charmbracelet/x/vt"

	"github.com/medforge/medforge/pkg/testkit/watch"
)

// sizes are those that every screen is looked at in.
var sizes = [][2]int{{80, 24}, {120, 40}, {40, 15}}

// golden compares what the program draws with its files, in all sizes; -update
// writes them.
func (r *rig) golden(name string) {
	r.t.Helper()
	defer r.size(80, 24)
	for _, s := range sizes {
		frame := r.drawn(s[0], s[1])
		file := filepath.Join("testdata", "frames", fmt.Sprintf("%s-%dx%d.txt", name, s[0], s[1]))
		if updating() {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				r.t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(frame), 0o644); err != nil {
				r.t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			r.t.Fatal(err)
		}
		if frame != string(want) {
			r.t.Errorf("%s: got\n%s\nwant\n%s", file, frame, want)
		}
	}
}

// still is a model as it stands: a program that draws it and follows the size
// of its terminal.
type still struct{ *model }

func (s still) Init() tea.Cmd { return nil }

func (s still) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if _, size := msg.(tea.WindowSizeMsg); size {
		s.model.Update(msg)
	}
	return s, nil
}

// drawn is the frame as it stands on a terminal: what Bubble Tea's renderer
// wrote, on an emulated screen. It must be what the view says.
func (r *rig) drawn(columns, lines int) string {
	r.t.Helper()
	r.size(columns, lines)
	view := r.m.View()
	checkFrame(r.t, view, columns, lines)
	view = trimLines(view)

	screen := vt.NewEmulator(columns, lines)
	defer screen.Close()
	program := teatest.NewTestModel(r.t, still{r.m}, teatest.WithInitialTermSize(columns, lines))
	shown := ""
	watch.Until(r.t, "the frame that the view says", func() bool {
		if _, err := io.Copy(screen, program.Output()); err != nil {
			r.t.Fatal(err)
		}
		shown = trimLines(screen.String())
		return shown == view
	}, func() string { return "the terminal shows\n" + shown + "\nthe view is\n" + view })
	if err := program.Quit(); err != nil {
		r.t.Fatal(err)
	}
	program.WaitFinished(r.t)
	return shown
}

// trimLines takes away the blanks at the ends of lines, which editors do too.
func trimLines(s string) string {
	rows := strings.Split(s, "\n")
	for i := range rows {
		rows[i] = strings.TrimRight(rows[i], " ")
	}
	return strings.Join(rows, "\n") + "\n"
}

// checkFrame fails when a frame does not fit its terminal, or has a control
// character that is not ours.
func checkFrame(t testing.TB, frame string, columns, lines int) {
	t.Helper()
	rows := strings.Split(frame, "\n")
	if len(rows) != lines {
		t.Errorf("the frame has %d lines, not %d:\n%s", len(rows), lines, frame)
	}
	for i, row := range rows {
		if w := width(row); w > columns {
			t.Errorf("line %d is %d wide, not %d: %q", i, w, columns, row)
		}
	}
}
