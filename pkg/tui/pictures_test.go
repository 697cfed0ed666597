package tui

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

// TestPictures holds the pictures of docs/tui.md against what the screens look
// like now; -update draws them anew.
func TestPictures(t *testing.T) {
	t.Parallel()
	const columns, lines = 104, 28
	picture := func(name string, dark bool, make func() *rig) {
		r := make()
		lr := lipgloss.NewRenderer(io.Discard)
		lr.SetColorProfile(termenv.TrueColor)
		lr.SetHasDarkBackground(dark)
		*r.m.th = *newTheme(lr)
		r.size(columns, lines)
		fg, bg := "#d7dde3", "#12181d"
		if !dark {
			fg, bg = "#1f2933", "#ffffff"
		}
		got := svg(r.m.View(), columns, lines, fg, bg)
		file := filepath.Join("..", "..", "docs", "tui", name+".svg")
		if updating() {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		want, err := os.ReadFile(file)
		if err != nil || got != string(want) {
			t.Errorf("%s is not what the screen looks like now (%v); draw it: go test ./pkg/tui -run TestPictures -update", file, err)
		}
	}
	busy := func(keys ...string) func() *rig {
		return func() *rig {
			d := full()
			r := newRig(t, d, termenv.TrueColor, true)
			r.size(columns, lines)
			r.running()
			r.events(stageEvent("id-c7d2ef5g", "workspace", 12), stageEvent("id-c7d2ef5g", "sockets", 1), stageEvent("id-c7d2ef5g", "gpu", 3))
			r.keys(keys...)
			return r
		}
	}
	picture("sessions", true, busy())
	picture("sessions-light", false, busy("j", "j"))
	picture("logs", true, busy("j", "j", "l"))
	picture("gpus", true, busy("2", "l"))
	picture("competitions", true, busy("3"))
	picture("leaderboard", true, func() *rig {
		r := busy("4")()
		r.events(named("user-9", "Zoë 李雷", 2, 0.9723), named(aliceID, "Alice Öztürk", 21, 0.7781))
		r.keys("j", "enter")
		return r
	})
	picture("mistakes", true, func() *rig {
		d := full()
		e := fault.New(fault.Invalid, "competitions/submission-validation-failed", "The predictions have 12 mistakes and were not taken. They cost none of today's submissions.")
		for i := range 12 {
			e = e.With(fault.Field{Loc: "row " + group(7*i+2) + ", label", Msg: "\"cat\" is not one of the 100 classes; a whole number from 0 to 99 was expected"})
		}
		d.submitErr = e
		r := sendFile(t, d)
		r.keys("enter", "j")
		return r
	})
	picture("admin", true, func() *rig {
		r := newRig(t, asRoot(full()), termenv.TrueColor, true)
		r.keys("5", "h", "R", "y", "j")
		r.wait(noteTime + time.Second)
		return r
	})
	picture("palette", true, func() *rig {
		r := busy(":")()
		r.typed("lead")
		return r
	})
}

// named is changed with a name.
func named(user, name string, rank int, v float64) api.Event {
	e := changed(user, rank, v)
	e.Data["name"] = name
	return e
}
