package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/testkit/minipack"
)

// host is a MedForge on a containerd of its own, from the archive's parts.
type host struct {
	*report
	parts    string
	dir      string
	rehearse bool
	config   string
	procs    []*program // in order of their start
	daemon   *program
}

type program struct {
	name   string
	cmd    *exec.Cmd
	exited chan struct{}
}

// newHost prepares everything and starts nothing.
func newHost(ctx context.Context, parts string, rehearse bool, r *report) (*host, error) {
	dir, err := os.MkdirTemp("", "mfgpu") // a socket's path must stay short
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil { // sessions' users pass through
		return nil, err
	}
	h := &host{report: r, parts: parts, dir: dir, rehearse: rehearse}
	did, err := ensureCgroups()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if did != "" {
		r.note("prepared", did)
	}
	snap, why := snapshotter(dir)
	if why != "" {
		r.note("root file systems", snap+", since "+why)
	}
	mode, why := networkMode()
	if why != "" {
		r.note("sessions' network", mode+", since "+why)
	}
	for name, args := range map[string][]string{"containerd": {"--version"}, "runc": {"--version"}, "medforged": {"--version"}} {
		out, err := exec.CommandContext(ctx, h.part(name), args...).CombinedOutput()
		line, _, _ := strings.Cut(string(out), "\n")
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s does not run here (%w): %s", name, err, line), os.RemoveAll(dir))
		}
		r.note(name, line)
	}
	slices.SortStableFunc(r.about[len(r.about)-3:], func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return h, h.configure(snap, mode)
}

func (h *host) part(name string) string { return filepath.Join(h.parts, "bin", name) }
func (h *host) socket() string          { return filepath.Join(h.dir, "d.sock") }
func (h *host) ctrd() string            { return filepath.Join(h.dir, "c.sock") }
func (h *host) log(name string) string  { return filepath.Join(h.dir, name+".log") }

// idleTimeout is how long a GPU gets to become clean.
const idleTimeout = 6 * time.Second

func (h *host) configure(snap, mode string) error {
	driver := "nvml"
	if h.rehearse {
		driver = "simulated"
	}
	containerd := fmt.Sprintf(`version = 2
root = "%[1]s/ctrd/root"
state = "%[1]s/ctrd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "%[2]s"
[plugins."io.containerd.internal.v1.opt"]
path = "%[1]s/ctrd/opt"
`, h.dir, h.ctrd())
	h.config = filepath.Join(h.dir, "medforged.toml")
	port, err := freePort()
	if err != nil {
		return err
	}
	medforged := fmt.Sprintf(`domain = "localhost"
data_dir = "%[1]s/data"
run_dir = "%[1]s/run"
socket = "%[2]s"
socket_group = ""
[http]
listen = "127.0.0.1:%[3]d"
[containerd]
address = "%[4]s"
snapshotter = "%[5]s"
[network]
mode = "%[6]s"
bridge = "mfgpu0"
subnet = "10.213.240.0/24"
cni_bin_dirs = ["%[7]s"]
[workspace]
driver = "dir"
[gpu]
driver = "%[8]s"
count = 2
cdi_spec_dirs = ["%[1]s/operator", "/etc/cdi", "/var/run/cdi"]
sample_interval = "1s"
idle_timeout = "%[9]s"
[session]
max_concurrent = 8
per_user = 8
[log]
level = "debug"
format = "text"
`, h.dir, h.socket(), port, h.ctrd(), snap, mode, filepath.Join(h.parts, "cni"), driver, idleTimeout)
	if !h.rehearse {
		medforged = strings.Replace(medforged, "count = 2\n", "", 1)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(h.dir, "containerd.toml"), []byte(containerd), 0o600),
		os.WriteFile(h.config, []byte(medforged), 0o600),
	)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// environment puts the archive's programs first. The library folder holds what
// runc needs beyond the C library.
func (h *host) environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "PATH=") || strings.HasPrefix(kv, "MEDFORGE")
	})
	return append(env, "PATH="+filepath.Join(h.parts, "bin")+":"+os.Getenv("PATH")+":/usr/sbin:/usr/bin:/sbin:/bin")
}

