package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/testkit/mariadbtest"
)

// A backup taken while sessions run and predictions are scored, restored on a
// fresh host with the other database, shows everything that there was.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	maria := func(t *testing.T) string {
		return fmt.Sprintf("[database]\ndriver = \"mysql\"\ndsn = %q\n", mariadbtest.New(t))
	}
	sqlite := func(*testing.T) string { return "" }
	for name, c := range map[string]struct{ from, to func(*testing.T) string }{
		"sqlite to mariadb": {sqlite, maria}, "mariadb to sqlite": {maria, sqlite},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := miniHost(t, c.from(t))
			ended := a.start()
			a.put(ended, "work.txt", []byte("kept"))
			a.must("session", "stop", ended.Slug)
			a.must("submit", "titanic-survival", "../../competitions/titanic-survival/sample_submission.csv", "-m", "before")
			a.must("admin", "gpu", "disable", "3")
			running := a.start()
			file := filepath.Join(a.dir, "backup.tar.zst")
			out := a.must("admin", "backup", file)
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || !strings.Contains(out, file) {
				t.Fatalf("%v, %v; said %q", info, err, out)
			}
			want := a.everything()
			a.must("session", "stop", running.Slug)

			b := newHostDown(t, c.to(t))
			config := filepath.Join(b.dir, "medforged.toml")
			out = b.must("admin", "restore", "--config", config, file)
			if !strings.Contains(out, "medforge doctor") {
				t.Errorf("restore said %q", out)
			}
			t.Cleanup(b.down)
			b.up()
			b.eventually("the session that ran has ended", func() bool { return b.session(running.Slug).Status == "error" })
			if got := b.session(running.Slug); !strings.Contains(got.ErrorMessage, "main process") {
				t.Errorf("%s: %s", got.Status, got.ErrorMessage)
			}
			if got := b.everything(); got != want {
				t.Errorf("restored:\n%s\nwant:\n%s", got, want)
			}
			if _, errOut, code := b.run("admin", "restore", "--config", config, file); code != 1 || !strings.Contains(errOut, "systemctl stop medforged") {
				t.Errorf("a restore beside the daemon: exit %d, %s", code, errOut)
			}
			// The files are back too.
			b.must("admin", "pack", "import", filepath.Join(a.dir, "mini.tar"))
			next := b.start("--from", ended.Slug)
			if text, err := os.ReadFile(filepath.Join(b.workspace(next), "work.txt")); err != nil || string(text) != "kept" {
				t.Errorf("from the restored snapshot: %q, %v", text, err)
			}
			b.must("session", "stop", next.Slug)
			// It works on: the data of competitions is whole, and scores.
			b.must("submit", "titanic-survival", "../../competitions/titanic-survival/sample_submission.csv", "-m", "after")
			b.must("competition", "data", "titanic-survival", "--out", filepath.Join(b.dir, "fetched"))
		})
	}
}

// everything is what people see, but what a restore changes: which sessions
// run, and what is left of the day.
func (h *host) everything() string {
	h.t.Helper()
	var out strings.Builder
	for _, s := range h.sessions("--all") {
		fmt.Fprintf(&out, "session %s %s %s %s %s\n", s.ID, s.Slug, s.UserID, s.PackDigest, s.CreatedAt)
	}
	for _, args := range [][]string{
		{"submissions", "titanic-survival"}, {"leaderboard", "titanic-survival"}, {"competition", "list"},
		{"competition", "show", "titanic-survival"}, {"dataset", "list"}, {"whoami"},
	} {
		out.WriteString(h.must(append(args, "-o", "json")...))
	}
	var gpus []struct {
		Index  int
		Status string
	}
	h.decode(h.must("gpu", "list", "-o", "json"), &gpus)
	for _, g := range gpus {
		if g.Status == "disabled" {
			fmt.Fprintf(&out, "gpu %d is disabled\n", g.Index)
		}
	}
	return out.String()
}
