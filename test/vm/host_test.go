package vm_test

import (
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

type check struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	Detail string `json:"detail"`
	Fix    string `json:"fix"`
}

// TestDoctor: on a host that was installed as the documentation says, all is
// well, and everything that can be wrong was looked at.
func TestDoctor(t *testing.T) {
	code, out, stderr := try(t, "medforge", "doctor", "-o", "json")
	if code != 0 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	report := decode[struct {
		Checks []check `json:"checks"`
	}](t, out)
	seen := map[string]bool{}
	for _, c := range report.Checks {
		seen[c.Name] = true
		// The machine has no network, so nobody to ask for the time.
		if c.Status != "ok" && (c.Name != "clock" || c.Status != "warn") {
			t.Errorf("%+v", c)
		}
	}
	for _, name := range []string{
		"daemon", "configuration", "socket", "containerd", "runc", "control groups", "CNI plugins", "NVIDIA driver", "host names",
		"clock", "disk space", "database", "zfs pool", "workspaces", "pack", "gpus", "orphans",
	} {
		if !seen[name] {
			t.Errorf("doctor did not look at %s; it looked at %v", name, seen)
		}
	}
}

// TestUnits: systemd finds nothing to say about them, and the socket is the
// group's alone.
func TestUnits(t *testing.T) {
	if out := run(t, "systemd-analyze", "verify", "--man=no", "medforged.service", "medforged.socket"); out != "" {
		t.Errorf("systemd-analyze: %s", out)
	}
	st, err := os.Stat(socketPath)
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroup("medforge")
	if err != nil {
		t.Fatal(err)
	}
	sys := st.Sys().(*syscall.Stat_t)
	if st.Mode() != os.ModeSocket|0o660 || sys.Uid != 0 || strconv.Itoa(int(sys.Gid)) != group.Gid {
		t.Errorf("the socket is %v, %d:%d", st.Mode(), sys.Uid, sys.Gid)
	}
	if code, _, _ := try(t, "runuser", "-u", "nobody", "--", "env", "HOME=/nonexistent", "medforge", "session", "list"); code != 6 && code != 4 {
		t.Errorf("a stranger to the group: exit code %d", code)
	}
	// The daemon's mounts are the host's: containerd must see them.
	daemon := run(t, "systemctl", "show", "-P", "MainPID", "medforged.service")
	if a, b := run(t, "readlink", "/proc/1/ns/mnt"), run(t, "readlink", "/proc/"+daemon+"/ns/mnt"); a != b {
		t.Errorf("the daemon is in the mount namespace %s, the host in %s", b, a)
	}
}

// TestHardening looks at the running daemon, as the kernel has it: what the unit
// takes away is gone.
func TestHardening(t *testing.T) {
	pid := run(t, "systemctl", "show", "-P", "MainPID", "medforged.service")
	status := map[string]string{}
	for line := range strings.Lines(run(t, "cat", "/proc/"+pid+"/status")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		status[name] = strings.TrimSpace(value)
	}
	if status["NoNewPrivs"] != "1" || status["Seccomp"] != "2" {
		t.Errorf("NoNewPrivs is %s and Seccomp %s, want 1 and 2 (a filter)", status["NoNewPrivs"], status["Seccomp"])
	}
	for _, set := range []string{"CapBnd", "CapPrm", "CapEff"} {
		caps, err := strconv.ParseUint(status[set], 16, 64)
		if err != nil {
			t.Fatalf("%s: %v", set, err)
		}
		for name, bit := range map[string]int{
			"CAP_SYS_RAWIO": unix.CAP_SYS_RAWIO, "CAP_SYS_BOOT": unix.CAP_SYS_BOOT, "CAP_SYS_TIME": unix.CAP_SYS_TIME,
			"CAP_SYSLOG": unix.CAP_SYSLOG, "CAP_BPF": unix.CAP_BPF, "CAP_MAC_ADMIN": unix.CAP_MAC_ADMIN,
		} {
			if caps&(1<<bit) != 0 {
				t.Errorf("the daemon has %s in its %s", name, set)
			}
		}
		if caps&(1<<unix.CAP_SYS_ADMIN) == 0 {
			t.Errorf("the daemon lacks CAP_SYS_ADMIN in its %s: it cannot mount", set)
		}
	}
	if out := run(t, "cat", "/proc/"+pid+"/oom_score_adj"); out != "-500" {
		t.Errorf("oom_score_adj is %s", out)
	}
}

// TestPackage: what the operator finds.
func TestPackage(t *testing.T) {
	files := run(t, "dpkg", "-L", "medforge")
	for _, want := range []string{
		"/usr/bin/medforge", "/usr/bin/medforged", "/usr/lib/medforge/medforge-log", "/usr/share/man/man1/medforge-session-start.1.gz", "/usr/share/man/man1/medforged.1.gz",
		"/usr/share/bash-completion/completions/medforge", "/usr/share/zsh/vendor-completions/_medforge",
		"/usr/share/fish/vendor_completions.d/medforge.fish", "/etc/medforge/medforged.toml",
	} {
		if !strings.Contains(files+"\n", want+"\n") {
			t.Errorf("the package lacks %s", want)
		}
	}
	if out := run(t, "medforged", "check"); out != "" && !strings.Contains(out, configPath) {
		t.Errorf("check says %s", out)
	}
}
