package httpapitest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/httpapi"
	"github.com/medforge/medforge/pkg/session"
)

// The host's side of the Service: GPUs, Packs and what is astray.

func gpuUUID(i int) string { return fmt.Sprintf("GPU-00000000-0000-0000-0000-%012d", i) }

// freeGPU is called with the lock held.
func (s *Service) freeGPU() int {
	for i := range s.set.GPUs {
		held := slices.ContainsFunc(s.rows, func(r session.Session) bool { return r.Status.Active() && r.GPUIndex == i })
		if !held && !s.disabled[gpuUUID(i)] {
			return i
		}
	}
	return -1
}

func (s *Service) GPUs(context.Context, auth.Actor) ([]session.GPUView, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []session.GPUView
	for i := range s.set.GPUs {
		v := session.GPUView{GPU: session.GPU{Index: i, UUID: gpuUUID(i), Name: "Simulated", MemoryTotalBytes: 80 << 30,
			MemoryUsedBytes: 1 << 30, UtilisationPct: 10 * i, TemperatureC: 40 + i, PowerMilliwatts: 75_500},
			State: session.GPUState{Disabled: s.disabled[gpuUUID(i)]}}
		for _, r := range s.rows {
			if r.Status.Active() && r.GPUIndex == i {
				v.SessionSlug = r.Slug
				v.Processes = []session.GPUProcess{{PID: 4711, MemoryUsedBytes: 1 << 29}}
			}
		}
		out = append(out, v)
	}
	return out, nil
}

// adminOnly refuses as session.Service does.
func adminOnly(a auth.Actor) error {
	if !a.Admin() {
		return fault.New(fault.Denied, "auth/admins-only", "Only an admin may do this.")
	}
	return nil
}

func (s *Service) SetGPU(_ context.Context, a auth.Actor, ref string, enabled bool) error {
	if err := adminOnly(a); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.set.GPUs {
		if ref == gpuUUID(i) || ref == strconv.Itoa(i) {
			s.disabled[gpuUUID(i)] = !enabled
			return nil
		}
	}
	return fault.New(fault.NotFound, "gpus/not-found", "There is no GPU %q. The command medforge gpu list shows them.", ref)
}

func (s *Service) ListPacks(_ context.Context, a auth.Actor) ([]session.PackView, error) {
	if err := adminOnly(a); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.packs), s.set.Err
}

// ImportPack takes any archive that begins with "oci:".
func (s *Service) ImportPack(_ context.Context, a auth.Actor, archive io.Reader) (session.Pack, error) {
	if err := adminOnly(a); err != nil {
		return session.Pack{}, err
	}
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

func (s *Service) UsePack(_ context.Context, a auth.Actor, digest string) error {
	if err := adminOnly(a); err != nil {
		return err
	}
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

func (s *Service) Reconcile(_ context.Context, a auth.Actor) (session.ReconcileReport, error) {
	if err := adminOnly(a); err != nil {
		return session.ReconcileReport{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	report := session.ReconcileReport{At: time.Now().UTC(), Orphans: slices.Clone(s.orphans)}
	for _, r := range s.rows {
		if r.Status.Active() {
			report.Active++
		}
	}
	return report, s.set.Err
}

// Backup is not an archive, only bytes that may break off.
func (s *Service) Backup(_ context.Context, _ auth.Actor, workspaces bool) (httpapi.Backup, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return fakeBackup{breaks: s.settings().BackupBreaks, workspaces: workspaces}, nil
}

type fakeBackup struct{ breaks, workspaces bool }

func (b fakeBackup) Write(_ context.Context, w io.Writer) error {
	text := "all of it\n"
	if !b.workspaces {
		text = "less of it\n"
	}
	if _, err := io.WriteString(w, text); err != nil || !b.breaks {
		return err
	}
	return fault.New(fault.Unavailable, "backup/data-dir", "The disk is gone.")
}

func (fakeBackup) Close() error { return nil }

func (s *Service) Health() []session.Degradation { return s.settings().Degraded }
