package mariadbtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/medforge/medforge/pkg/testkit/child"
)

const (
	startTimeout = 90 * time.Second
	stopTimeout  = 60 * time.Second
)

// Server is one private mariadbd.
type Server struct {
	dir string // data directory, socket and log
	dog *watchdog

	mu   sync.Mutex
	cmd  *exec.Cmd
	done <-chan struct{} // closed when cmd has ended
}

// DSN is how to reach a database of this server.
func (s *Server) DSN(database string) string {
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName = "root", "unix", s.socket(), database
	return c.FormatDSN()
}

// Running reports whether the server's process is alive.
func (s *Server) Running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.alive()
}

func (s *Server) alive() bool {
	if s.cmd == nil {
		return false
	}
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// Stop ends the server as an operator's restart does and waits until it is gone.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Fatalf("mariadbtest: stop: %v\n%s", err, s.logTail())
	}
}

// Kill ends it as a crash does.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if err := s.end(syscall.SIGKILL); err != nil {
		t.Fatalf("mariadbtest: kill: %v", err)
	}
}

// Freeze stops the process where it stands: connections stay open and nothing
// answers, as with a host that hangs. It returns when every thread stands.
func (s *Server) Freeze(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGSTOP)
	for end := time.Now().Add(stopTimeout); !s.frozen(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("mariadbtest: the server did not freeze")
		}
	}
}

// frozen reads the state of each thread: the letter after the name, which
// stands in brackets. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func (s *Server) frozen() bool {
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.cmd.Process.Pid))
	for _, f := range stats {
		b, err := os.ReadFile(f)
		if _, after, ok := bytes.Cut(b, []byte(") ")); err != nil || !ok || after[0] != 'T' {
			return false
		}
	}
	return err == nil && len(stats) > 0
}

// Thaw lets it go on.
func (s *Server) Thaw(t testing.TB) { t.Helper(); s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.alive() {
		t.Fatal("mariadbtest: the server does not run")
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("mariadbtest: %v: %v", sig, err)
	}
}

// Restart starts the server again on the same data after Stop or Kill and
// waits until it answers. Safe to call from another goroutine than the test's,
// which is why it returns its error.
func (s *Server) Restart() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	return s.start(ctx)
}

// launch makes a data directory and starts a server on it.
func launch(ctx context.Context) (_ *Server, err error) {
	dir, err := os.MkdirTemp(fastDir(), "mf-maria-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	if s.dog, err = newWatchdog(dir); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o700); err != nil {
		return nil, err
	}
	install := exec.CommandContext(ctx, "mariadb-install-db", append(s.common(),
		"--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=16M")...)
	if out, err := install.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mariadb-install-db (Debian's package mariadb-server is needed): %w\n%s", err, out)
	}
	return s, s.start(ctx)
}

func (s *Server) common() []string {
	// tmpdir: a starting mariadbd removes the temporary tables that it finds
	// there, those of a server that runs included.
	args := []string{"--no-defaults", "--datadir=" + filepath.Join(s.dir, "data"), "--tmpdir=" + filepath.Join(s.dir, "tmp")}
	if os.Geteuid() == 0 {
		args = append(args, "--user=root")
	}
	return args
}

// start runs mariadbd and waits until it answers. Durability is as in
// production; only sizes are small.
func (s *Server) start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alive() {
		return errors.New("the server runs already")
	}
	_ = os.Remove(s.socket()) // a killed server leaves it
	cmd := exec.Command("mariadbd", append(s.common(),
		"--socket="+s.socket(), "--pid-file="+filepath.Join(s.dir, "pid"), "--log-error="+s.logFile(),
		"--skip-networking", "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M",
		"--innodb-flush-log-at-trx-commit=1", "--innodb-flush-method=fsync", "--sync-binlog=0",
		"--skip-log-bin", "--performance-schema=OFF", "--max-connections=200",
		"--thread-cache-size=16", "--innodb-temp-data-file-path=ibtmp1:1M:autoextend")...)
	// A group of its own: an interrupt typed at the test does not reach it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	done, err := child.Start(cmd)
	if err != nil {
		return fmt.Errorf("start mariadbd (Debian's package mariadb-server is needed): %w", err)
	}
	s.cmd, s.done = cmd, done
	s.dog.watch(cmd.Process.Pid)
	return s.ready(ctx)
}

// ready waits until the server answers, or has ended.
func (s *Server) ready(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("mariadbd did not answer in time\n%s", s.logTail())
		case <-s.done:
			return fmt.Errorf("mariadbd ended\n%s", s.logTail())
		case <-tick.C:
		}
		if _, err := os.Stat(s.socket()); err == nil && s.admin("SELECT 1") == nil {
			return nil
		}
	}
}

func (s *Server) end(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.alive() {
		return nil
	}
	_ = s.cmd.Process.Signal(syscall.SIGCONT) // in case it is frozen
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.done:
		s.dog.watch(0)
		return nil
	case <-time.After(stopTimeout):
		return fmt.Errorf("mariadbd did not end after %v", sig)
	}
}

// close kills the server and removes all of it.
func (s *Server) close() {
	_ = s.end(syscall.SIGKILL)
	s.dog.release()
	_ = os.RemoveAll(s.dir)
}

func (s *Server) socket() string  { return filepath.Join(s.dir, "sock") }
func (s *Server) logFile() string { return filepath.Join(s.dir, "log") }

func (s *Server) logTail() string {
	b, _ := os.ReadFile(s.logFile())
	return string(b[max(0, len(b)-3000):])
}

// fastDir prefers memory: an fsync there costs nothing, and a killed server's
// writes survive in it just as in the page cache.
func fastDir() string {
	const shm, room = "/dev/shm", 2 << 30
	var st syscall.Statfs_t
	if err := syscall.Statfs(shm, &st); err == nil && int64(st.Bavail)*st.Bsize > room && syscall.Access(shm, 2) == nil {
		return shm
	}
	return ""
}
