package zfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/testkit/script"
)

// reply is what the stand-in answers to commands whose arguments match a
// pattern of the shell. It is for reading output and for failures that real ZFS
// does not show on demand; everything else runs on real ZFS
// (TestConformanceZFS).
type reply struct {
	match  string
	out    string
	err    string
	status int
	script string // run before answering
}

// stand writes a program that stands in for both zfs and zpool, and returns a
// driver that runs it and the file that lists what was run.
func stand(t *testing.T, replies ...reply) (*Workspaces, string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	var b strings.Builder
	fmt.Fprintf(&b, "#!/bin/sh\nprintf '%%s\\n' \"$*\" >>%s\ncase \"$*\" in\n", log)
	for i, r := range replies {
		out, err := filepath.Join(dir, fmt.Sprint("out", i)), filepath.Join(dir, fmt.Sprint("err", i))
		must(t, os.WriteFile(out, []byte(r.out), 0o600))
		must(t, os.WriteFile(err, []byte(r.err), 0o600))
		first := r.script
		if first == "" {
			first = ":"
		}
		fmt.Fprintf(&b, "%s) %s; cat %s; cat %s >&2; exit %d;;\n", strings.ReplaceAll(r.match, " ", `\ `), first, out, err, r.status)
	}
	b.WriteString("*) echo \"unexpected: $*\" >&2; exit 2;;\nesac\n")
	program := filepath.Join(dir, "zfs")
	script.Write(t, program, b.String())
	w := open(t, Config{
		Parent: "tank/medforge/workspaces", QuotaBytes: 1 << 30, ZFS: program, Zpool: program,
		BusyFor: 200 * time.Millisecond,
	})
	return w, log
}

func ran(t *testing.T, log string) []string {
	t.Helper()
	text, err := os.ReadFile(log)
	must(t, err)
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

var ref = session.Ref{UserID: "11111111-1111-1111-1111-111111111111", SessionID: "22222222-2222-2222-2222-222222222222"}

const name = "tank/medforge/workspaces/11111111-1111-1111-1111-111111111111/22222222-2222-2222-2222-222222222222"

// standingOutput is what zfs get says of a workspace of ours.
func standingOutput(change map[string]string) string {
	lines := []string{
		"type\tfilesystem\t-", "mounted\tyes\t-", "mountpoint\t/tank/medforge/workspaces/1/2\tdefault", "origin\t-\t-",
		"creation\t1790000000\t-", "medforge:session\t" + ref.SessionID + "\tlocal", "medforge:origin\t-\t-",
		"medforge:ready\t1790000000123456789\tlocal", "used\t204800\t-", "quota\t1073741824\tlocal",
		"referenced\t1024\t-", "refquota\t1073741824\tlocal",
	}
	for i, line := range lines {
		prop, _, _ := strings.Cut(line, "\t")
		if with, ok := change[prop]; ok {
			lines[i] = prop + "\t" + with
		}
	}
	return strings.Join(lines, "\n") + "\n"
}
