package kill

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/store/storetest"
	"github.com/medforge/medforge/pkg/testkit/mariadbtest"
	"github.com/medforge/medforge/pkg/testkit/minipack"
)

// newCourse is a world whose daemon runs, with nothing armed.
func newCourse(t *testing.T, cfg store.Config) *course { return newCourseOn(t, cfg, nil) }

// newCourseOn has its data directory on a disk that prepare makes.
func newCourseOn(t *testing.T, cfg store.Config, prepare func(t *testing.T, dir string)) *course {
	return drive(newWorldOn(t, cfg, prepare), rand.New(rand.NewPCG(1, 1)))
}

func smallDisk(t *testing.T, dir string) {
	t.Helper()
	must(t, unix.Mount("small", dir, "tmpfs", 0, "size=48m"))
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
}

// begin starts a session and waits until it runs.
func (c *course) begin() session.Session {
	c.t.Helper()
	id := c.start()
	c.eventually("a running session", func() bool { return c.quiet() })
	c.check()
	return c.row(id)
}

// degraded waits until the health says that a part is not well, and returns why.
func (c *course) degraded(part string) (why string) {
	c.t.Helper()
	c.eventually(part+" is said to be not well", func() bool {
		h, err := c.client.Health(c.t.Context())
		if err != nil {
			return false
		}
		i := slices.IndexFunc(h.Parts, func(d api.Degradation) bool { return d.Part == part })
		if i >= 0 {
			why = h.Parts[i].Why
		}
		return i >= 0
	})
	return why
}

func (c *course) well() {
	c.t.Helper()
	c.eventually("all is well again by itself", func() bool {
		h, err := c.client.Health(c.t.Context())
		return err == nil && h.Status == api.HealthOK
	})
}

// refused wants an error of a kind whose message a person can act on.
func (c *course) refused(what string, err error, kind fault.Kind, says string) {
	c.t.Helper()
	if !fault.Is(err, kind) || !strings.Contains(err.Error(), says) {
		c.t.Errorf("%s: %v (%s), want %s with %q", what, err, fault.KindOf(err), kind, says)
	}
}

// The database is away: sessions run on, whoever asks is told, and when it is
// back all goes on by itself, a stop in hand included.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	srv := mariadbtest.Start(t)
	c := newCourse(t, store.Config{Driver: store.MySQL, DSN: srv.Database(t)})
	s, other := c.begin(), c.begin()
	pid := c.task(s.Slug)
	srv.Stop(t)
	if why := c.degraded("database"); !strings.Contains(why, "does not answer") {
		t.Errorf("degraded: %q", why)
	}
	_, err := c.client.StartSession(t.Context(), api.SessionCreate{})
	c.refused("a start", err, fault.Unavailable, "database does not answer")
	_, err = c.client.StopSession(t.Context(), s.ID)
	c.refused("a stop", err, fault.Unavailable, "database does not answer")
	if c.task(s.Slug) != pid {
		t.Error("the session did not outlive its database")
	}
	must(t, srv.Restart())
	c.well()
	// It goes again while sessions stop.
	for _, row := range []session.Session{s, other} {
		c.stop(row)
	}
	srv.Kill(t)
	c.degraded("database")
	must(t, srv.Restart())
	c.eventually("the stops go on", c.quiet)
	c.well()
	c.check()
}

// MariaDB is restarted again and again under people who start and stop: what
// was answered 2xx has happened.
func TestDatabaseRestartedUnderLoad(t *testing.T) {
	t.Parallel()
	srv := mariadbtest.Start(t)
	c := newCourse(t, store.Config{Driver: store.MySQL, DSN: srv.Database(t)})
	ctx, done := context.WithCancel(t.Context())
	defer done()
	var mu sync.Mutex
	stopped := map[string]bool{} // by id: the stop was answered 2xx
	var refusals atomic.Int64
	var people sync.WaitGroup
	for range 4 {
		people.Go(func() {
			for ctx.Err() == nil {
				s, err := c.client.StartSession(t.Context(), api.SessionCreate{})
				if err != nil {
					if !away(err) && !fault.Is(err, fault.LimitReached) {
						t.Errorf("a start: %v", err)
						return
					}
					refusals.Add(1)
					time.Sleep(10 * time.Millisecond) // a person's pause
					continue
				}
				_, err = c.client.StopSession(t.Context(), s.ID)
				if err != nil && !away(err) {
					t.Errorf("a stop: %v", err)
				}
				mu.Lock()
				stopped[s.ID] = err == nil
				mu.Unlock()
			}
		})
	}
	answered := func() int { mu.Lock(); defer mu.Unlock(); return len(stopped) }
	for i := range 4 {
		n := answered()
		c.eventually("more answers", func() bool { return answered() > n+2 })
		if i%2 == 0 {
			srv.Kill(t)
		} else {
			srv.Stop(t)
		}
		before := refusals.Load()
		c.eventually("somebody is refused", func() bool { return refusals.Load() > before })
		must(t, srv.Restart())
	}
	done()
	people.Wait()
	c.well()
	for id, ok := range stopped {
		c.know(id).may = []session.Status{session.Stopped}
		if !ok {
			c.know(id).may = []session.Status{session.Stopped, session.Running}
		}
		_ = c.row(id) // fails the test when a start that was answered is lost
	}
	c.eventually("everything comes to rest", c.quiet)
	c.check()
	t.Logf("%d sessions, %d refusals", len(stopped), refusals.Load())
}

