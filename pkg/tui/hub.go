package tui

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

// How long a call may take, and how often what sends no events is asked for.
const (
	callTime   = 15 * time.Second
	startTime  = 60 * time.Second
	gpuEvery   = 10 * time.Second // only while the daemon sends no samples
	usageEvery = 30 * time.Second
	hostEvery  = 5 * time.Second
	maxListed  = 500 // sessions that are listed
	maxStages  = 16  // of one session that are kept
)

// stage is a step of a start or a stop.
type stage struct {
	name string
	took time.Duration
	err  string
}

// hub is what all screens know. Only the program's Update changes it.
type hub struct {
	ctx    context.Context
	daemon Daemon
	th     *theme
	now    func() time.Time
	out    Output

	conn     connection
	me       api.Me
	meErr    error
	health   api.Health
	all      bool // everybody's sessions, for admins
	sessions list[api.Session]
	gpus     list[api.GPU]
	host     api.Host
	hostErr  error
	hosted   bool      // host was read
	hostAt   time.Time // when it was asked for
	hostSeen bool      // it is on the screen
	sampled  time.Time // when the last readings came
	history  map[string]*history
	names    map[string]string // of users, for admins
	usage    map[string]api.SessionUsage
	usageAt  time.Time
	stages   map[string][]stage

	ask   func(layer)          // shows something above the screen
	say   func(string, ...any) // a line for a few seconds
	grief func(error)          // the same for what failed
	show  func(name string) tea.Cmd
	plain func() // takes the filter away: what it was for is not in front any more
	// goSession shows one session among the sessions.
	goSession func(id string) tea.Cmd
}

// list is something that is loaded whole, and how that stands.
type list[T any] struct {
	rows   []T
	loaded bool
	err    error
	busy   bool
	again  bool // asked for while it was busy
}

// begin reports whether a load may begin; one that is under way is repeated
// after it, because it may have begun too early.
func (l *list[T]) begin() bool {
	if l.busy {
		l.again = true
		return false
	}
	l.busy = true
	return true
}

// end takes a result and reports whether another load is wanted.
func (l *list[T]) end(rows []T, err error) (again bool) {
	again, l.busy, l.again, l.err = l.again, false, false, err
	if err == nil {
		l.rows, l.loaded = rows, true
	}
	return again
}

// call makes a command of a call, with its deadline.
func call[T any](h *hub, limit time.Duration, f func(ctx context.Context) (T, error), wrap func(T, error) tea.Msg) tea.Cmd {
	parent := h.ctx
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, limit)
		defer cancel()
		v, err := f(ctx)
		return wrap(v, err)
	}
}

type (
	meMsg struct {
		me  api.Me
		err error
	}
	healthMsg struct {
		health api.Health
		err    error
	}
	sessionsMsg struct {
		rows []api.Session
		err  error
		all  bool
	}
	gpusMsg struct {
		rows []api.GPU
		err  error
	}
	usageMsg struct {
		id    string
		usage api.SessionUsage
		err   error
	}
	hostMsg struct {
		host api.Host
		err  error
	}
	tickMsg time.Time
)

// reload loads everything that is shown on more than one screen.
func (h *hub) reload() tea.Cmd {
	return tea.Batch(
		call(h, callTime, h.daemon.Me, func(m api.Me, err error) tea.Msg { return meMsg{m, err} }),
		h.loadHealth(), h.loadSessions(), h.loadGPUs(), h.loadHost())
}

func (h *hub) loadHealth() tea.Cmd {
	return call(h, callTime, h.daemon.Health, func(v api.Health, err error) tea.Msg { return healthMsg{v, err} })
}

func (h *hub) loadHost() tea.Cmd {
	h.hostAt = h.now()
	return call(h, callTime, h.daemon.Host, func(v api.Host, err error) tea.Msg { return hostMsg{v, err} })
}

func (h *hub) loadSessions() tea.Cmd {
	if !h.sessions.begin() {
		return nil
	}
	all, d := h.all, h.daemon
	return call(h, callTime, func(ctx context.Context) ([]api.Session, error) { return d.Sessions(ctx, all, maxListed) },
		func(rows []api.Session, err error) tea.Msg { return sessionsMsg{sorted(rows), err, all} })
}

// sorted has what lives first, then the newest.
func sorted(rows []api.Session) []api.Session {
	slices.SortStableFunc(rows, func(a, b api.Session) int {
		if x, y := a.Status.Terminal(), b.Status.Terminal(); x != y {
			if x {
				return 1
			}
			return -1
		}
		return b.CreatedAt.Compare(a.CreatedAt)
	})
	return rows
}

func (h *hub) loadGPUs() tea.Cmd {
	if !h.gpus.begin() {
		return nil
	}
	return call(h, callTime, h.daemon.GPUs, func(rows []api.GPU, err error) tea.Msg { return gpusMsg{rows, err} })
}

// loadUsage asks for the space of the live sessions' workspaces.
func (h *hub) loadUsage() tea.Cmd {
	h.usageAt = h.now()
	var cmds []tea.Cmd
	for _, s := range h.sessions.rows {
		if s.Status.Terminal() {
			continue
		}
		cmds = append(cmds, h.loadUsageOf(s.ID))
	}
	return tea.Batch(cmds...)
}

func (h *hub) loadUsageOf(id string) tea.Cmd {
	return call(h, callTime, func(ctx context.Context) (api.SessionUsage, error) { return h.daemon.SessionUsage(ctx, id) },
		func(u api.SessionUsage, err error) tea.Msg { return usageMsg{id, u, err} })
}

