package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
)

// TestTheBoardIsLive watches a board while a submission, sent with its bar on
// another terminal, comes onto it.
func TestTheBoardIsLive(t *testing.T) {
	t.Parallel()
	h := httpapitest.Start(t, httpapitest.Options{Competitions: true, Caller: httpapitest.Alice})
	watch := onTerminal(t, h, 100, nil, "leaderboard", "titanic-survival", "--watch")
	watch.until(t, "0 on the board")
	file := filepath.Join("..", "..", "competitions", "titanic-survival", "sample_submission.csv")
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	out, code := onTerminal(t, h, 100, nil, "submit", "titanic-survival", file).end(t)
	if code != 0 || !strings.Contains(out, "0.62201") || !strings.Contains(out, "19 of 20 left") {
		t.Errorf("%d %q", code, out)
	}
	watch.until(t, "1 on the board")
	watch.until(t, "Alice")
	if err := watch.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if out, code := watch.end(t); code != 0 || strings.Contains(out, "Interrupted") {
		t.Errorf("an interrupt of a watch gave %d: %q", code, out)
	}
}

func TestFetchingShowsABar(t *testing.T) {
	t.Parallel()
	h := httpapitest.Start(t, httpapitest.Options{Competitions: true, Caller: httpapitest.Alice})
	dir := t.TempDir()
	link := filepath.Join(dir, "data")
	outside := t.TempDir()
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	// A link in the folder leads nowhere.
	_, code := onTerminal(t, h, 100, nil, "competition", "data", "cifar-100-classification", "--out", dir).end(t)
	if entries, _ := os.ReadDir(outside); code == 0 || len(entries) > 0 {
		t.Errorf("through a link: code %d, %v", code, entries)
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	out, code := onTerminal(t, h, 100, nil, "competition", "data", "cifar-100-classification", "--out", dir).end(t)
	if code != 0 || !regexp.MustCompile(`3 files, .* in `).MatchString(out) {
		t.Errorf("%d %q", code, out)
	}
}
