package zfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/fault"
)

const busySaid = "cannot create snapshot '" + name + "@stop-1': dataset is busy\n"

// TestBusyIsTriedAgain is busy twice and then not.
func TestBusyIsTriedAgain(t *testing.T) {
	t.Parallel()
	count := filepath.Join(t.TempDir(), "count")
	w, log := stand(t,
		reply{match: "get * " + name, out: standingOutput(nil)},
		reply{match: "get * " + name + "@stop-1", script: fmt.Sprintf("[ -e %s.done ] && { printf 'creation\\t1790000000\\t-\\nused\\t0\\t-\\nreferenced\\t0\\t-\\n'; exit 0; }", count), err: missing, status: 1},
		reply{match: "snapshot *", err: busySaid, status: 1,
			script: fmt.Sprintf("echo >>%s; [ $(wc -l <%[1]s) -ge 3 ] && { touch %[1]s.done; exit 0; }", count)})
	w.cfg.BusyFor = time.Minute
	_, err := w.Snapshot(t.Context(), ref, "stop-1")
	must(t, err)
	tries := 0
	for _, args := range ran(t, log) {
		if strings.HasPrefix(args, "snapshot ") {
			tries++
		}
	}
	if tries != 3 {
		t.Errorf("tried %d times, want 3", tries)
	}
}

// TestBusyNamesHolders has a dataset mounted in another mount namespace and a
// process with a file of it open, as /proc shows them.
func TestBusyNamesHolders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "notes.txt")
	must(t, os.WriteFile(file, nil, 0o600))
	var st unix.Statx_t
	must(t, unix.Statx(unix.AT_FDCWD, file, 0, 0, &st))
	device := fmt.Sprintf("%d:%d", st.Dev_major, st.Dev_minor)

	proc := filepath.Join(dir, "proc")
	process := func(pid, comm, space, mounts string, open ...string) {
		must(t, os.MkdirAll(filepath.Join(proc, pid, "ns"), 0o700))
		must(t, os.MkdirAll(filepath.Join(proc, pid, "fd"), 0o700))
		must(t, os.WriteFile(filepath.Join(proc, pid, "comm"), []byte(comm+"\n"), 0o600))
		must(t, os.WriteFile(filepath.Join(proc, pid, "mountinfo"), []byte(mounts), 0o600))
		must(t, os.Symlink("mnt:["+space+"]", filepath.Join(proc, pid, "ns/mnt")))
		for i, target := range open {
			must(t, os.Symlink(target, filepath.Join(proc, pid, "fd", fmt.Sprint(i))))
		}
	}
	line := "36 35 " + device + " / %s rw,relatime shared:1 master:2 - zfs %s rw,xattr\n"
	process("self", "medforged", "1", "")
	process("100", "medforged", "1", fmt.Sprintf(line, "/tank/w", name))
	process("200", "code-server", "2", "1 1 0:1 / / rw - overlay overlay rw\n"+fmt.Sprintf(line, "/workspace", name))
	process("201", "node", "2", fmt.Sprintf(line, "/workspace", name))
	process("300", "backup", "3", fmt.Sprintf(line, "/mnt", "tank/other"))
	process("400", "tail", "4", "", "/nowhere/socket", file)

	w, _ := stand(t, reply{match: "get * " + name, out: standingOutput(nil)},
		reply{match: "get * " + name + "@stop-1", err: missing, status: 1},
		reply{match: "snapshot *", err: busySaid, status: 1})
	w.cfg.Proc = proc
	_, err := w.Snapshot(t.Context(), ref, "stop-1")
	if !fault.Is(err, fault.Busy) {
		t.Fatalf("got %v, want busy", err)
	}
	message := fault.As(err).Message
	for _, want := range []string{"process 200 (code-server), at /workspace", "process 400 (tail)", file} {
		if !strings.Contains(message, want) {
			t.Errorf("%q does not say %q", message, want)
		}
	}
	for _, not := range []string{"(medforged)", "(node)", "(backup)"} {
		if strings.Contains(message, not) {
			t.Errorf("%q blames %s", message, not)
		}
	}
}
