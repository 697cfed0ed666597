// Package httpapitest starts the real API on a temporary unix socket, over a
// service that keeps its sessions in memory, for the tests of whoever speaks
// the API: the client, the CLI and the TUI. It stands in for the machine below,
// not for the API.
package httpapitest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// Stages are the steps of a start, in the order in which session.Service
// takes and publishes them.
var Stages = []string{"workspace", "sockets", "gpu", "container", "task", "ide"}

// Settings is how a Service behaves; see Service.Set.
type Settings struct {
	GPUs int // devices
	// Err, if set, is what every call answers.
	Err error
	// FailAt makes starts fail at this stage.
	FailAt string
	// SnapshotFails makes stops end in error.
	SnapshotFails bool
	// Degraded is what Health says.
	Degraded []session.Degradation
	// BackupBreaks makes backups break off in their middle.
	BackupBreaks bool
}

// Service behaves to a caller as session.Service does, with nothing beneath.
type Service struct {
	bus *event.Bus

	mu       sync.Mutex
	set      Settings
	holds    map[string]*hold
	rows     []session.Session // oldest first
	snaps    map[string][]session.Snapshot
	logs     map[string]string
	packs    []session.PackView
	disabled map[string]bool
	orphans  []session.Orphan
	work     sync.WaitGroup
}

// New makes a Service with so many GPUs, whose events go to the bus.
func New(bus *event.Bus, gpus int) *Service {
	return &Service{
		bus: bus, set: Settings{GPUs: gpus}, holds: map[string]*hold{}, snaps: map[string][]session.Snapshot{},
		logs: map[string]string{}, disabled: map[string]bool{},
	}
}

// Set changes how it behaves from now on.
func (s *Service) Set(change func(*Settings)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.set)
}

func (s *Service) settings() Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set
}

func (s *Service) err() error { return s.settings().Err }

// hold is a place where work waits.
type hold struct {
	once     sync.Once
	reached  chan struct{} // closed when work has come there
	released chan struct{}
}

// Hold makes starts wait before they take the stage of that name, and stops
// before they end ("stop"). reached is closed when work has come there;
// release, which may be called twice, lets it go on.
func (s *Service) Hold(name string) (reached <-chan struct{}, release func()) {
	h := &hold{reached: make(chan struct{}), released: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds[name] = h
	return h.reached, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.holds[name] == h {
			delete(s.holds, name)
			close(h.released)
		}
	}
}

func (s *Service) pass(name string) {
	s.mu.Lock()
	h := s.holds[name]
	s.mu.Unlock()
	if h != nil {
		h.once.Do(func() { close(h.reached) })
		<-h.released
	}
}

// releaseAll lets everything go on.
func (s *Service) releaseAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, h := range s.holds {
		delete(s.holds, name)
		close(h.released)
	}
}

// Wait waits until nothing is going on in the background.
func (s *Service) Wait() { s.work.Wait() }

// Add puts a row in, as it is, with a log and snapshots of these names.
func (s *Service) Add(row session.Session, log string, snapshots ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range snapshots {
		s.snaps[row.ID] = append(s.snaps[row.ID], session.Snapshot{Ref: row.Ref(), Name: n, CreatedAt: row.StoppedAt, UsedBytes: -1})
	}
	s.rows = append(s.rows, row)
	s.logs[row.ID] = log
}

// AddOrphan makes Reconcile find something.
func (s *Service) AddOrphan(o session.Orphan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orphans = append(s.orphans, o)
}

func (s *Service) publish(t event.Type, row session.Session, data map[string]any) {
	s.bus.Publish(event.Event{Type: t, UserID: row.UserID, SessionID: row.ID, Slug: row.Slug, Data: data})
}

