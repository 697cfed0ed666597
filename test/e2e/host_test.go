// Package e2e runs MedForge whole: the real programs on a containerd of the
// test's own, with the default Pack.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/testkit/child"
	"github.com/medforge/medforge/pkg/testkit/ctrdtest"
	"github.com/medforge/medforge/pkg/testkit/nettest"
	"github.com/medforge/medforge/pkg/testkit/promised"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// programs is the folder with medforge and medforged.
func programs(t testing.TB) string {
	t.Helper()
	return promised.Env(t, "MEDFORGE_TEST_BIN", "the folder with medforge and medforged")
}

// host is a MedForge on a containerd of its own.
type host struct {
	t      testing.TB
	ctrd   *ctrdtest.Containerd
	bin    string
	dir    string
	port   int
	mu     sync.Mutex
	cmd    *exec.Cmd
	exited <-chan struct{}
	logs   watch.Output
	outLog watch.Output
}

// newHost makes a host whose daemon runs. more is added to its configuration.
func newHost(t testing.TB, more string) *host {
	t.Helper()
	h := newHostDown(t, more)
	t.Cleanup(h.down)
	h.up()
	return h
}

// newHostDown makes a host whose daemon does not run yet. Who starts it has it
// ended by down.
func newHostDown(t testing.TB, more string) *host {
	t.Helper()
	h := &host{t: t, bin: programs(t)}
	h.ctrd = ctrdtest.Start(t)
	dir, err := os.MkdirTemp("", "mf-e2e-") // not t.TempDir: a socket's path must stay short
	if err != nil {
		t.Fatal(err)
	}
	h.dir = dir
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	h.port = nettest.FreePort(t)
	config := fmt.Sprintf(`domain = "localhost"
data_dir = "%[1]s/data"
run_dir = "%[1]s/run"
socket = "%[1]s/d.sock"
socket_group = ""
[http]
listen = "127.0.0.1:%[2]d"
shutdown_grace = "2s"
[containerd]
address = "%[3]s"
namespace = "%[4]s"
[network]
bridge = "%[5]s"
subnet = "%[6]s"
[workspace]
driver = "dir"
[gpu]
driver = "simulated"
%[7]s`, dir, h.port, h.ctrd.Address, h.ctrd.Namespace, h.ctrd.Bridge, h.ctrd.Subnet, more)
	if err := os.WriteFile(filepath.Join(dir, "medforged.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

// up starts the daemon and waits until it serves.
func (h *host) up() {
	h.t.Helper()
	cmd := exec.Command(filepath.Join(h.bin, "medforged"), "--config", filepath.Join(h.dir, "medforged.toml"))
	cmd.Stdout, cmd.Stderr = &h.outLog, &h.logs
	exited, err := child.Start(cmd)
	if err != nil {
		h.t.Fatal(err)
	}
	h.mu.Lock()
	h.cmd, h.exited = cmd, exited
	h.mu.Unlock()
	h.eventually("the daemon's socket", func() bool {
		select {
		case <-exited:
			h.t.Fatalf("medforged ended:\n%s", h.log())
		default:
		}
		c, err := net.Dial("unix", h.socket())
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

func (h *host) log() string {
	text := h.logs.String()
	return text[max(0, len(text)-6000):]
}

// events returns the event lines so far.
func (h *host) events() string {
	return h.outLog.String()
}

func (h *host) socket() string { return filepath.Join(h.dir, "d.sock") }

// signal ends the daemon and waits for its end.
func (h *host) signal(sig syscall.Signal) {
	h.t.Helper()
	h.mu.Lock()
	cmd, exited := h.cmd, h.exited
	h.cmd = nil
	h.mu.Unlock()
	if cmd == nil {
		return
	}
	if err := cmd.Process.Signal(sig); err != nil {
		h.t.Logf("signal: %v", err)
	}
	select {
	case <-exited:
	case <-time.After(60 * time.Second):
		_ = cmd.Process.Kill()
		<-exited
		h.t.Errorf("medforged did not end by %s:\n%s", sig, h.log())
	}
}

// down stops every session, then the daemon.
func (h *host) down() {
	if h.t.Failed() {
		h.t.Logf("medforged's log:\n%s", h.log())
	}
	h.mu.Lock()
	alive := h.cmd != nil
	h.mu.Unlock()
	if !alive {
		h.up()
	}
	for _, s := range h.sessions("--all") {
		if s.Status == "running" || s.Status == "starting" || s.Status == "stopping" {
			if _, errOut, code := h.run("session", "stop", s.Slug); code != 0 {
				h.t.Errorf("stop %s: %d %s", s.Slug, code, errOut)
			}
		}
	}
	h.signal(syscall.SIGTERM)
}

// run runs medforge against this host.
func (h *host) run(args ...string) (stdout, stderr string, code int) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(h.bin, "medforge"), append([]string{"--socket", h.socket()}, args...)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if _, ok := err.(*exec.ExitError); err != nil && !ok {
		h.t.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// must is run for what must succeed.
func (h *host) must(args ...string) string {
	h.t.Helper()
	out, errOut, code := h.run(args...)
	if code != 0 {
		h.t.Fatalf("medforge %s: exit %d\n%s%s\nthe daemon's log:\n%s", strings.Join(args, " "), code, out, errOut, h.log())
	}
	return out
}

func (h *host) sessions(args ...string) []api.Session {
	h.t.Helper()
	var list []api.Session
	h.decode(h.must(append([]string{"session", "list", "-o", "json"}, args...)...), &list)
	return list
}

func (h *host) session(slug string) api.Session {
	h.t.Helper()
	var s api.Session
	h.decode(h.must("session", "show", slug, "-o", "json"), &s)
	return s
}

func (h *host) decode(text string, v any) {
	h.t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		h.t.Fatalf("%v in %s", err, text)
	}
}

// start starts a session and returns it, running.
func (h *host) start(args ...string) api.Session {
	h.t.Helper()
	var s api.Session
	h.decode(h.must(append([]string{"session", "start", "-o", "json"}, args...)...), &s)
	if s.Status != "running" {
		h.t.Fatalf("started session is %s", s.Status)
	}
	return s
}

// link makes a one-time link.
func (h *host) link(slug string) string {
	h.t.Helper()
	var l struct {
		URL string `json:"url"`
	}
	h.decode(h.must("session", "open", slug, "-o", "json"), &l)
	return l.URL
}

// workspace is the folder with a session's files on the host.
func (h *host) workspace(s api.Session) string {
	return filepath.Join(h.dir, "data", "workspaces", s.UserID, s.ID, "workspace")
}

func (h *host) eventually(what string, ok func() bool) {
	h.t.Helper()
	watch.Until(h.t, what, ok, func() string { return "the daemon's log:\n" + h.log() })
}

// get asks the public listener by a Host header.
func (h *host) get(hostName, path string, cookies ...*http.Cookie) *http.Response {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", h.port, path), nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Host = hostName
	for _, c := range cookies {
		req.AddCookie(c)
	}
	client := http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}
