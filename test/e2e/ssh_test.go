package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/medforge/medforge/pkg/testkit/child"
	"github.com/medforge/medforge/pkg/testkit/nettest"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// sshServer starts a server of the test's own on loopback, with keys of its
// own, and returns the command line that connects to it.
func (h *host) sshServer() []string {
	h.t.Helper()
	server, err := exec.LookPath("/usr/sbin/sshd") // it wants to be called by its full path
	if err != nil {
		h.t.Skip("openssh-server is not installed; sh scripts/test installs it")
	}
	// Where the server locks itself up while nobody has signed in; Debian's unit
	// makes it, so it stays.
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		h.t.Fatal(err)
	}
	dir := filepath.Join(h.dir, "ssh")
	port := nettest.FreePort(h.t)
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			h.t.Fatal(err)
		}
		return path
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		h.t.Fatal(err)
	}
	public := map[string]string{}
	for _, name := range []string{"host", "user"} {
		path := filepath.Join(dir, name)
		if out, err := exec.CommandContext(h.t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path).CombinedOutput(); err != nil {
			h.t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
		text, err := os.ReadFile(path + ".pub")
		if err != nil {
			h.t.Fatal(err)
		}
		public[name] = string(text)
	}
	config := file("sshd_config", fmt.Sprintf(`ListenAddress 127.0.0.1:%d
HostKey %s
AuthorizedKeysFile %s
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
`, port, filepath.Join(dir, "host"), file("authorized_keys", public["user"])))
	known := file("known_hosts", fmt.Sprintf("[127.0.0.1]:%d %s", port, public["host"]))

	var log watch.Output
	cmd := exec.Command(server, "-D", "-e", "-f", config)
	cmd.Stderr = &log
	ended, err := child.Start(cmd)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself, which the test has seen
		<-ended
		if h.t.Failed() {
			h.t.Logf("sshd said:\n%s", log.String())
		}
	})
	h.eventually("the ssh server", func() bool { return strings.Contains(log.String(), "Server listening on 127.0.0.1") })
	return []string{"ssh", "-F", "/dev/null", "-tt", "-p", strconv.Itoa(port), "-i", filepath.Join(dir, "user"), "-o", "IdentitiesOnly=yes",
		"-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=" + known, "root@127.0.0.1"}
}

// processes are those whose arguments, with a zero byte after each, begin with
// one text and hold another, by their ids.
func processes(t testing.TB, first, with string) (pids []int) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		line, err := os.ReadFile(f)
		if err != nil {
			continue // it has just ended
		}
		if !bytes.HasPrefix(line, []byte(first)) || !bytes.Contains(line, []byte(with)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// The program over ssh, in tmux: start, keys, resized, quit; then the client is
// killed, which takes the program with it.
func TestFullScreenOverSSH(t *testing.T) {
	t.Parallel()
	h := miniHost(t, "")
	connect := strings.Join(append(h.sshServer(), filepath.Join(h.bin, "medforge"), "--socket", h.socket(), "tui"), " ")
	dir := t.TempDir()
	again := filepath.Join(dir, "again")
	if err := syscall.Mkfifo(again, 0o600); err != nil {
		t.Fatal(err)
	}
	// Nobody gives the terminal back after the cut, so a line of its own is needed.
	s := h.window(dir, 100, 30, fmt.Sprintf("echo what was here before; stty -g >modes; %[1]s; echo exit $?; stty -g >after; read _ <again; %[1]s; printf '\r\ncut %%s' $?; exec sleep 600", connect))
	s.shows("No sessions yet", "root (admin)", "7 of 7 GPUs free")
	if state := s.state(); state != "alternate 1 cursor 0 mouse 1 wrap 0" {
		t.Errorf("while it runs the terminal is %q", state)
	}

	s.keys("s")
	s.shows("✓ Workspace", "✓ VS Code", "running", "6 of 7 GPUs free")
	row := h.sessions()[0]
	s.keys("Down", "j", "Up", "2")
	s.shows("6 of 7 slots free", row.Slug+" you")
	s.tmux("resize-window", "-x", "40", "-y", "15")
	s.keys("1")
	s.shows("▌ "+row.Slug, "? keys")
	// The frame before was for the larger window.
	view := ""
	watch.Until(t, "a frame of 15 lines", func() bool {
		view = s.shows("▌ "+row.Slug, "? keys")
		return strings.Count(strings.TrimRight(view, "\n"), "\n") == 14
	}, func() string { return view })
	s.tmux("resize-window", "-x", "120", "-y", "40")
	s.shows("▌ "+row.Slug, row.URL)
	s.keys("l")
	s.shows("Log of " + row.Slug)
	s.keys("Escape", "Enter") // no browser is at the other end
	s.shows("The link is in the clipboard")
	s.keys("Escape", "x")
	s.shows("Stop session " + row.Slug)
	s.keys("y")
	s.shows("stopped", "✓ Snapshot", "7 of 7 GPUs free")

	s.keys("q")
	view = s.shows("exit 0", "what was here before")
	if strings.Contains(view, "MedForge") || s.state() != "alternate 0 cursor 1 mouse 0 wrap 1" {
		t.Errorf("the terminal is %q:\n%s", s.state(), view)
	}
	h.eventually("the terminal's modes", func() bool {
		after, err := os.ReadFile(filepath.Join(dir, "after"))
		return err == nil && len(after) > 0
	})
	before, err := os.ReadFile(filepath.Join(dir, "modes"))
	if err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(filepath.Join(dir, "after")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the terminal's modes are %s, were %s (%v)", after, before, err)
	}

	if err := os.WriteFile(again, []byte("\n"), 0); err != nil {
		t.Fatal(err)
	}
	s.shows("Your sessions", row.Slug)
	mine := func(first string) []int { return processes(t, first, h.socket()+"\x00tui") }
	program := filepath.Join(h.bin, "medforge") + "\x00--socket"
	clients := mine("ssh\x00-F")
	if len(clients) != 1 || len(mine(program)) != 1 {
		t.Fatalf("clients %v, programs %v", clients, mine(program))
	}
	if err := syscall.Kill(clients[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.shows("cut 137")
	h.eventually("the end of the program whose connection was cut", func() bool { return len(mine(program)) == 0 })
}

// state is what the program has set of the terminal.
func (s *screen) state() string {
	s.h.t.Helper()
	return strings.TrimSpace(s.tmux("display-message", "-p", "alternate #{alternate_on} cursor #{cursor_flag} mouse #{mouse_any_flag} wrap #{wrap_flag}"))
}