// update takes what was loaded.
func (h *hub) update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case meMsg:
		h.meErr = m.err
		if m.err == nil {
			h.me = m.me
		}
	case healthMsg:
		if m.err == nil {
			h.health = m.health
		}
	case sessionsMsg:
		if h.sessions.end(m.rows, m.err) || m.all != h.all {
			return h.loadSessions()
		}
		h.forget()
		if m.err == nil && h.now().Sub(h.usageAt) >= usageEvery || h.unknownUsage() {
			return h.loadUsage()
		}
	case gpusMsg:
		again := h.gpus.end(m.rows, m.err)
		if m.err == nil {
			h.sample(m.rows)
		}
		if again {
			return h.loadGPUs()
		}
	case usageMsg:
		if m.err == nil {
			h.usage[m.id] = m.usage
		}
	case hostMsg:
		if h.hostErr = m.err; m.err == nil {
			h.host, h.hosted = m.host, true
		}
	case tickMsg:
		return h.poll()
	case feedMsg:
		return h.apply(m)
	}
	return nil
}

// unknownUsage reports whether a session runs whose space was never asked for.
func (h *hub) unknownUsage() bool {
	return slices.ContainsFunc(h.sessions.rows, func(s api.Session) bool {
		_, known := h.usage[s.ID]
		return s.Status == api.SessionRunning && !known && h.now().Sub(h.usageAt) > time.Second
	})
}

// forget drops what is known of sessions that are not listed any more.
func (h *hub) forget() {
	listed := map[string]bool{}
	for _, s := range h.sessions.rows {
		listed[s.ID] = true
	}
	for id := range h.stages {
		if !listed[id] && h.sessions.loaded {
			delete(h.stages, id)
		}
	}
	for id := range h.usage {
		if !listed[id] && h.sessions.loaded {
			delete(h.usage, id)
		}
	}
}

// poll asks for what sends no events.
func (h *hub) poll() tea.Cmd {
	if !h.conn.up {
		return nil
	}
	var cmds []tea.Cmd
	if h.now().Sub(h.sampled) >= gpuEvery && !h.gpus.busy {
		cmds = append(cmds, h.loadGPUs())
	}
	if h.hostSeen && h.now().Sub(h.hostAt) >= hostEvery {
		cmds = append(cmds, h.loadHost())
	}
	if h.now().Sub(h.usageAt) >= usageEvery {
		cmds = append(cmds, h.loadUsage())
	}
	return tea.Batch(cmds...)
}

// sample adds the readings to each device's history.
func (h *hub) sample(rows []api.GPU) {
	h.sampled = h.now()
	for _, g := range rows {
		if h.history[g.UUID] == nil {
			h.history[g.UUID] = &history{}
		}
		h.history[g.UUID].add(h.sampled, g)
	}
}

// apply takes what the stream brought.
func (h *hub) apply(m feedMsg) tea.Cmd {
	came := m.conn.up && m.conn.turn != h.conn.turn
	h.conn = m.conn
	if came || m.missed {
		return h.reload()
	}
	sessions, gpus, health := false, false, false
	for _, e := range m.events {
		switch e.Type {
		case api.EventSessionStart, api.EventSessionRunning, api.EventSessionStopping, api.EventSessionStop:
			sessions, gpus = true, true
		case api.EventSessionStage, api.EventSessionSnapshot:
			h.addStage(e)
		case "session.space":
			sessions = h.space(e) || sessions
		case api.EventGPUSample:
			h.takeSample(e)
		case "gpu.quarantined", "gpu.enabled", "gpu.disabled":
			gpus = true
		case "daemon.degraded", "daemon.recovered":
			health = true
		}
	}
	var cmds []tea.Cmd
	if sessions {
		cmds = append(cmds, h.loadSessions())
	}
	if gpus {
		cmds = append(cmds, h.loadGPUs())
	}
	if health {
		cmds = append(cmds, h.loadHealth())
	}
	return tea.Batch(cmds...)
}

func (h *hub) addStage(e api.Event) {
	ms, _ := e.Data["duration_ms"].(float64)
	s := stage{name: str(e, "stage"), took: time.Duration(ms) * time.Millisecond, err: str(e, "error")}
	if e.Type == api.EventSessionSnapshot {
		s.name = "snapshot"
	}
	all := append(h.stages[e.SessionID], s)
	h.stages[e.SessionID] = all[max(0, len(all)-maxStages):]
}

// space takes the event that a workspace has become fuller.
func (h *hub) space(e api.Event) bool {
	used, ok := e.Data["used_bytes"].(float64)
	quota, _ := e.Data["quota_bytes"].(float64)
	if ok {
		h.usage[e.SessionID] = api.SessionUsage{UsedBytes: int64(used), QuotaBytes: int64(quota)}
	}
	return false
}

// takeSample reads the readings out of an event; one that has another form is
// left, and the devices are asked for as before.
func (h *hub) takeSample(e api.Event) {
	raw, err := json.Marshal(e.Data["gpus"])
	if err != nil {
		return
	}
	var rows []api.GPU
	if json.Unmarshal(raw, &rows) != nil || len(rows) == 0 {
		return
	}
	h.gpus.rows, h.gpus.loaded, h.gpus.err = rows, true, nil
	h.sample(rows)
}

// admin reports whether the caller may see what is for admins.
func (h *hub) admin() bool { return h.me.Role == "admin" }

// gpu is the device of a session.
func (h *hub) gpu(s api.Session) (api.GPU, bool) {
	for _, g := range h.gpus.rows {
		if g.UUID == s.GPUUUID {
			return g, true
		}
	}
	return api.GPU{}, false
}

// lost reports whether an error only says that the daemon is away, which the
// banner tells already.
func (h *hub) lost(err error) bool {
	return !h.conn.up && (fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Timeout))
}

// str reads a string out of an event's data.
func str(e api.Event, key string) string {
	s, _ := e.Data[key].(string)
	return s
}
