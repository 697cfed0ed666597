// Package doctor looks at the prerequisites of a MedForge host that can be
// seen without the daemon, and says of each that is missing what mends it.
package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/medforge/medforge/pkg/api"
)

// Host is where to look. The paths and names are the daemon's configuration;
// the functions are the system's.
type Host struct {
	Socket      string // the daemon's
	SocketGroup string // may use it; empty: root alone
	Containerd  string // its socket
	CNIBinDirs  []string
	Simulated   bool // no NVIDIA driver is wanted
	// Assumed says that the configuration could not be read and the paths are
	// the defaults: what is missing then may be elsewhere.
	Assumed bool
	Domain  string
	DataDir string
	Root    string // before /proc and /sys, for tests; empty is the real one

	Lookup func(ctx context.Context, host string) ([]string, error) // net.DefaultResolver's
	Run    func(ctx context.Context, name string, args ...string) (string, error)
	Clock  func() (synchronised, known bool)
	Space  func(path string) (free, total uint64, err error)
}

// System fills in the functions of the real system.
func (h Host) System() Host {
	h.Lookup = net.DefaultResolver.LookupHost
	h.Run = func(ctx context.Context, name string, args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, name, args...).Output()
		return string(out), err
	}
	h.Clock, h.Space = clock, space
	return h
}

// checkTime bounds one check. It is long for a program that says its version,
// and short for a person; a busy host takes seconds to load one.
const checkTime = 15 * time.Second

// Checks looks at everything, at the same time, and returns what was found in
// a fixed order.
func (h Host) Checks(ctx context.Context) []api.Check {
	all := []func(context.Context) api.Check{
		h.socket, h.containerd, h.runc, h.controlGroups, h.cni, h.nvidia, h.names, h.clock, h.disk,
	}
	out := make([]api.Check, len(all))
	var wg sync.WaitGroup
	for i, check := range all {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, checkTime)
			defer cancel()
			out[i] = check(ctx)
		})
	}
	wg.Wait()
	return out
}

func ok(name, format string, args ...any) api.Check {
	return api.Check{Name: name, Status: api.CheckOK, Detail: fmt.Sprintf(format, args...)}
}

func warn(name, fix, format string, args ...any) api.Check {
	return api.Check{Name: name, Status: api.CheckWarn, Fix: fix, Detail: fmt.Sprintf(format, args...)}
}

func fail(name, fix, format string, args ...any) api.Check {
	return api.Check{Name: name, Status: api.CheckFail, Fix: fix, Detail: fmt.Sprintf(format, args...)}
}

func (h Host) containerd(ctx context.Context) api.Check {
	const name = "containerd"
	conn, err := new(net.Dialer).DialContext(ctx, "unix", h.Containerd)
	version, _ := h.version(ctx, "containerd", "--version") // its place is not certain; the socket decides
	switch {
	case os.IsPermission(err):
		return warn(name, "sudo medforge doctor", "its socket %s is for root; whether it answers cannot be seen from here %s", h.Containerd, version)
	case err != nil && version == "":
		return h.missing(name, "apt-get install containerd runc", "it is not installed, and nothing answers at %s", h.Containerd)
	case err != nil:
		return h.missing(name, "systemctl enable --now containerd", "installed (%s), but nothing answers at %s", version, h.Containerd)
	}
	conn.Close()
	return ok(name, "answers at %s %s", h.Containerd, version)
}

// missing is a failure, or a warning where another path may be configured.
func (h Host) missing(name, fix, format string, args ...any) api.Check {
	if h.Assumed {
		return warn(name, fix, format+" (default path; the daemon's configuration cannot be read from here)", args...)
	}
	return fail(name, fix, format, args...)
}

// version runs a program for the first line of its answer.
func (h Host) version(ctx context.Context, program string, args ...string) (string, error) {
	out, err := h.Run(ctx, program, args...)
	line, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
	return line, err
}

func (h Host) runc(ctx context.Context) api.Check {
	version, err := h.version(ctx, "runc", "--version")
	switch {
	case err != nil && ctx.Err() != nil:
		return warn("runc", "medforge doctor", "runc --version did not end within %v: the host is very busy; look again", checkTime)
	case err != nil:
		return fail("runc", "apt-get install runc", "the program runc cannot be run: %v", err)
	}
	return ok("runc", "%s", version)
}

// cniPlugins are those that a session's network is made of.
var cniPlugins = [...]string{"bridge", "host-local", "loopback"}

