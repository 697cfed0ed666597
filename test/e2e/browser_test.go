package e2e

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/testkit/promised"
)

// The main job with nothing in the place of anything: a link, VS Code in
// Chromium, its terminal writes a file, the file stands on the host, the stop
// keeps it in a snapshot, and a new session from that shows it.
//
// Not beside the others of this package: a browser and an IDE together want
// both cores of a small machine.
func TestSessionInTheBrowser(t *testing.T) {
	archive := promised.Pack(t)
	promised.Env(t, "MEDFORGE_CHROMIUM", "a browser")
	h := newHost(t, "")
	h.must("admin", "pack", "import", archive)

	first := h.start()
	h.browse(first.Slug, "echo written-by-the-terminal > /workspace/from-browser.txt", func() bool {
		text, err := os.ReadFile(filepath.Join(h.workspace(first), "from-browser.txt"))
		return err == nil && strings.TrimSpace(string(text)) == "written-by-the-terminal"
	})
	h.must("session", "stop", first.Slug)
	if s := h.session(first.Slug); s.Status != "stopped" {
		t.Fatalf("session is %s: %s", s.Status, s.ErrorMessage)
	}
	kept, err := filepath.Glob(filepath.Join(filepath.Dir(h.workspace(first)), "snapshots", "stop-*", "tree", "from-browser.txt"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("the file in the snapshot: %v, %v", kept, err)
	}
	settings, err := filepath.Glob(filepath.Join(h.workspace(first), ".local", "share", "code-server", "*"))
	if err != nil || len(settings) == 0 {
		t.Errorf("VS Code keeps nothing of its own in the workspace: %v, %v", settings, err)
	}

	second := h.start("--from", first.Slug)
	h.browse(second.Slug, "cp /workspace/from-browser.txt /workspace/copy.txt", func() bool {
		text, err := os.ReadFile(filepath.Join(h.workspace(second), "copy.txt"))
		return err == nil && strings.TrimSpace(string(text)) == "written-by-the-terminal"
	})
	// The command line works inside, as the session's owner, without a login.
	h.browse(second.Slug, "medforge whoami -o json > /workspace/whoami.json", func() bool {
		text, err := os.ReadFile(filepath.Join(h.workspace(second), "whoami.json"))
		return err == nil && strings.Contains(string(text), second.UserID)
	})
	h.must("session", "stop", second.Slug)
}

// browse types a command into VS Code's terminal and waits for what it does.
func (h *host) browse(slug, command string, done func() bool) {
	h.t.Helper()
	args := []string{"../browser/workbench.mjs", h.link(slug), command}
	if dir := os.Getenv("MEDFORGE_TEST_SCREENSHOTS"); dir != "" {
		args = append(args, filepath.Join(dir, "workbench-"+slug+".png"))
	}
	cmd := exec.CommandContext(h.t.Context(), "node", args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); err != nil || line != "typing\n" {
		_ = cmd.Wait()
		h.t.Fatalf("the browser: %q, %v\n%s", line, err, said.String())
	}
	h.eventually("what the terminal does", done)
	if err := in.Close(); err != nil {
		h.t.Fatal(err)
	}
	url, err := io.ReadAll(lines)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		h.t.Fatalf("the browser: %v\n%s", err, said.String())
	}
	if !strings.Contains(string(url), "s-"+slug+".medforge.localhost") {
		h.t.Errorf("VS Code stood at %s", url)
	}
}