// away is what a person is told while the database does not answer.
func away(err error) bool { return fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Timeout) }

// containerd is restarted: sessions run on, whoever asks is told, and an end
// that nobody saw is found.
func TestContainerdRestarted(t *testing.T) {
	t.Parallel()
	c := newCourse(t, store.Config{Driver: store.SQLite})
	s, other := c.begin(), c.begin()
	pid := c.task(s.Slug)
	c.ctrd.Kill(t)
	if why := c.degraded("containerd"); !strings.Contains(why, "containerd") {
		t.Errorf("degraded: %q", why)
	}
	_, err := c.client.StartSession(t.Context(), api.SessionCreate{})
	c.refused("a start", err, fault.Unavailable, "containerd")
	if got := c.row(s.ID); got.Status != session.Running {
		t.Errorf("the session is %s", got.Status)
	}
	must(t, syscall.Kill(int(c.know(other.ID).pid), syscall.SIGKILL))
	c.know(other.ID).may = []session.Status{session.Error}
	c.ctrd.Run(t)
	c.ctrd.WaitReady(t)
	c.well()
	c.eventually("the end that nobody saw", c.quiet)
	if c.task(s.Slug) != pid {
		t.Error("the session did not outlive containerd")
	}
	c.begin()
	c.check()
}

// A container that ignores SIGTERM is killed after its grace; its files stay.
func TestIgnoresSIGTERM(t *testing.T) {
	t.Parallel()
	c := newCourse(t, store.Config{Driver: store.SQLite})
	s := c.begin()
	must(t, minipack.NewProbe(filepath.Join(c.dir, "run", "sessions", s.Slug)).IgnoreTerm())
	c.stop(s)
	c.eventually("its end", c.quiet)
	c.check()
}

// A shim that died takes its session with it, which is said; the files stay.
func TestShimDies(t *testing.T) {
	t.Parallel()
	c := newCourse(t, store.Config{Driver: store.SQLite})
	s := c.begin()
	c.know(s.ID).may = []session.Status{session.Error}
	must(t, syscall.Kill(c.shim(s.Slug), syscall.SIGKILL))
	c.eventually("its end", c.quiet)
	c.check()
	if row := c.row(s.ID); row.StopReason != session.ReasonContainerDeath || !strings.Contains(row.ErrorMessage, "main process") {
		t.Errorf("%s: %q", row.StopReason, row.ErrorMessage)
	}
}

// shim is the process of a session's shim.
func (c *course) shim(slug string) int {
	c.t.Helper()
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		body, _ := os.ReadFile(f)
		if args := strings.Split(string(body), "\x00"); slices.Contains(args, c.ctrd.Address) && slices.Contains(args, session.ContainerName(slug)) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			must(c.t, err)
			return pid
		}
	}
	c.t.Fatalf("session %s has no shim", slug)
	return 0
}

// A second daemon on one data directory refuses, and the first does not notice.
func TestTwoDaemons(t *testing.T) {
	t.Parallel()
	c := newCourse(t, store.Config{Driver: store.SQLite})
	c.begin()
	path, err := program()
	must(t, err)
	for _, args := range [][]string{{}, {"restore", os.DevNull}} {
		cmd := exec.CommandContext(t.Context(), path, append([]string{"--config", c.config()}, args...)...)
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "Another medforged works on "+c.data) ||
			!strings.Contains(string(out), "systemctl stop medforged") {
			t.Errorf("medforged %v beside another: %v\n%s", args, err, out)
		}
	}
	c.check()
}

