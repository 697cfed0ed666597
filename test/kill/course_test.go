package kill

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/session"
)

// course drives a world through its lives and remembers what must be true.
type course struct {
	*world
	rng   *rand.Rand
	known map[string]*known // by session id
	hits  map[string]int    // kills by fault point
	last  []life
}

// drive takes the wheel of a world.
func drive(w *world, rng *rand.Rand) *course {
	c := &course{world: w, rng: rng, known: map[string]*known{}, hits: map[string]int{}}
	w.unquiet = c.restless
	return c
}

// known is what the test knows of a session.
type known struct {
	may  []session.Status // states it may rest in; nil: any
	pid  uint32           // of its main process, once it was seen running
	file string           // what its workspace holds, once that was written
	// snaps are its snapshots that were seen: none may ever be lost.
	snaps map[string]string
	swept bool // ended without a snapshot, as the test wanted
}

// mostRunning keeps room for a start.
const mostRunning = 4

// live is one life: what the life before left is brought right, then the
// action, and the kill. False: the daemon did not come past the fault point
// and was killed when the action was done.
func (c *course) live(l life) bool {
	c.t.Helper()
	if l.action == orphan {
		c.makeOrphan()
	}
	hit := c.run(l)
	if hit {
		c.hits[l.point]++
	} else {
		c.kill()
	}
	return hit
}

func (c *course) run(l life) (hit bool) {
	c.t.Helper()
	if !c.up(l.point) || !c.settle() {
		return true // killed while it brought things right
	}
	c.check()
	if c.t.Failed() {
		return false
	}
	switch l.action {
	case start:
		c.makeRoom()
		c.start()
	case stop:
		c.stop(c.someRunning())
	case busy:
		if c.stop(c.someRunning()); !c.dead() {
			c.start()
		}
	case die:
		c.killTask(c.someRunning())
	case cancel:
		for range 3 { // a start can be faster than its stop
			c.makeRoom()
			c.cancel()
			c.eventually("the kill, or the end of: "+l.String(), func() bool { return c.dead() || c.quiet() })
		}
	}
	if l.point == "" {
		time.Sleep(l.after) // the moment of the kill
		return false
	}
	c.eventually("the kill, or the end of: "+l.String(), func() bool { return c.dead() || c.quiet() })
	select { // some points come right after the last row is written
	case <-c.exited:
		return true
	case <-time.After(3 * time.Second):
		return false
	}
}

// settle waits until the daemon has brought rows and reality together. False:
// it was killed meanwhile.
func (c *course) settle() bool {
	c.t.Helper()
	c.eventually("quiet after a restart", func() bool { return c.dead() || c.quiet() })
	if c.dead() {
		return false
	}
	report, err := c.client.Reconcile(c.t.Context())
	if err != nil {
		return !c.diesNow(err)
	}
	for _, o := range report.Orphans {
		if !o.Removed {
			c.t.Errorf("an orphan that stays: %+v", o)
		}
	}
	c.eventually("quiet after a reconciliation", func() bool { return c.dead() || c.quiet() })
	return !c.dead()
}

// diesNow tells an error that comes of the kill from one of the daemon.
func (c *course) diesNow(err error) bool {
	select {
	case <-c.exited:
		return true
	case <-time.After(5 * time.Second):
		c.t.Errorf("the daemon lives and answers: %v", err)
		return false
	}
}

func (c *course) quiet() bool { return len(c.restless()) == 0 }

// restless lists the sessions that are on their way, or rest where they may not.
func (c *course) restless() (out []string) {
	for _, row := range c.rows(session.Starting, session.Running, session.Stopping) {
		k := c.known[row.ID]
		if unwanted := k != nil && k.may != nil && !slices.Contains(k.may, row.Status); row.Status != session.Running || unwanted {
			out = append(out, fmt.Sprintf("session %s is %s (%s %q)", row.Slug, row.Status, row.StopReason, row.ErrorMessage))
		}
	}
	return out
}