func (h Host) cni(context.Context) api.Check {
	if len(h.CNIBinDirs) == 0 {
		return ok("CNI plugins", "not needed: sessions have no network")
	}
	var found, missing []string
	for _, p := range cniPlugins {
		where := ""
		for _, dir := range h.CNIBinDirs {
			if st, err := os.Stat(filepath.Join(dir, p)); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
				where = dir
				break
			}
		}
		if where == "" {
			missing = append(missing, p)
			continue
		}
		found = append(found, filepath.Join(where, p))
	}
	if len(missing) > 0 {
		return h.missing("CNI plugins", "apt-get install containernetworking-plugins",
			"%s not found in %s", strings.Join(missing, ", "), strings.Join(h.CNIBinDirs, ", "))
	}
	return ok("CNI plugins", "%s", strings.Join(found, ", "))
}

func (h Host) nvidia(context.Context) api.Check {
	const name = "NVIDIA driver"
	raw, err := os.ReadFile(h.Root + "/proc/driver/nvidia/version")
	line, _, _ := strings.Cut(string(raw), "\n")
	line = strings.Join(strings.Fields(line), " ")
	switch {
	case err == nil:
		return ok(name, "%s", line)
	case h.Simulated:
		return ok(name, "not needed: the GPUs are simulated")
	case !os.IsNotExist(err):
		return warn(name, "", "cannot be seen: %v", err)
	}
	return h.missing(name, `install the driver (apt-get install nvidia-driver); to try MedForge without: driver = "simulated" under [gpu]`, "not loaded")
}

// namesOf are the three forms of host names that must lead here.
func namesOf(domain string) [3]string {
	return [3]string{"medforge." + domain, "api.medforge." + domain, "s-aaaaaaaa.medforge." + domain}
}

func (h Host) names(ctx context.Context) api.Check {
	const name = "host names"
	hosts := namesOf(h.Domain)
	if h.Domain == "localhost" || strings.HasSuffix(h.Domain, ".localhost") {
		// RFC 6761, 6.3: no name server is to be asked for these.
		return ok(name, "%s: browsers find these here by themselves; other programs may not", strings.Join(hosts[:], ", "))
	}
	var addrs [len(hosts)]string
	var wg sync.WaitGroup
	for i, host := range hosts {
		wg.Go(func() {
			if found, err := h.Lookup(ctx, host); err == nil && len(found) > 0 {
				addrs[i] = found[0]
			}
		})
	}
	wg.Wait()
	var lost, found []string
	for i, host := range hosts {
		if addrs[i] == "" {
			lost = append(lost, host)
			continue
		}
		found = append(found, host+" is "+addrs[i])
	}
	if len(lost) > 0 {
		return h.missing(name, fmt.Sprintf("in DNS, or /etc/hosts, point medforge.%[1]s and *.medforge.%[1]s to this host", h.Domain),
			"not found: %s", strings.Join(lost, ", "))
	}
	return ok(name, "%s", strings.Join(found, ", "))
}

func (h Host) clock(context.Context) api.Check {
	synchronised, known := h.Clock()
	switch {
	case !known:
		return warn("clock", "", "whether it is synchronised cannot be seen here")
	case !synchronised:
		return warn("clock", "timedatectl set-ntp true", "not synchronised: daily limits and expiry follow it")
	}
	return ok("clock", "synchronised")
}

// Below these, space runs out soon, or has.
const (
	littleSpace = 20 << 30
	noSpace     = 2 << 30
)

func (h Host) disk(context.Context) api.Check {
	dir := h.DataDir
	for {
		_, err := os.Stat(dir)
		if !os.IsNotExist(err) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir) // it will be made there
	}
	free, total, err := h.Space(dir)
	if err != nil {
		return warn("disk space", "", "cannot be seen at %s: %v", dir, err)
	}
	text := fmt.Sprintf("%d GiB of %d GiB free at %s", free>>30, total>>30, dir)
	switch {
	case free < noSpace:
		return fail("disk space", "free some space; sessions' images and files need it", "%s", text)
	case free < littleSpace:
		return warn("disk space", "free some space; a Pack alone takes 2 GiB and more", "%s", text)
	}
	return ok("disk space", "%s", text)
}

func (h Host) socket(context.Context) api.Check {
	const name = "socket"
	st, err := os.Stat(h.Socket)
	switch {
	case os.IsNotExist(err):
		return fail(name, "systemctl enable --now medforged", "%s is not there", h.Socket)
	case err != nil:
		return fail(name, "", "%v", err)
	case st.Mode().Type() != fs.ModeSocket:
		return fail(name, "remove it and restart: systemctl restart medforged", "%s is no socket", h.Socket)
	}
	return h.socketRights(name, st)
}
