package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

func TestStartStagesStop(t *testing.T) {
	t.Parallel()
	d := full()
	r := newRig(t, d, termenv.Ascii, true)
	r.keys("s")
	r.has("Session n3wn3wn3 is starting on GPU 6.", "▌ n3wn3wn3  starting", "· Workspace")
	for i, stage := range []string{"workspace", "sockets", "gpu", "container", "task"} {
		r.events(stageEvent("new", stage, float64(10*i+1)))
	}
	r.has("✓ Workspace      1 ms", "✓ Process       41 ms", "· VS Code")
	failed := stageEvent("new", "ide", 20000)
	failed.Data["error"] = "It did not \x1b[31manswer."
	r.events(failed)
	r.has("× VS Code", "VS Code: It did not answer.")
	r.keys("x")
	r.has("Stop session n3wn3wn3?")
	r.keys("n")
	if d.called("stop new") {
		t.Error("no means no")
	}
	r.keys("x", "y")
	if !d.called("stop new") {
		t.Errorf("called %v", d.calls)
	}
	r.has("n3wn3wn3  stopping")
	r.keys("G", "x")
	r.has("has already ended")
}

func TestARefusedStartIsTold(t *testing.T) {
	t.Parallel()
	d := full()
	r := newRig(t, d, termenv.Ascii, true)
	d.err = fault.New(fault.LimitReached, "sessions/no-gpu-available", "No GPU is free. medforge gpu list shows who has them.")
	r.keys("s")
	r.has("No GPU is free.")
	r.wait(noteTime + time.Second)
	r.hasNot("No GPU is free.")
}

func TestOpenKeepsTheTicketHidden(t *testing.T) {
	t.Parallel()
	d := full()
	r := newRig(t, d, termenv.Ascii, true)
	r.keys("j", "j", "enter")
	if len(r.copied) != 1 || !strings.HasSuffix(r.copied[0], "ticket=s3cret") {
		t.Fatalf("copied %q", r.copied)
	}
	r.has("Open k3v7q2xa", "ticket=hidden", "until 12:01:00")
	r.hasNot("s3cret")
	r.golden("sessions-open")
	r.keys("v")
	r.has("s3cret")
	r.keys("y", "esc")
	r.hasNot("s3cret", "Open k3v7q2xa")
	r.keys("k", "enter")
	r.has("only a running one can be opened")
	r.keys("j", "y")
	if got := r.copied[len(r.copied)-1]; got != "https://s-k3v7q2xa.medforge.example.org/" {
		t.Errorf("copied %q", got)
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	d := full()
	d.logs["id-k3v7q2xa"] += "\x1b[2J\x1b]52;c;aGFjaw==\x07hostile \x1b[31mred\x1b[0m\n" + strings.Repeat("line\n", 3000) + "the needle\nlast\n"
	r := newRig(t, d, termenv.Ascii, true)
	r.keys("j", "j", "l")
	if !d.called("logs id-k3v7q2xa follow=true") {
		t.Errorf("called %v", d.calls)
	}
	r.golden("logs-full")
	r.keys("g")
	r.has("code-server 4.139.1", "epoch 2  loss 0.7420", "hostile red", "of 3,0")
	r.hasNot("epoch 1")
	r.keys("/")
	r.typed("NEEDLE")
	r.has("▌the needle")
	r.keys("enter", "esc", "esc")
	r.has("Your sessions")
	r.keys("G", "l")
	r.has("It has printed nothing.")
	r.golden("logs-empty")
}

func TestALogIsNotKeptForEver(t *testing.T) {
	t.Parallel()
	d := full()
	d.logs["id-k3v7q2xa"] = strings.Repeat("x\n", keptLines+500) + "the end\n"
	r := newRig(t, d, termenv.Ascii, true)
	r.keys("j", "j", "l")
	r.has("the end")
	if n := len(r.m.screens[0].(*sessions).part.(*logs).pager.lines); n != keptLines {
		t.Errorf("%d lines are kept", n)
	}
}

func TestSnapshots(t *testing.T) {
	t.Parallel()
	d := full()
	r := newRig(t, d, termenv.Ascii, true)
	r.keys("j", "j", "j", "n")
	r.golden("snapshots-full")
	oldest := d.snaps["id-zz4k2mmq"][0].Name
	r.keys("G", "enter") // the newest is on top
	if !d.called("start from=zz4k2mmq@" + oldest) {
		t.Errorf("called %v", d.calls)
	}
	r.has("Session n3wn3wn3 is starting")
	r.keys("G", "n")
	r.golden("snapshots-empty")
}

// Over a slow line an escape and the letter after it come as one key, with alt.
func TestEscapeAndALetterAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, full(), termenv.Ascii, true)
	alt := func(c rune) { r.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{c}, Alt: true}) }
	r.keys("j", "j", "l")
	r.has("Log of k3v7q2xa")
	alt('x')
	r.has("Stop session k3v7q2xa?")
	alt('2')
	r.hasNot("Stop session")
	r.has("slots free")
	r.keys("1", "l")
	r.send(tea.KeyMsg{Type: tea.KeyEnter, Alt: true})
	r.has("Open k3v7q2xa")
	r.keys("esc", "/")
	r.typed("run")
	alt('b') // a word back, in a line of text
	r.typed("x")
	r.has("/xrun")
}

