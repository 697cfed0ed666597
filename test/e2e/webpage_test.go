package e2e

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/testkit/promised"
)

// The web page as people use it, by keyboard alone and with nothing in the place
// of anything: two of them sign up in Chromium, one works in a session and
// submits, the other sees the board change and is refused, the daemon is killed
// under an open page, and every page is looked at by axe, at three widths and in
// both schemes.
//
// Not beside the others of this package: see TestSessionInTheBrowser.
func TestWebPage(t *testing.T) {
	archive := promised.Pack(t)
	promised.Env(t, "MEDFORGE_CHROMIUM", "a browser")
	h := newHost(t, "[signup]\nmode = \"open\"\n")
	name := "medforge.localhost:" + strconv.Itoa(h.port)
	if page := h.get(name, "/competitions"); page.StatusCode != http.StatusOK {
		t.Fatalf("status %d: is the page in this medforged? sh scripts/build builds it with the page", page.StatusCode)
	}
	pageIsServedWell(t, h, name)
	h.must("admin", "pack", "import", archive)
	h.importMini() // a second one, for admins to choose from

	predictions, err := filepath.Abs("../../competitions/titanic-survival/sample_submission.csv")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 14*time.Minute)
	defer cancel()
	args := []string{"../browser/webpage.mjs", "http://" + name, filepath.Join(h.dir, "data"), h.socket(), predictions}
	if dir := os.Getenv("MEDFORGE_TEST_SCREENSHOTS"); dir != "" {
		args = append(args, dir)
	}
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.WaitDelay = 10 * time.Second
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch lines.Text() {
		case "@kill":
			h.signal(syscall.SIGKILL)
			_, _ = io.WriteString(in, "done\n") // a browser that is gone says so by its status
		case "@up":
			h.up()
			_, _ = io.WriteString(in, "done\n")
		default:
			t.Log(lines.Text())
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the browser: %v\n%s", err, errOut.String())
	}
}