func (c *course) know(id string) *known {
	k := c.known[id]
	if k == nil {
		k = &known{snaps: map[string]string{}}
		c.known[id] = k
	}
	return k
}

// start asks for a session, one in two from a snapshot of another.
func (c *course) start() (id string) {
	var from string
	if stopped := c.rows(session.Stopped); len(stopped) > 0 && c.rng.IntN(2) == 0 {
		if row := stopped[c.rng.IntN(len(stopped))]; len(c.know(row.ID).snaps) > 0 {
			from = row.ID
		}
	}
	s, err := c.client.StartSession(c.t.Context(), api.SessionCreate{From: from})
	if err != nil {
		c.diesNow(err) // a row that is there nevertheless must come to run
		return ""
	}
	c.know(s.ID).may = []session.Status{session.Running}
	return s.ID
}

func (c *course) stop(row session.Session) {
	if row.ID == "" {
		return
	}
	k := c.know(row.ID)
	k.may = []session.Status{session.Stopped, session.Running} // if the request is lost
	if _, err := c.client.StopSession(c.t.Context(), row.ID); err != nil {
		c.diesNow(err)
		return
	}
	k.may = []session.Status{session.Stopped}
}

// killTask ends a session's process as the kernel does when memory runs out.
func (c *course) killTask(row session.Session) {
	pid := c.task(row.Slug)
	if row.ID == "" || pid == 0 {
		return
	}
	c.know(row.ID).may = []session.Status{session.Error}
	must(c.t, syscall.Kill(int(pid), syscall.SIGKILL))
}

// cancel stops a session while it starts.
func (c *course) cancel() {
	id := c.start()
	if id == "" {
		return
	}
	k, row := c.know(id), c.row(id)
	c.eventually("a workspace", func() bool { _, err := os.Stat(c.workspace(row)); return err == nil || c.dead() })
	k.may = []session.Status{session.Stopped, session.Running}
	if _, err := c.client.StopSession(c.t.Context(), id); err != nil {
		c.diesNow(err)
		return
	}
	k.may = []session.Status{session.Stopped}
}

// someRunning is a session to stop; one is started where none runs.
func (c *course) someRunning() session.Session {
	rows := c.rows(session.Running)
	if len(rows) == 0 {
		c.start()
		c.eventually("a session to stop", func() bool { return c.dead() || c.quiet() })
		c.remember()
		rows = c.rows(session.Running)
	}
	if c.dead() || len(rows) == 0 {
		return session.Session{}
	}
	return rows[c.rng.IntN(len(rows))]
}

func (c *course) makeRoom() {
	if rows := c.rows(session.Running); len(rows) >= mostRunning {
		c.stop(rows[c.rng.IntN(len(rows))])
		c.eventually("room for a session", func() bool { return c.dead() || c.quiet() })
	}
}

// makeOrphan has a running session's row say, while no daemon runs, that it
// stopped long ago: its container, network, sockets and claims are orphans.
func (c *course) makeOrphan() {
	c.t.Helper()
	c.up("")
	c.settle()
	c.check()
	row := c.someRunning()
	c.kill()
	_, err := c.raw.ExecContext(c.t.Context(), "UPDATE sessions SET status = 'stopped', stopped_at = ? WHERE id = ?",
		time.Now().Add(-time.Hour).UnixMicro(), row.ID)
	must(c.t, err)
	k := c.know(row.ID)
	k.may, k.swept = []session.Status{session.Stopped}, true
}

// remember notes what is new: a running session gets a file that every
// snapshot of it must hold.
func (c *course) remember() {
	for _, row := range c.rows(session.Running) {
		k := c.know(row.ID)
		if k.pid != 0 {
			continue
		}
		k.pid = c.task(row.Slug)
		k.file = fmt.Sprintf("written by %s", row.ID)
		must(c.t, os.WriteFile(filepath.Join(c.workspace(row), "mine"), []byte(k.file), 0o644))
	}
}