// The disk is full: starts are refused, a stop's snapshot fails and says why,
// the workspace is untouched, and with room again all goes on. The database,
// with SQLite, is on the same disk.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	storetest.Both(t, func(t *testing.T, cfg store.Config) {
		c := newCourseOn(t, cfg, smallDisk)
		s := c.begin()
		fill := filepath.Join(c.data, "filler")
		fillUp(t, fill)
		_, err := c.client.StartSession(t.Context(), api.SessionCreate{})
		c.refused("a start", err, fault.OutOfSpace, "has 0 MiB left")
		c.know(s.ID).may = []session.Status{session.Error}
		k := c.know(s.ID)
		_, stopErr := c.client.StopSession(t.Context(), s.ID)
		if cfg.Driver == store.SQLite && stopErr != nil {
			// The stop itself could not be recorded, and that was said.
			c.refused("a stop", stopErr, fault.OutOfSpace, "no space left")
			k.may = []session.Status{session.Running}
			must(t, os.Remove(fill))
			c.well()
			c.stop(s)
			c.eventually("the stop with room again", c.quiet)
			c.check()
			return
		}
		must(t, stopErr)
		c.eventually("the stop on a full disk", c.quiet)
		row := c.row(s.ID)
		if row.StopReason != session.ReasonSnapshotFailed || !strings.Contains(row.ErrorMessage, "untouched") || !strings.Contains(row.ErrorMessage, "space") {
			t.Errorf("%s: %q", row.StopReason, row.ErrorMessage)
		}
		if text, err := os.ReadFile(filepath.Join(c.workspace(row), "mine")); err != nil || string(text) != k.file {
			t.Errorf("the workspace holds %q, %v", text, err)
		}
		must(t, os.Remove(fill))
		c.well()
		delete(c.known, s.ID)
		k = c.know(s.ID)
		k.may, k.swept = []session.Status{session.Error}, true
		c.begin()
	})
}

// fillUp writes until nothing more fits.
func fillUp(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}

// A running container whose row is gone, and its workspace: people's work may
// be in both, so they are reported, by admin reconcile and by the doctor, and
// stay. When its process has ended the container goes and the files still stay.
func TestOrphansAreReported(t *testing.T) {
	t.Parallel()
	c := newCourse(t, store.Config{Driver: store.SQLite})
	s := c.begin()
	c.kill()
	for _, q := range []string{"DELETE FROM gpu_claims", "DELETE FROM host_slots", "DELETE FROM user_slots", "DELETE FROM sessions"} {
		_, err := c.raw.ExecContext(t.Context(), q)
		must(t, err)
	}
	c.up("")
	reported := func(want ...string) {
		t.Helper()
		report, err := c.client.Reconcile(t.Context())
		must(t, err)
		var got []string
		for _, o := range report.Orphans {
			if !o.Removed {
				got = append(got, o.Kind+" "+o.Name)
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("reported: %v, want %v", got, want)
		}
	}
	doctor := func(status api.CheckStatus, fix string) {
		t.Helper()
		checks, err := c.client.Doctor(t.Context())
		must(t, err)
		i := slices.IndexFunc(checks, func(x api.Check) bool { return x.Name == "orphans" })
		if i < 0 || checks[i].Status != status || !strings.Contains(checks[i].Fix, fix) || !strings.Contains(checks[i].Detail, "workspace "+s.UserID) {
			t.Errorf("the doctor says: %+v", checks)
		}
	}
	reported("container "+session.ContainerName(s.Slug), "workspace "+s.UserID+"/"+s.ID)
	doctor(api.CheckFail, "tasks kill")
	if pid := c.task(s.Slug); pid != c.know(s.ID).pid {
		t.Fatalf("the container's process is %d and was %d", pid, c.know(s.ID).pid)
	}
	next := c.row(c.start())
	c.eventually("a session beside it", c.quiet)
	if next.GPUUUID == s.GPUUUID {
		t.Error("a GPU that the orphan uses was given away")
	}
	// A row that is active and holds nothing.
	for _, q := range []string{"DELETE FROM user_slots WHERE session_id = ?", "DELETE FROM host_slots WHERE session_id = ?", "DELETE FROM gpu_claims WHERE session_id = ?",
		"UPDATE sessions SET created_at = created_at - 120000000 WHERE id = ?"} {
		_, err := c.raw.ExecContext(t.Context(), q, next.ID)
		must(t, err)
	}
	reported("container "+session.ContainerName(s.Slug), "row "+next.Slug, "workspace "+s.UserID+"/"+s.ID)
	c.know(next.ID).may = []session.Status{session.Stopped}
	_, err := c.client.StopSession(t.Context(), next.ID)
	must(t, err)
	c.eventually("its stop", c.quiet)
	must(t, syscall.Kill(int(c.know(s.ID).pid), syscall.SIGKILL))
	c.eventually("the container is taken away", func() bool {
		_, err := c.client.Reconcile(t.Context())
		must(t, err)
		return c.task(s.Slug) == 0
	})
	reported("workspace " + s.UserID + "/" + s.ID)
	doctor(api.CheckWarn, "never deletes")
	if text, err := os.ReadFile(filepath.Join(c.workspace(s), "mine")); err != nil || string(text) != c.know(s.ID).file {
		t.Errorf("the workspace holds %q, %v", text, err)
	}
}