func TestFilterPaletteHelp(t *testing.T) {
	t.Parallel()
	d := full()
	r := newRig(t, d, termenv.Ascii, true)
	r.keys("/")
	r.typed("stop")
	r.has("zz4k2mmq", "p4r6ys3b")
	r.hasNot("k3v7q2xa  running")
	r.keys("enter")
	r.has("/stop")
	r.keys("/")
	r.typed("nothing like it")
	r.has("Nothing matches.")
	r.keys("esc")
	r.has("k3v7q2xa  running")

	r.keys("?")
	r.golden("help")
	r.keys("esc", ":")
	r.golden("palette")
	r.typed("lbtit")
	r.has("leaderboard of titanic-survival")
	r.keys("enter")
	r.has("titanic-survival", "Nobody yet")
	r.keys(":")
	r.typed("zzzz")
	r.has("No such command.")
	r.keys("enter", "esc", ":")
	r.typed("stop k3v")
	r.keys("enter")
	r.has("Stop session k3v7q2xa?", "Your sessions")
	r.keys("esc", ":")
	r.typed("quit")
	r.keys("enter")
	if !r.quit {
		t.Error("quit does not")
	}
}

func TestEveryScreenByKey(t *testing.T) {
	t.Parallel()
	r := newRig(t, asRoot(full()), termenv.Ascii, true)
	for i, want := range []string{"SESSION", "slots free", "COMPETITION", "RANK", "EMAIL"} {
		r.keys(fmt.Sprint(i + 1))
		r.has(want)
	}
	r.keys("tab")
	r.has("SESSION")
	r.keys("shift+tab")
	r.has("EMAIL")
	r.keys("2", "l", "l", "enter")
	r.has("▌ p4r6ys3b")
	for _, quit := range []string{"q", "ctrl+c"} {
		r.quit = false
		r.keys(quit)
		if !r.quit {
			t.Errorf("%s does not quit", quit)
		}
	}
}

// TestKeysAtOnce: a terminal hands over what was typed in one go as one message.
func TestKeysAtOnce(t *testing.T) {
	t.Parallel()
	d := full()
	r := newRig(t, d, termenv.Ascii, true)
	r.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("jjl")})
	r.has("Log of k3v7q2xa")
	r.keys("esc")
	r.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("/zz4")})
	r.has("zz4k2mmq")
	r.hasNot("k3v7q2xa")
	r.keys("esc")
	r.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("q3x"), Paste: true})
	if r.quit {
		t.Error("what is pasted is no key")
	}
}

func TestMouse(t *testing.T) {
	t.Parallel()
	r := newRig(t, asRoot(full()), termenv.Ascii, true)
	click := func(x, y int) {
		r.send(tea.MouseMsg{X: x, Y: y, Action: tea.MouseActionPress, Button: tea.MouseButtonLeft})
	}
	wheel := func(b tea.MouseButton, y int) {
		r.send(tea.MouseMsg{X: 5, Y: y, Action: tea.MouseActionPress, Button: b})
	}
	find := func(text string) (x, y int) {
		t.Helper()
		for y, row := range strings.Split(r.m.View(), "\n") {
			if i := strings.Index(row, text); i >= 0 {
				return width(row[:i]), y
			}
		}
		t.Fatalf("%q is not on the screen:\n%s", text, r.m.View())
		return 0, 0
	}
	r.keys("a")
	click(find("zz4k2mmq"))
	click(find("h6j3nn2r"))
	r.has("▌ h6j3nn2r")
	wheel(tea.MouseButtonWheelUp, 6)
	r.hasNot("▌ h6j3nn2r")
	click(find("2 GPUs"))
	r.has("slots free")
	click(find("GPU 4"))
	r.keys("enter")
	r.has("▌ c7d2ef5g")
	click(find("4 Leaderboard"))
	click(find("Noor"))
	r.has("▌       6")
	wheel(tea.MouseButtonWheelDown, 6)
	r.has("▌       9")
	click(find("5 Admin"))
	click(find("Packs"))
	r.has("DIGEST")
	click(find("3 Competitions"))
	click(find("titanic-survival"))
	r.has("▌ titanic-survival")
}