// start runs a program with its output in its log, events in a file beside it.
func (h *host) start(name string, env []string, args ...string) (*program, error) {
	log, err := os.OpenFile(h.log(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	events, err := os.OpenFile(h.log(name+".out"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer events.Close()
	cmd := exec.Command(h.part(name), args...)
	cmd.Env, cmd.Stderr, cmd.Stdout = env, log, events
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &program{name: name, cmd: cmd, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // its log says why it ended
		close(p.exited)
	}()
	h.procs = append(h.procs, p)
	return p, nil
}

// end ends a program: TERM, then KILL when ctx is over.
func (h *host) end(ctx context.Context, p *program) {
	h.procs = slices.DeleteFunc(h.procs, func(q *program) bool { return q == p })
	_ = p.cmd.Process.Signal(unix.SIGTERM) // it may have ended by itself
	select {
	case <-p.exited:
	case <-ctx.Done():
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

func (h *host) up(ctx context.Context) error {
	env := append(h.environment(), "LD_LIBRARY_PATH="+strings.TrimSuffix(filepath.Join(h.parts, "lib")+":"+os.Getenv("LD_LIBRARY_PATH"), ":"))
	ctrd, err := h.start("containerd", env, "-c", filepath.Join(h.dir, "containerd.toml"))
	if err != nil {
		return err
	}
	if err := h.await(ctx, ctrd, h.ctrd()); err != nil {
		return err
	}
	return h.daemonUp(ctx)
}

func (h *host) daemonUp(ctx context.Context) (err error) {
	if h.daemon, err = h.start("medforged", h.environment(), "--config", h.config); err != nil {
		return err
	}
	return h.await(ctx, h.daemon, h.socket())
}

// await waits until a program listens on its socket.
func (h *host) await(ctx context.Context, p *program, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return eventually(ctx, func() error {
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended: %s", p.name, h.tail(p.name))
		default:
		}
		c, err := net.Dial("unix", socket)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

func (h *host) tail(name string) string {
	text, err := os.ReadFile(h.log(name))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-1500):])
}

// eventually tries until f answers nil or ctx ends; the error is f's last.
func eventually(ctx context.Context, f func() error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (waited in vain: %w)", err, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// within is eventually with a time of its own.
func within(ctx context.Context, d time.Duration, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return eventually(ctx, f)
}

// medforge runs the program as a person would.
func (h *host) medforge(ctx context.Context, args ...string) (stdout string, code int, err error) {
	cmd := exec.CommandContext(ctx, h.part("medforge"), append([]string{"--socket", h.socket()}, args...)...)
	cmd.Env = h.environment()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	code = cmd.ProcessState.ExitCode()
	if err != nil {
		err = fmt.Errorf("medforge %s: exit %d: %s", strings.Join(args, " "), code, strings.TrimSpace(errOut.String()))
	}
	return out.String(), code, err
}

// ask runs medforge with -o json and reads its answer.
func (h *host) ask(ctx context.Context, v any, args ...string) error {
	out, _, err := h.medforge(ctx, append(args, "-o", "json")...)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(out), v)
}

func (h *host) gpus(ctx context.Context) ([]api.GPU, error) {
	var all []api.GPU
	return all, h.ask(ctx, &all, "gpu", "list")
}

// gpu is one device as gpu list shows it.
func (h *host) gpu(ctx context.Context, uuid string) (api.GPU, error) {
	all, err := h.gpus(ctx)
	if err != nil {
		return api.GPU{}, err
	}
	if i := slices.IndexFunc(all, func(g api.GPU) bool { return g.UUID == uuid }); i >= 0 {
		return all[i], nil
	}
	return api.GPU{}, fmt.Errorf("gpu list has no %s", uuid)
}

// inside talks to the stand-in of a session.
func (h *host) inside(slug string) *minipack.Probe {
	return minipack.NewProbe(filepath.Join(h.dir, "run", "sessions", slug))
}

// down ends sessions and programs, last started first.
func (h *host) down(ctx context.Context) {
	var sessions []api.Session
	if err := h.ask(ctx, &sessions, "session", "list", "--all"); err == nil {
		for _, s := range sessions {
			if !s.Status.Terminal() {
				if _, _, err := h.medforge(ctx, "session", "stop", s.Slug); err != nil {
					fmt.Fprintln(h.progress, err)
				}
			}
		}
	}
	for len(h.procs) > 0 {
		h.end(ctx, h.procs[len(h.procs)-1])
	}
}

// copyLogs puts the programs' logs where they stay.
func (h *host) copyLogs(to string) error {
	found, err := filepath.Glob(filepath.Join(h.dir, "*.log"))
	if err != nil {
		return err
	}
	session, err := filepath.Glob(filepath.Join(h.dir, "data", "logs", "*"))
	if err != nil {
		return err
	}
	specs, err := filepath.Glob(filepath.Join(h.dir, "run", "cdi", "*"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	var all bytes.Buffer
	for _, path := range slices.Concat(found, session, specs) {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(&all, "==== %s\n%s\n", filepath.Base(path), text)
	}
	f, err := os.Create(filepath.Join(to, "test-gpu.log"))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, &all)
	return errors.Join(err, f.Close())
}

// remove takes the folder away, and what is still mounted in it.
func (h *host) remove() {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		fmt.Fprintln(h.progress, err)
		return
	}
	lines := strings.Split(string(mounts), "\n")
	for _, line := range slices.Backward(lines) { // the last mounted first
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[4], h.dir+"/") {
			_ = unix.Unmount(f[4], unix.MNT_DETACH) // RemoveAll says what stays
		}
	}
	if err := os.RemoveAll(h.dir); err != nil {
		fmt.Fprintln(h.progress, err)
	}
}
