package tui

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/muesli/termenv"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

func TestCompetitionsFrames(t *testing.T) {
	t.Parallel()
	r := newRig(t, empty(), termenv.Ascii, true)
	r.keys("3")
	r.golden("competitions-empty")

	r = newRig(t, full(), termenv.Ascii, true)
	r.keys("3")
	r.golden("competitions-full")
	r.keys("j", "m")
	r.keys("esc", "k", "m", "j")
	r.golden("submissions-full")
	r.send(feedMsg{conn: connection{err: gone, retry: r.at.Add(4 * time.Second), turn: 1}})
	r.golden("submissions-lost")
	r.keys("esc")
	r.golden("competitions-lost")
	r.keys("enter")
	r.golden("competitions-read")

	broken := empty()
	broken.err = fault.New(fault.Internal, "internal/unexpected", "Something went wrong inside MedForge; its log has the details under the request's id.")
	r = newRig(t, broken, termenv.Ascii, true)
	r.keys("3")
	r.golden("competitions-error")
}

// filesToSend makes a folder to pick from.
func filesToSend(t testing.TB) string {
	dir := t.TempDir()
	for name, size := range map[string]int{"predictions.csv": 123_456, "notes.txt": 80, "wide 李雷 🧪.csv": 2_000, "bad\x1b[2Jname\n.csv": 10, ".hidden.csv": 5} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, name), noon, noon.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "models"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// pickRig opens the file picker on a folder of files.
func pickRig(t testing.TB, d *fake) *rig {
	r := newRig(t, d, termenv.Ascii, true)
	r.keys("3", "u")
	p := r.m.screens[2].(*competitions).part.(*submit).picker
	p.dir = filesToSend(t)
	r.do(p.read())
	p.dir = "/workspace" // the frame must not name the test's own folder
	return r
}

func TestPickerFrame(t *testing.T) {
	t.Parallel()
	pickRig(t, full()).golden("submit-picking")
}

// sendFile is pickRig, with the file chosen and its message typed.
func sendFile(t testing.TB, d *fake) *rig {
	r := newRig(t, d, termenv.Ascii, true)
	r.keys("3", "u")
	s := r.m.screens[2].(*competitions).part.(*submit)
	s.picker.dir = filesToSend(t)
	r.do(s.picker.read())
	r.keys("/")
	r.typed("pred")
	r.keys("enter", "enter")
	r.typed("resnet 50")
	return r
}

func TestSubmitFromFileToScore(t *testing.T) {
	t.Parallel()
	d := full()
	r := sendFile(t, d)
	r.golden("submit-message")
	r.keys("enter")
	if !d.called(`submit cifar-100-classification predictions.csv "resnet 50"`) {
		t.Fatalf("called %v", d.calls)
	}
	r.golden("submit-scoring")
	d.submissions[0].ScoreStatus, d.submissions[0].OfficialScore = api.ScoreScored, &api.OfficialScore{PrimaryScore: 0.6314, EvaluationSplitVersion: "v1"}
	r.events(api.Event{Type: api.EventScored, Data: map[string]any{"submission_id": "sub-new"}})
	r.golden("submit-scored")
	r.keys("b")
	r.has("4 Leaderboard", "cifar-100-classification", "RANK")
}

func TestMistakesAreATable(t *testing.T) {
	t.Parallel()
	d := full()
	e := fault.New(fault.Invalid, "competitions/submission-validation-failed", "The file has 30 mistakes and was not taken; it cost none of the day's submissions.")
	for i := range 30 {
		e = e.With(fault.Field{Loc: "row " + group(i+2) + ", column label", Msg: "\x1b[31m\"cat\" is not one of the 100 classes; expected a whole number from 0 to 99, as in the sample submission"})
	}
	d.submitErr = e
	r := sendFile(t, d)
	r.keys("enter", "j", "j")
	r.golden("submit-mistakes")
	r.size(80, 24)
	r.keys("G")
	r.has("row 31, column label")
	r.keys("enter")
	r.has("NAME")
}

func TestSubmissionsOfToday(t *testing.T) {
	t.Parallel()
	d := full()
	d.submitErr = fault.New(fault.LimitReached, "competitions/submission-cap-reached", "You have sent all of today's 5 submissions.").After(3 * time.Hour)
	r := sendFile(t, d)
	r.keys("enter")
	r.has("all of today's 5", "Try again in 3h00m")
}

func TestOnlyFilesAreSent(t *testing.T) {
	t.Parallel()
	if _, _, err := openFile(t.TempDir()); err == nil {
		t.Error("a folder was opened")
	}
	if _, _, err := openFile("/dev/zero"); err == nil {
		t.Error("a device was opened")
	}
	if _, _, err := openFile(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was opened")
	}
}