// TestHostileNames: whatever strangers may write, on every screen and in every
// size, leaves each frame in its form and free of their control characters.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	for _, evil := range []string{
		"\x1b[2J\x1b[H\x1b]0;pwned\x07\x1b]52;c;aGFjaw==\x1b\\\x1bP+q\x1b\\end", "\u202egnp a\nb\rc\td\x00\x08\x7f\u009b31m \xff\xfe",
		strings.Repeat("\u0301", 200) + "e\u200d\u200d", strings.Repeat("漢", 80), strings.Repeat("👩‍👩‍👧‍👦", 20), strings.Repeat("x", 300), "",
	} {
		d := asRoot(full())
		d.me.Name, d.health = evil, api.Health{Status: api.HealthDegraded, Why: evil, Parts: []api.Degradation{{Part: evil, Why: evil}}}
		for i := range d.sessions {
			d.sessions[i].ErrorMessage, d.sessions[i].PackID, d.sessions[i].URL, d.sessions[i].WorkspaceZFS = evil, evil, evil, evil
		}
		d.sessions[1].Slug, d.sessions[1].UserID = evil, rootID
		for i := range d.gpus {
			d.gpus[i].Name, d.gpus[i].Session = evil, &evil
			if i%2 == 0 {
				d.gpus[i].Reason = evil
			}
		}
		for i := range d.competitions {
			c := &d.competitions[i]
			c.Title, c.Description, c.License, c.Metric, c.DatasetTitle, c.Columns = evil, "# "+evil+"\n\n"+evil+" `"+evil+"`", evil, evil, evil, []string{evil}
		}
		for i := range d.board["cifar-100-classification"] {
			d.board["cifar-100-classification"][i].Name = evil
		}
		for i := range d.submissions {
			s := &d.submissions[i]
			s.UserID, s.Filename, s.Message, s.ScoreError = rootID, evil, evil, evil
		}
		for i := range d.users {
			d.users[i].Name, d.users[i].Email, d.users[i].UnixName = evil, evil, evil
		}
		for i := range d.checks {
			d.checks[i].Name, d.checks[i].Detail, d.checks[i].Fix = evil, evil, evil
		}
		d.packs[0].ID, d.packs[0].Digest, d.orphans[0].Name, d.orphans[0].Why = evil, evil, evil, evil
		r := newRig(t, d, termenv.Ascii, true)
		for _, keys := range []string{"1", "a", "l", "esc", "n", "esc", "2", "3", "enter", "esc", "m", "j", "esc", "4", "enter", "enter", "5", "l", "l", "l", "R", "y", ":", "esc", "?", "esc", "1"} {
			r.keys(keys)
			for _, s := range [][2]int{{80, 24}, {121, 40}, {40, 15}, {20, 6}, {3, 2}} {
				r.size(s[0], s[1])
				frame := r.m.View()
				checkFrame(t, frame, s[0], s[1])
				if i := strings.IndexFunc(frame, func(c rune) bool { return c != '\n' && (c < 0x20 || c >= 0x7f && c < 0xa0 || c == 0x202e) }); i >= 0 {
					t.Fatalf("%q put %q into the frame", evil, frame[i:min(len(frame), i+20)])
				}
			}
		}
	}
}

// TestColoursChangeNoText: on every kind of terminal the same stands there; the
// one without colours has brackets around what is chosen.
func TestColoursChangeNoText(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"1", "2", "3", "4", "5"} {
		var want string
		for _, p := range []termenv.Profile{termenv.TrueColor, termenv.ANSI256, termenv.ANSI, termenv.Ascii} {
			r := newRig(t, asRoot(full()), p, true)
			r.keys("1", "a", key)
			got := r.m.View()
			if colour := strings.Contains(got, "\x1b["); colour != (p != termenv.Ascii) {
				t.Errorf("screen %s, profile %v: colours %v", key, p, colour)
			}
			got = trimLines(strings.NewReplacer("[", " ", "]", " ").Replace(ansi.Strip(got)))
			if key == "3" {
				got, _, _ = strings.Cut(got, "────\n Metric") // what is rendered Markdown has other lines
			}
			if want == "" {
				want = got
			}
			if got != want {
				t.Errorf("screen %s, profile %v:\n%s\nwant\n%s", key, p, got, want)
			}
		}
	}
}
