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
	"strconv"
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

// Service behaves to a caller as session.Service does, with nothing beneath.
// Its fields are set before it is used.
type Service struct {
	Bus  *event.Bus
	GPUN int // devices
	// Err, if set, is what every call answers.
	Err error
	// Hold, if set, is waited for before a start takes its stage of that name.
	Hold map[string]chan struct{}
	// FailAt makes the next start fail at this stage.
	FailAt string
	// SnapshotFails makes stops end in error.
	SnapshotFails bool
	// Degraded is what Health says.
	Degraded []session.Degradation

	mu       sync.Mutex
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
		Bus: bus, GPUN: gpus, Hold: map[string]chan struct{}{}, snaps: map[string][]session.Snapshot{},
		logs: map[string]string{}, disabled: map[string]bool{},
	}
}

// Wait waits until nothing is going on in the background.
func (s *Service) Wait() { s.work.Wait() }

// Add puts a row in, as it is, with a log.
func (s *Service) Add(row session.Session, log string) {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	s.Bus.Publish(event.Event{Type: t, UserID: row.UserID, SessionID: row.ID, Slug: row.Slug, Data: data})
}

func (s *Service) Start(_ context.Context, a auth.Actor, r session.StartRequest) (session.Session, error) {
	if s.Err != nil {
		return session.Session{}, s.Err
	}
	if r.Tier == session.TierPrivate {
		return session.Session{}, fault.New(fault.NotImplemented, "sessions/private-tier-not-implemented", "Private sessions are not offered on this host.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	from := ""
	if r.From != "" {
		row, err := s.get(a, r.From)
		if err != nil {
			return session.Session{}, err
		}
		n := s.snaps[row.ID]
		if len(n) == 0 {
			return session.Session{}, fault.New(fault.Conflict, "sessions/no-snapshot", "Session %s has no snapshot to start from.", row.Slug)
		}
		from = row.ID + "@" + n[len(n)-1].Name
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
		if hold := s.Hold[stage]; hold != nil {
			<-hold
		}
		data := map[string]any{"stage": stage, "duration_ms": 12}
		if stage == s.FailAt {
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
	case s.SnapshotFails:
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
	if s.Err != nil {
		return "", s.Err
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
			if hold := s.Hold["stop"]; hold != nil {
				<-hold
			}
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
	if s.Err != nil {
		return session.Session{}, s.Err
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
	if s.Err != nil {
		return nil, false, s.Err
	}
	if q.All && !a.Admin() {
		return nil, false, fault.New(fault.Denied, "auth/admins-only", "Only an admin may do this.")
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

func gpuUUID(i int) string { return fmt.Sprintf("GPU-00000000-0000-0000-0000-%012d", i) }

// freeGPU is called with the lock held.
func (s *Service) freeGPU() int {
	for i := range s.GPUN {
		held := slices.ContainsFunc(s.rows, func(r session.Session) bool { return r.Status.Active() && r.GPUIndex == i })
		if !held && !s.disabled[gpuUUID(i)] {
			return i
		}
	}
	return -1
}

func (s *Service) GPUs(context.Context, auth.Actor) ([]session.GPUView, error) {
	if s.Err != nil {
		return nil, s.Err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []session.GPUView
	for i := range s.GPUN {
		v := session.GPUView{GPU: session.GPU{Index: i, UUID: gpuUUID(i), Name: "Simulated", MemoryTotalBytes: 80 << 30,
			MemoryUsedBytes: 1 << 30, UtilisationPct: 10 * i, TemperatureC: 40 + i, PowerMilliwatts: 75_500},
			State: session.GPUState{Disabled: s.disabled[gpuUUID(i)]}}
		for _, r := range s.rows {
			if r.Status.Active() && r.GPUIndex == i {
				v.SessionSlug = r.Slug
			}
		}
		out = append(out, v)
	}
	return out, nil
}

func (s *Service) SetGPU(_ context.Context, _ auth.Actor, ref string, enabled bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.GPUN {
		if ref == gpuUUID(i) || ref == strconv.Itoa(i) {
			s.disabled[gpuUUID(i)] = !enabled
			return nil
		}
	}
	return fault.New(fault.NotFound, "gpus/not-found", "There is no GPU %q. The command medforge gpu list shows them.", ref)
}

func (s *Service) ListPacks(context.Context, auth.Actor) ([]session.PackView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.packs), s.Err
}

// ImportPack takes any archive that begins with "oci:".
func (s *Service) ImportPack(_ context.Context, _ auth.Actor, archive io.Reader) (session.Pack, error) {
	raw, err := io.ReadAll(archive)
	if err != nil {
		return session.Pack{}, fault.Wrap(err, fault.Unavailable, "packs/broke-off", "The archive broke off.")
	}
	if !strings.HasPrefix(string(raw), "oci:") {
		return session.Pack{}, fault.New(fault.Invalid, "packs/not-an-archive", "This is not an OCI archive.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := session.Pack{ID: "default", Digest: fmt.Sprintf("sha256:%064x", len(raw)), SizeBytes: int64(len(raw)), ImportedAt: time.Now().UTC()}
	if !slices.ContainsFunc(s.packs, func(v session.PackView) bool { return v.Digest == p.Digest }) {
		s.packs = append(s.packs, session.PackView{Pack: p, InUse: len(s.packs) == 0})
	}
	return p, nil
}

func (s *Service) UsePack(_ context.Context, _ auth.Actor, digest string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.packs, func(v session.PackView) bool { return v.Digest == digest })
	if i < 0 {
		return fault.New(fault.NotFound, "packs/not-found", "There is no Pack %s. The command medforge admin pack list shows them.", digest)
	}
	for j := range s.packs {
		s.packs[j].InUse = j == i
	}
	return nil
}

func (s *Service) Reconcile(context.Context, auth.Actor) (session.ReconcileReport, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	report := session.ReconcileReport{At: time.Now().UTC(), Orphans: slices.Clone(s.orphans)}
	for _, r := range s.rows {
		if r.Status.Active() {
			report.Active++
		}
	}
	return report, s.Err
}

func (s *Service) Health() []session.Degradation { return s.Degraded }
