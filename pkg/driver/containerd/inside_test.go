package containerd_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/driver/containerd"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/testkit/minipack"
	"github.com/medforge/medforge/pkg/testkit/nettest"
)

// TestInside looks at one session from within: what it is, what it has, and what
// it cannot do.
func TestInside(t *testing.T) {
	t.Parallel()
	tool := filepath.Join(t.TempDir(), "medforge")
	noErr(t, os.WriteFile(tool, []byte("a program"), 0o755))
	h := newHost(t, func(c *containerd.Config) { c.CLIPath = tool })
	s := h.spec(t, h.importMini(t))
	s.GPUIndex = 3
	s.Limits = session.Limits{MemoryBytes: 512 << 20}
	// What lies on a host with systemd is a shared mount.
	noErr(t, unix.Mount(s.WorkspacePath, s.WorkspacePath, "", unix.MS_BIND, ""))
	t.Cleanup(func() { noErr(t, unix.Unmount(s.WorkspacePath, unix.MNT_DETACH)) })
	noErr(t, unix.Mount("", s.WorkspacePath, "", unix.MS_SHARED, ""))
	noErr(t, h.Driver.Create(t.Context(), s))
	noErr(t, h.Driver.Start(t.Context(), s.Slug))
	p := h.probe(t, s.Slug)

	t.Run("privileges", func(t *testing.T) {
		status := fields(t, p, "/proc/self/status")
		for name, want := range map[string]string{
			"Uid": "1000 1000 1000 1000", "Gid": "1000 1000 1000 1000", "Groups": "1000",
			"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000",
			"CapBnd": "0000000000000000", "CapAmb": "0000000000000000",
			"NoNewPrivs": "1", "Seccomp": "2",
		} {
			if got := status[name]; got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	})
	t.Run("forbidden", func(t *testing.T) {
		for what, allowed := range map[string][]string{
			"mount": {"EPERM"}, "remount-proc": {"EPERM"}, "userns": {"EPERM"}, "mknod": {"EPERM"},
			"setuid": {"EPERM"}, "chroot": {"EPERM"}, "hostname": {"EPERM"}, "raw-socket": {"EPERM"},
			"packet-socket": {"EPERM"}, "keyctl": {"EPERM"}, "bpf": {"EPERM"}, "perf": {"EPERM"},
			"reboot": {"EPERM"}, "module": {"EPERM"}, "swapon": {"EPERM"},
			"write-sysrq": {"EROFS", "EACCES", "ENOENT"}, "write-sysctl": {"EROFS", "EACCES"},
			"write-net-sysctl": {"EROFS", "EACCES"}, "write-cgroup": {"EROFS", "EACCES", "ENOENT"},
			"write-sys":  {"EROFS", "EACCES", "ENOENT"},
			"read-kcore": {"ENODATA", "EACCES", "ENOENT"}, "read-keys": {"ENODATA", "EACCES", "ENOENT"},
			"write-etc": {"EACCES"}, "write-init": {"EROFS", "EACCES"}, "write-resolv": {"EROFS", "EACCES"},
		} {
			got, err := p.Try(what)
			noErr(t, err)
			if !contains(allowed, got) {
				t.Errorf("%s ended with %q, want one of %v", what, got, allowed)
			}
		}
	})
	t.Run("masked", func(t *testing.T) {
		for _, path := range []string{"/proc/acpi", "/proc/scsi", "/sys/firmware"} {
			names, err := p.List(path)
			if len(names) != 0 {
				t.Errorf("%s shows %v (%v)", path, names, err)
			}
		}
		for _, path := range []string{"/proc/kcore", "/proc/keys", "/proc/timer_list"} {
			if text, err := p.Read(path); text != "" {
				t.Errorf("%s can be read: %q, %v", path, text, err)
			}
		}
	})
	t.Run("environment", func(t *testing.T) {
		env, err := p.Env()
		noErr(t, err)
		for name, want := range map[string]string{
			"MEDFORGE_SESSION_ID": s.SessionID, "MEDFORGE_USER_ID": s.UserID, "MEDFORGE_TIER": "public",
			"MEDFORGE_GPU_ID": "3", "MEDFORGE_SOCKET": "/run/medforge/api.sock",
			"NVIDIA_VISIBLE_DEVICES": "void", "CUDA_VISIBLE_DEVICES": "0",
			"HOME": "/workspace", "SHELL": "/bin/bash", "LANG": "C.UTF-8",
			"PATH": "/usr/local/bin:/usr/bin:/bin:/", "MINIPACK": "1", // the Pack's
		} {
			if got := env[name]; got != want {
				t.Errorf("%s=%q, want %q", name, got, want)
			}
		}
		for name := range env {
			if strings.HasPrefix(name, "MEDFORGE_") && !contains([]string{"MEDFORGE_SESSION_ID", "MEDFORGE_USER_ID", "MEDFORGE_TIER", "MEDFORGE_GPU_ID", "MEDFORGE_SOCKET"}, name) {
				t.Errorf("a session was told %s", name)
			}
		}
	})
	t.Run("mounts", func(t *testing.T) { checkMounts(t, p) })
	t.Run("workspace", func(t *testing.T) {
		noErr(t, p.Write("/workspace/made-inside", "hello"))
		noErr(t, p.Write("/tmp/scratch", "hello"))
		path := filepath.Join(s.WorkspacePath, "made-inside")
		st, err := os.Stat(path)
		noErr(t, err)
		if owner(t, path) != 1000 || st.Size() != 5 {
			t.Errorf("the file belongs to %d, want 1000", owner(t, path))
		}
	})
	t.Run("later mount", func(t *testing.T) {
		// What the host mounts below the workspace later is seen inside.
		dir := filepath.Join(s.WorkspacePath, "later")
		noErr(t, os.Mkdir(dir, 0o755))
		noErr(t, unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
		t.Cleanup(func() { noErr(t, unix.Unmount(dir, 0)) })
		noErr(t, os.WriteFile(filepath.Join(dir, "x"), nil, 0o644))
		if names, err := p.List("/workspace/later"); err != nil || !contains(names, "x") {
			t.Errorf("inside it shows %v, %v", names, err)
		}
	})
	t.Run("identity", func(t *testing.T) {
		for path, want := range map[string]string{
			"/proc/sys/kernel/hostname": s.Slug + "\n",
			"/etc/hostname":             s.Slug + "\n",
			"/proc/1/comm":              "ide\n",
			"/proc/self/oom_score_adj":  "500\n",
		} {
			if got, err := p.Read(path); err != nil || got != want {
				t.Errorf("%s = %q, %v; want %q", path, got, err, want)
			}
		}
		if cgroup, err := p.Read("/proc/self/cgroup"); err != nil || strings.Contains(cgroup, h.Namespace) {
			t.Errorf("the host's control groups show: %q, %v", cgroup, err)
		}
		hosts, err := p.Read("/etc/hosts")
		noErr(t, err)
		if !strings.Contains(hosts, "127.0.0.1 localhost\n") || !strings.Contains(hosts, " "+s.Slug+"\n") {
			t.Errorf("/etc/hosts is %q", hosts)
		}
	})
}

func checkMounts(t *testing.T, p *minipack.Probe) {
	info, err := p.Read("/proc/self/mountinfo")
	noErr(t, err)
	options := map[string]string{}
	for line := range strings.Lines(info) {
		f := strings.Fields(line)
		rest := strings.Join(f[5:], " ")
		options[f[4]] = "," + strings.ReplaceAll(rest, " ", ",") + ","
		if strings.Contains(rest, " - cgroup") && !strings.Contains(rest, "ro,") {
			t.Errorf("a control group can be written: %s", line)
		}
	}
	if _, err := p.List("/sys/fs/cgroup"); err != nil {
		t.Errorf("programs cannot read their limits: %v", err)
	}
	for point, want := range map[string]string{
		"/workspace":              "rw nosuid nodev",
		"/run/medforge":           "rw nosuid nodev noexec",
		"/usr/local/bin/medforge": "ro nosuid nodev",
		"/etc/resolv.conf":        "ro nosuid nodev noexec",
		"/etc/hosts":              "ro nosuid nodev noexec",
		"/dev/shm":                "nosuid nodev noexec size=262144k",
		"/sys":                    "ro nosuid nodev noexec",
		"/proc/sys":               "ro",
	} {
		got, ok := options[point]
		if !ok {
			t.Errorf("%s is not mounted", point)
		}
		for _, option := range strings.Fields(want) {
			if !strings.Contains(got, ","+option+",") {
				t.Errorf("%s has %q, want %s", point, got, option)
			}
		}
	}
	if text, err := p.Read("/usr/local/bin/medforge"); err != nil || text != "a program" {
		t.Errorf("medforge inside is %q, %v", text, err)
	}
}

// TestReach is about two sessions of one host, a server outside and services of
// the host; the network package has the finer cases.
func TestReach(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	digest := h.importMini(t)
	a, b := h.start(t, h.spec(t, digest)), h.start(t, h.spec(t, digest))
	const short, long = 400 * time.Millisecond, time.Minute

	outside := nettest.New(t)
	server := outside.Serve(t, "outside")
	for _, p := range []*minipack.Probe{a, b} {
		for _, proto := range []string{"tcp", "udp"} {
			if said, err := p.Dial(proto, server.String(), long); err != nil || said != "outside" {
				t.Errorf("%s to the outside: %q, %v", proto, said, err)
			}
		}
	}
	host := nettest.Serve(t, netip.MustParseAddrPort("0.0.0.0:0"), "host")
	gateway := h.Subnet.Addr().Next()
	for _, target := range []netip.Addr{gateway, outside.HostAddr, netip.MustParseAddr("127.0.0.1")} {
		if said, err := a.Dial("tcp", netip.AddrPortFrom(target, host.Port()).String(), short); err == nil {
			t.Errorf("a service of the host answered on %s: %q", target, said)
		}
	}
	hosts, err := b.Read("/etc/hosts")
	noErr(t, err)
	address := strings.Fields(strings.Split(hosts, "\n")[1])[0]
	if !h.Subnet.Contains(netip.MustParseAddr(address)) {
		t.Fatalf("session b's address %s is not in %s", address, h.Subnet)
	}
	// The stand-in serves nothing over TCP; a refusal would come at once, and
	// silence is what isolation looks like.
	if _, err := a.Dial("tcp", address+":80", short); err == nil || !strings.Contains(err.Error(), "timeout") && !strings.Contains(err.Error(), "no route") {
		t.Errorf("one session reaches the other: %v", err)
	}
	if _, err := b.Dial("tcp", address+":80", long); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a session does not reach itself, so the test shows nothing: %v", err)
	}
}

// fields reads a file of "Name:\tvalue" lines.
func fields(t *testing.T, p *minipack.Probe, path string) map[string]string {
	t.Helper()
	text, err := p.Read(path)
	noErr(t, err)
	all := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		all[name] = strings.Join(strings.Fields(value), " ")
	}
	return all
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

func owner(t *testing.T, path string) uint32 {
	t.Helper()
	var st unix.Stat_t
	noErr(t, unix.Lstat(path, &st))
	return st.Uid
}