func (s *Service) Start(_ context.Context, a auth.Actor, r session.StartRequest) (session.Session, error) {
	if err := s.err(); err != nil {
		return session.Session{}, err
	}
	if r.Tier == session.TierPrivate {
		return session.Session{}, fault.New(fault.NotImplemented, "sessions/private-tier-not-implemented", "Private sessions are not offered on this host.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	from := ""
	if r.From != "" {
		ref, name, err := session.CutFrom(r.From)
		if err != nil {
			return session.Session{}, err
		}
		row, err := s.get(a, ref)
		if err != nil {
			return session.Session{}, err
		}
		if name, err = session.PickSnapshot(row, s.snaps[row.ID], name); err != nil {
			return session.Session{}, err
		}
		from = row.ID + "@" + name
	}
	index := s.freeGPU()
	if index < 0 {
		return session.Session{}, fault.New(fault.LimitReached, "sessions/no-gpu-available", "No GPU is free. medforge gpu list shows who has them.")
	}
	n := len(s.rows)
	row := session.Session{
		ID: uuid.NewSHA1(uuid.NameSpaceURL, []byte(fmt.Sprint("session", n))).String(), UserID: a.UserID,
		Slug: fmt.Sprintf("abcdefg%d", 2+n%6), Tier: session.TierPublic, Status: session.Starting,
		PackID: "default", PackDigest: "sha256:" + strings.Repeat("1", 64), GPUIndex: index, GPUUUID: gpuUUID(index),
		FromSnapshot: from, CreatedAt: time.Now().UTC(),
	}
	row.ContainerID = session.ContainerName(row.Slug)
	s.rows = append(s.rows, row)
	s.publish(event.SessionStart, row, map[string]any{"gpu_index": index})
	s.work.Go(func() { s.start(row) })
	return row, nil
}

func (s *Service) start(row session.Session) {
	for _, stage := range Stages {
		s.pass(stage)
		data := map[string]any{"stage": stage, "duration_ms": 12}
		if stage == s.settings().FailAt {
			data["error"] = "It did not answer."
			s.publish(event.SessionStage, row, data)
			s.end(row.ID, session.Error, session.ReasonStartFailed, "It did not answer.\nThe end of its output:\nboom")
			return
		}
		s.publish(event.SessionStage, row, data)
	}
	row, ok := s.change(row.ID, func(r *session.Session) bool {
		r.StartedAt = time.Now().UTC()
		was := r.Status
		if was == session.Starting {
			r.Status = session.Running
		}
		return was == session.Starting
	})
	if ok {
		s.publish(event.SessionRunning, row, map[string]any{"duration_ms": 99})
	}
}

// Die ends a session as the death of its container would.
func (s *Service) Die(ref string) {
	s.end(ref, session.Error, session.ReasonContainerDeath, "The container ended by itself.")
}

// end is the stop's second half: the snapshot and the last state.
func (s *Service) end(id string, status session.Status, why session.StopReason, message string) {
	now := time.Now().UTC()
	name := fmt.Sprintf("stop-%d", now.UnixMilli())
	row, _ := s.change(id, func(r *session.Session) bool { return true })
	data := map[string]any{"snapshot": name, "duration_ms": 7}
	switch {
	case s.settings().SnapshotFails:
		status, why, message = session.Error, session.ReasonSnapshotFailed, "The snapshot at the stop failed: the disk is full."
		data["error"] = "the disk is full"
		s.publish(event.SessionSnapshot, row, data)
	case !row.StartedAt.IsZero():
		s.mu.Lock()
		s.snaps[row.ID] = append(s.snaps[row.ID], session.Snapshot{Ref: row.Ref(), Name: name, CreatedAt: now, UsedBytes: 2048})
		s.mu.Unlock()
		s.publish(event.SessionSnapshot, row, data)
	}
	row, _ = s.change(id, func(r *session.Session) bool {
		r.Status, r.StoppedAt, r.StopReason, r.ErrorMessage = status, now, why, message
		return true
	})
	stop := map[string]any{"reason": why, "status": status}
	if message != "" {
		stop["error"] = message
	}
	s.publish(event.SessionStop, row, stop)
}

// change edits a row and returns it as it is then, and what the edit said.
func (s *Service) change(ref string, edit func(*session.Session) bool) (session.Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.rows {
		if s.rows[i].ID == ref || s.rows[i].Slug == ref {
			ok := edit(&s.rows[i])
			return s.rows[i], ok
		}
	}
	return session.Session{}, false
}

func (s *Service) Stop(_ context.Context, a auth.Actor, ref string) (session.StopOutcome, error) {
	if err := s.err(); err != nil {
		return "", err
	}
	s.mu.Lock()
	row, err := s.get(a, ref)
	s.mu.Unlock()
	if err != nil {
		return "", err
	}
	if row.Status.Terminal() {
		return session.AlreadyTerminal, nil
	}
	was := row.Status
	s.change(row.ID, func(r *session.Session) bool { r.Status = session.Stopping; return true })
	if was != session.Stopping {
		s.publish(event.SessionStopping, row, map[string]any{"reason": session.ReasonRequested})
		s.work.Go(func() {
			s.pass("stop")
			s.end(row.ID, session.Stopped, session.ReasonRequested, "")
		})
	}
	return session.StopRequested, nil
}

// get is called with the lock held.
func (s *Service) get(a auth.Actor, ref string) (session.Session, error) {
	for _, r := range s.rows {
		if (r.ID == ref || r.Slug == ref) && a.Owns(r.UserID) {
			return r, nil
		}
	}
	return session.Session{}, fault.New(fault.NotFound, "sessions/not-found",
		"There is no session %q that you may see. The command medforge session list shows yours.", ref)
}

func (s *Service) Get(_ context.Context, a auth.Actor, ref string) (session.Session, error) {
	if err := s.err(); err != nil {
		return session.Session{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.get(a, ref)
}

func (s *Service) Current(ctx context.Context, a auth.Actor) (session.Session, bool, error) {
	rows, _, err := s.List(ctx, a, session.ListQuery{Limit: 500})
	i := slices.IndexFunc(rows, func(r session.Session) bool { return r.Status.Active() })
	if err != nil || i < 0 {
		return session.Session{}, false, err
	}
	return rows[i], true, nil
}

func (s *Service) List(_ context.Context, a auth.Actor, q session.ListQuery) ([]session.Session, bool, error) {
	if err := s.err(); err != nil {
		return nil, false, err
	}
	if q.All {
		if err := adminOnly(a); err != nil {
			return nil, false, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []session.Session
	skip := q.After != ""
	for _, r := range slices.Backward(s.rows) {
		if !skip && (q.All || r.UserID == a.UserID) {
			out = append(out, r)
		}
		if r.ID == q.After {
			skip = false
		}
	}
	if len(out) > q.Limit {
		return out[:q.Limit], true, nil
	}
	return out, false, nil
}

func (s *Service) Log(ctx context.Context, a auth.Actor, ref string, tail int, follow bool) (io.ReadCloser, error) {
	row, err := s.Get(ctx, a, ref)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	text := s.logs[row.ID]
	s.mu.Unlock()
	if lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n"); tail > 0 && len(lines) > tail {
		text = strings.Join(lines[len(lines)-tail:], "") + "\n"
	}
	if !follow {
		return io.NopCloser(strings.NewReader(text)), nil
	}
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { w.CloseWithError(ctx.Err()) })
	go func() { _, _ = io.WriteString(w, text) }() // ends with ctx
	return r, nil
}

func (s *Service) Snapshots(ctx context.Context, a auth.Actor, ref string) ([]session.Snapshot, error) {
	row, err := s.Get(ctx, a, ref)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.snaps[row.ID]), nil
}

func (s *Service) Usage(ctx context.Context, a auth.Actor, ref string) (session.Usage, error) {
	_, err := s.Get(ctx, a, ref)
	return session.Usage{UsedBytes: 5 << 30, QuotaBytes: 100 << 30}, err
}
