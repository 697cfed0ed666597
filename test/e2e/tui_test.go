package e2e

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/testkit/promised"
)

// screen is medforge's full-screen program in a tmux of the test's own.
type screen struct {
	h      *host
	socket string
}

// screen starts the program in a window of so many columns and lines, in the
// folder dir.
func (h *host) screen(dir string, columns, lines int) *screen {
	h.t.Helper()
	return h.window(dir, columns, lines, fmt.Sprintf("%s --socket %s; echo exit $?; exec sleep 600", filepath.Join(h.bin, "medforge"), h.socket()))
}

// window is a screen on which a shell runs a command.
func (h *host) window(dir string, columns, lines int, command string) *screen {
	h.t.Helper()
	promised.Program(h.t, "tmux")
	s := &screen{h: h, socket: filepath.Join(h.dir, "tmux.sock")}
	h.t.Cleanup(func() { _, _ = s.try("kill-server") }) // it may have ended already
	s.tmux("-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(columns), "-y", fmt.Sprint(lines), "-c", dir, command)
	return s
}

func (s *screen) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "tmux", append([]string{"-S", s.socket}, args...)...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "TMUX=")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (s *screen) tmux(args ...string) string {
	s.h.t.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.h.t.Fatalf("tmux %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

// keys presses keys by tmux's names: "j", "Enter", "Escape".
func (s *screen) keys(names ...string) {
	s.h.t.Helper()
	s.tmux(append([]string{"send-keys"}, names...)...)
}

// typed types text.
func (s *screen) typed(text string) {
	s.h.t.Helper()
	s.tmux("send-keys", "-l", text)
}

// shows waits until all texts stand on the screen.
func (s *screen) shows(texts ...string) string {
	s.h.t.Helper()
	var view string
	deadline := time.Now().Add(40 * time.Second)
	for {
		view = s.tmux("capture-pane", "-p")
		missing := ""
		for _, want := range texts {
			if !strings.Contains(view, want) {
				missing = want
			}
		}
		if missing == "" {
			return view
		}
		if time.Now().After(deadline) {
			s.h.t.Fatalf("%q never came on the screen:\n%s", missing, view)
		}
		time.Sleep(20 * time.Millisecond) // between looks at a condition
	}
}

// A real session in a real tmux: start it, see another user take the lead on a
// board, submit a file, lose the daemon and get it back, stop, quit.
func TestFullScreen(t *testing.T) {
	t.Parallel()
	h := miniHost(t, "[session]\nper_user = 2\n[signup]\nmode = \"open\"\n")
	dir := t.TempDir()
	sample, err := os.ReadFile("../../competitions/titanic-survival/sample_submission.csv")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"mine.csv": sample, "wrong.csv": bytes.Replace(sample, []byte("\n893,0"), []byte("\n893,perhaps"), 1)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := h.screen(dir, 110, 32)
	s.shows("No sessions yet", "root (admin)", "7 of 7 GPUs free")

	// Start, with its stages.
	s.keys("s")
	s.shows("✓ Workspace", "✓ VS Code", "running", "6 of 7 GPUs free")
	row := h.sessions()[0]
	s.shows("▌ "+row.Slug, row.URL)
	s.keys("2")
	s.shows("6 of 7 slots free", "CPU", row.Slug+" you")
	s.keys("1", "l")
	s.shows("Log of " + row.Slug)
	s.keys("Escape")

	// A board that another client changes.
	s.keys(":")
	s.typed("leaderboard titanic")
	s.shows("leaderboard of titanic-survival")
	s.keys("Enter")
	s.shows("Nobody yet")
	h.submitAs("rival@example.org", "Rival 李雷", sample)
	s.shows("Rival 李雷", "0.622010", "1 user")

	// A file with a mistake, then a good one.
	s.keys("3")
	s.shows("titanic-survival")
	s.keys("/")
	s.typed("titanic")
	s.keys("Enter", "u")
	s.shows("mine.csv", "wrong.csv")
	s.keys("G", "Enter")
	s.shows("Message:")
	s.keys("Enter")
	s.shows("row 3")
	s.keys("Enter")
	s.shows("wrong.csv")
	s.keys("g", "Enter")
	s.shows("Message:")
	s.typed("from the screen 👨‍👩‍👧") // which tmux takes for wider than we do
	s.keys("Enter")
	s.shows("Score", "0.622010", "Rank", "2 of 2")
	s.keys("b")
	s.shows("2 users", "▸")
	s.keys("3", "m")
	if mine := s.shows("from the screen 👨"); !strings.HasPrefix(mine, " MedForge") {
		t.Errorf("a line that wrapped moved the others:\n%s", mine)
	}
	s.keys("Escape", "4")
	s.shows("Rival 李雷")

	// The daemon goes and comes back; the screen says so and recovers.
	h.signal(syscall.SIGKILL)
	s.shows("No connection to MedForge", "Rival 李雷")
	h.up()
	s.keys("1")
	view := s.shows(row.Slug, "running")
	h.eventually("the connection", func() bool {
		view = s.tmux("capture-pane", "-p")
		return !strings.Contains(view, "No connection")
	})

	// Resized at any moment.
	s.tmux("resize-window", "-x", "40", "-y", "15")
	s.shows("▌ "+row.Slug, "? keys")
	s.tmux("resize-window", "-x", "110", "-y", "32")

	// Stop asks once, and a snapshot keeps the files.
	s.keys("x")
	s.shows("Stop session " + row.Slug)
	s.keys("y")
	s.shows("stopped", "✓ Snapshot", "7 of 7 GPUs free")
	s.keys("n")
	s.shows("Snapshots of "+row.Slug, "stop-")
	s.keys("q")
	s.shows("exit 0")
	if view := s.tmux("capture-pane", "-p"); strings.Contains(view, "MedForge") {
		t.Errorf("the screen is not as it was:\n%s", view)
	}
}

// submitAs makes an account of the web and submits as that.
func (h *host) submitAs(email, name string, file []byte) {
	h.t.Helper()
	v := h.visitor()
	if _, status, body := v.post(h.main("/api/v1/auth/signup"), api.Signup{Email: email, Password: password, Name: name}); status != http.StatusCreated {
		h.t.Fatalf("sign up: %d %s", status, body)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "rival.csv")
	if err == nil {
		_, err = part.Write(file)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	if _, status, answer := v.end(v.Post(h.main("/api/v1/competitions/titanic-survival/submissions"), form.FormDataContentType(), &body)); status != http.StatusCreated {
		h.t.Fatalf("submit: %d %s", status, answer)
	}
}
