package kill

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/client"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/testkit/child"
	"github.com/medforge/medforge/pkg/testkit/ctrdtest"
	"github.com/medforge/medforge/pkg/testkit/gobuild"
	"github.com/medforge/medforge/pkg/testkit/minipack"
	"github.com/medforge/medforge/pkg/testkit/nettest"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// programDir holds the daemon with its fault points, which is built when the
// first test wants it.
var programDir string

var program = sync.OnceValues(func() (string, error) {
	out := filepath.Join(programDir, "medforged")
	return out, gobuild.To("github.com/medforge/medforge/cmd/medforged", out, "faultpoints")
})

func TestMain(m *testing.M) {
	var err error
	if programDir, err = os.MkdirTemp("", "mf-kill-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(programDir)
	os.Exit(code)
}

// patience bounds waiting for what a healthy machine does at once. The longest
// that the daemon itself waits for something of that kind is 15 s: until the
// next poll where an event was missed, or 10 s for containerd to clear away the
// task of a daemon that was killed as it made it, and 4 s for that task's shim
// to end. On a machine that is busy each takes a multiple; what takes this long
// hangs.
const patience = time.Minute

// world is one MedForge: the real daemon on a containerd of its own, with the
// small Pack, plain folders and simulated GPUs.
type world struct {
	t      *testing.T
	ctrd   *ctrdtest.Containerd
	dir    string // sockets and mounts
	data   string
	db     *store.DB
	raw    *sql.DB
	client *client.Client

	cmd    *exec.Cmd
	exited <-chan struct{}
	logs   watch.Output
	// unquiet lists what is not at rest, for the log of a wait in vain.
	unquiet func() []string
}

// newWorldOn prepares its data directory, if it is to, before the daemon sees it.
func newWorldOn(t *testing.T, cfg store.Config, prepare func(t *testing.T, dir string)) *world {
	t.Helper()
	ctrd := ctrdtest.Start(t)
	w := &world{t: t, ctrd: ctrd, dir: filepath.Join(ctrd.Dir, "h")}
	must(t, os.MkdirAll(w.dir, 0o711))
	w.data = fastDir(t)
	if prepare != nil {
		prepare(t, w.data)
	}
	database := fmt.Sprintf("driver = %q\n", cfg.Driver)
	if cfg.Driver == store.SQLite {
		cfg.Path = filepath.Join(w.data, "medforge.db")
	} else {
		database += fmt.Sprintf("dsn = %q\n", cfg.DSN)
	}
	config := fmt.Sprintf(`domain = "localhost"
data_dir = "%[9]s"
run_dir = "%[1]s/run"
socket = "%[2]s"
socket_group = ""
[http]
listen = "%[3]s"
shutdown_grace = "1s"
[database]
%[4]s
[containerd]
address = "%[5]s"
namespace = "%[6]s"
[network]
bridge = "%[7]s"
subnet = "%[8]s"
[log]
level = "warn"
[workspace]
driver = "dir"
min_free = "1M"
[gpu]
driver = "simulated"
[session]
per_user = 7
stop_grace = "5s"
`, w.dir, w.socket(), fmt.Sprintf("127.0.0.1:%d", nettest.FreePort(t)), database, ctrd.Address, ctrd.Namespace, ctrd.Bridge, ctrd.Subnet, w.data)
	must(t, os.WriteFile(w.config(), []byte(config), 0o600))
	var err error
	w.client, err = client.New(client.Options{Socket: w.socket(), Timeout: 20 * time.Second})
	must(t, err)
	t.Cleanup(w.client.Close)
	t.Cleanup(func() {
		w.end()
		if w.db != nil {
			_ = w.db.Close()
		}
		if w.raw != nil {
			_ = w.raw.Close()
		}
	})
	w.up("")
	w.db, err = store.Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	must(t, err)
	driver, dsn := "mysql", cfg.DSN
	if cfg.Driver == store.SQLite {
		driver, dsn = "sqlite", "file:"+cfg.Path+"?_pragma=busy_timeout(10000)"
	}
	w.raw, err = sql.Open(driver, dsn)
	must(t, err)
	archive := minipack.Build(t)
	_, err = w.client.ImportPack(t.Context(), bytes.NewReader(archive), int64(len(archive)), nil)
	must(t, err)
	return w
}

func (w *world) socket() string { return filepath.Join(w.dir, "d.sock") }
func (w *world) config() string { return filepath.Join(w.dir, "medforged.toml") }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fastDir is in memory where there is room: a kill is no power cut, so what a
// daemon wrote is there after it, synced or not.
func fastDir(t *testing.T) string {
	t.Helper()
	const shm, room = "/dev/shm", 1 << 30
	parent := ""
	var st syscall.Statfs_t
	if err := syscall.Statfs(shm, &st); err == nil && int64(st.Bavail)*st.Bsize > room {
		parent = shm
	}
	dir, err := os.MkdirTemp(parent, "mf-kill-data-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// up starts the daemon with a fault point armed, and waits until it answers;
// false: it has ended before, as an armed one may.
func (w *world) up(point string) bool {
	w.t.Helper()
	path, err := program()
	must(w.t, err)
	cmd := exec.Command(path, "--config", w.config())
	cmd.Env = append(os.Environ(), "MEDFORGE_FAULTPOINT="+point)
	cmd.Stderr = &w.logs
	ended, err := child.Start(cmd)
	must(w.t, err)
	w.cmd, w.exited = cmd, ended
	w.eventually("the daemon's socket", func() bool {
		c, err := net.Dial("unix", w.socket())
		if err == nil {
			_ = c.Close()
		}
		return err == nil || w.dead()
	})
	if w.dead() && point == "" {
		w.t.Fatalf("medforged ended:\n%s", w.log())
	}
	return !w.dead()
}

func (w *world) dead() bool {
	select {
	case <-w.exited:
		return true
	default:
		return false
	}
}

// kill is a power cut at whatever the daemon does now.
func (w *world) kill() {
	_ = w.cmd.Process.Kill() // it may have ended
	<-w.exited
}

// end stops every session and then the daemon, so that nothing must be left.
func (w *world) end() {
	t := w.t
	if t.Failed() {
		t.Logf("the daemon's log ends with:\n%s", w.log())
	}
	if w.cmd == nil {
		return
	}
	w.kill()
	if w.db == nil || !w.up("") {
		return
	}
	for _, row := range w.rows(session.Starting, session.Running) {
		if _, err := w.client.StopSession(context.Background(), row.ID); err != nil {
			t.Errorf("stopping %s: %v", row.Slug, err)
		}
	}
	w.eventually("the end of all sessions", func() bool { return len(w.rows(session.Starting, session.Running, session.Stopping)) == 0 })
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-w.exited:
	case <-time.After(patience):
		t.Errorf("medforged did not end by SIGTERM:\n%s", w.autopsy())
		w.kill()
	}
}

// rows are the sessions in these states; all of them without any.
func (w *world) rows(in ...session.Status) []session.Session {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	rows, err := w.db.Sessions().List(ctx, session.Filter{Statuses: in})
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

func (w *world) row(id string) session.Session {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	row, err := w.db.Sessions().Get(ctx, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return row
}

func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("never came: %s\n%s", what, w.autopsy())
		}
		time.Sleep(5 * time.Millisecond) // between looks at a condition
	}
}

// task is the session's main process, 0 for none.
func (w *world) task(slug string) (pid uint32) {
	c, err := w.ctrd.Client().LoadContainer(w.ctrd.Context(w.t), session.ContainerName(slug))
	if err != nil {
		return 0
	}
	task, err := c.Task(w.ctrd.Context(w.t), nil)
	if err != nil {
		return 0
	}
	return task.Pid()
}

// workspace is the host's folder with a session's files.
func (w *world) workspace(s session.Session) string {
	return filepath.Join(w.data, "workspaces", s.UserID, s.ID, "workspace")
}
