package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/testkit/script"
)

// TestTheTicketIsNoArgument: everybody on the host can read a process's
// arguments, and the link signs in whoever has it.
func TestTheTicketIsNoArgument(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	script.Write(t, filepath.Join(dir, "xdg-open"), "#!/bin/sh\necho \"$@\" > "+dir+"/arguments\ncat \"$1\" > "+dir+"/page\nstat -c %a \"$1\" > "+dir+"/mode\n")
	for range 2 { // the second time the file is there
		if err := browse(t.Context(), `http://s-k3v7q2xa.medforge.localhost:8080/open?ticket=s3cret&a="><script>`); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(raw))
	}
	if args := read("arguments"); strings.Contains(args, "s3cret") {
		t.Errorf("called with %q", args)
	}
	if page := read("page"); !strings.Contains(page, `url=http://s-k3v7q2xa.medforge.localhost:8080/open?ticket=s3cret&amp;a=&#34;&gt;&lt;script&gt;`) || !strings.Contains(page, "no-referrer") {
		t.Errorf("page %q", page)
	}
	if mode := read("mode"); mode != "600" {
		t.Errorf("mode %s", mode)
	}
}
