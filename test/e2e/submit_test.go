package e2e

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/api"
)

// The terminal of a session submits without a login, the submission says which
// session it came from, a board that somebody watches shows it, and what only
// an admin may do is refused there though the session is an admin's.
func TestSubmitFromInside(t *testing.T) {
	t.Parallel()
	h := miniHost(t, "")
	s := h.start()
	sample, err := os.ReadFile("../../competitions/titanic-survival/sample_submission.csv")
	if err != nil {
		t.Fatal(err)
	}
	h.put(s, "nobody.csv", sample)
	h.put(s, "wrong.csv", bytes.Replace(sample, []byte("\n893,0"), []byte("\n893,perhaps"), 1))

	watched := h.watch("leaderboard", "titanic-survival", "--watch")
	if out, code := h.inside(s, "submit", "titanic-survival", "/workspace/wrong.csv"); code != 5 || !strings.Contains(out, "row 3") {
		t.Errorf("predictions with a mistake: exit %d\n%s", code, out)
	}
	if out, code := h.inside(s, "submit", "titanic-survival", "/workspace/nobody.csv", "-m", "from the terminal"); code != 0 || !strings.Contains(out, "0.62201") {
		t.Fatalf("submit: exit %d\n%s", code, out)
	}
	h.eventually("the score on the watched board", func() bool { return strings.Contains(watched(), "0.62201") })

	var subs []api.Submission
	h.decode(h.must("submissions", "titanic-survival", "-o", "json"), &subs)
	if len(subs) != 1 || subs[0].SessionID == nil || *subs[0].SessionID != s.ID || subs[0].Message != "from the terminal" {
		t.Fatalf("the owner's submissions: %+v", subs)
	}
	h.must("admin", "submission", "rescore", subs[0].ID)
	h.eventually("the second score", func() bool {
		var again []api.Submission
		h.decode(h.must("submissions", "titanic-survival", "-o", "json"), &again)
		return again[0].ScoreStatus == "scored" && again[0].OfficialScore != nil && again[0].OfficialScore.PrimaryScore == subs[0].OfficialScore.PrimaryScore
	})
	for _, args := range [][]string{{"admin", "submission", "rescore", subs[0].ID}, {"admin", "pack", "list"}, {"session", "stop", s.Slug, "--no-wait"}} {
		if out, code := h.inside(s, args...); code != 4 {
			t.Errorf("medforge %s in a session: exit %d\n%s", strings.Join(args, " "), code, out)
		}
	}
}

// put writes a file into a session's workspace as its owner would.
func (h *host) put(s api.Session, name string, content []byte) {
	h.t.Helper()
	path := filepath.Join(h.workspace(s), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Chown(path, 1000, 1000); err != nil {
		h.t.Fatal(err)
	}
}

// inside runs medforge in a session's container, as its user.
func (h *host) inside(s api.Session, args ...string) (output string, code int) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Minute)
	defer cancel()
	exec := exec.CommandContext(ctx, "ctr", append([]string{"-a", h.ctrd.Address, "-n", h.ctrd.Namespace,
		"task", "exec", "--exec-id", "in-" + time.Now().Format("150405.000000"), "--user", "1000:1000", "--cwd", "/workspace", "mf-session-" + s.Slug,
		"/usr/local/bin/medforge"}, args...)...)
	out, err := exec.CombinedOutput()
	if exec.ProcessState == nil {
		h.t.Fatal(err)
	}
	return string(out), exec.ProcessState.ExitCode()
}

// watch runs a medforge that goes on until the test ends, and returns what
// reads its output so far.
func (h *host) watch(args ...string) func() string {
	h.t.Helper()
	cmd := exec.CommandContext(h.t.Context(), filepath.Join(h.bin, "medforge"), append([]string{"--socket", h.socket()}, args...)...)
	out, err := os.Create(filepath.Join(h.dir, "watch.out"))
	if err != nil {
		h.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended with the test's context
		_ = cmd.Wait()
		_ = out.Close()
	})
	return func() string {
		f, err := os.Open(out.Name())
		if err != nil {
			h.t.Fatal(err)
		}
		defer f.Close()
		text, err := io.ReadAll(f)
		if err != nil {
			h.t.Fatal(err)
		}
		return string(text)
	}
}
