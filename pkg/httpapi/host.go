package httpapi

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/session"
)

// healthz answers in the form that API.md gives it, without an envelope: load
// balancers and service managers read it.
func (s *Server) healthz(context.Context, auth.Actor, *none) (http.HandlerFunc, error) {
	return func(w http.ResponseWriter, _ *http.Request) {
		h, status := api.Health{Status: api.HealthOK}, http.StatusOK
		var whys []string
		for _, d := range s.Sessions.Health() {
			whys = append(whys, d.Part+": "+d.Why)
			h.Parts = append(h.Parts, api.Degradation{Part: d.Part, Why: d.Why, Since: d.Since.UTC()})
		}
		if len(whys) > 0 {
			h.Status, h.Why, status = api.HealthDegraded, strings.Join(whys, "; "), http.StatusServiceUnavailable
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(h) // the reader is gone
	}, nil
}

func (s *Server) openAPI(context.Context, auth.Actor, *none) (http.HandlerFunc, error) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(s.doc) // the reader is gone
	}, nil
}

func (s *Server) me(ctx context.Context, a auth.Actor, _ *none) (api.Me, error) {
	u, err := s.Accounts.Me(ctx, a)
	if err != nil {
		return api.Me{}, err
	}
	// The role is the actor's: inside a session an admin is only its owner.
	role := auth.RoleUser
	if a.Admin() {
		role = auth.RoleAdmin
	}
	return api.Me{
		UserID: u.ID, Email: u.Email, Role: string(role), Name: u.Name, UnixName: u.UnixName,
		Via: string(a.Via), SessionID: a.SessionID, SessionLimit: u.SessionLimit,
	}, nil
}

func (s *Server) host(ctx context.Context, _ auth.Actor, _ *none) (api.Host, error) {
	if s.Options.Host == nil {
		return api.Host{}, nil
	}
	return s.Options.Host(ctx)
}

func (s *Server) doctor(ctx context.Context, _ auth.Actor, _ *none) (api.DoctorReport, error) {
	report := api.DoctorReport{Checks: []api.Check{}}
	if s.Doctor != nil {
		report.Checks = append(report.Checks, s.Doctor(ctx)...)
	}
	return report, nil
}

func (s *Server) reconcile(ctx context.Context, a auth.Actor, _ *none) (api.Reconciled, error) {
	report, err := s.Sessions.Reconcile(ctx, a)
	if err != nil {
		return api.Reconciled{}, err
	}
	out := api.Reconciled{At: report.At.UTC(), Active: report.Active, Orphans: []api.Orphan{}}
	for _, o := range report.Orphans {
		out.Orphans = append(out.Orphans, api.Orphan(o))
	}
	return out, nil
}

type gpusInput struct{ Paging }

func (s *Server) gpus(ctx context.Context, a auth.Actor, _ *gpusInput, limit int, after string) ([]api.GPU, string, error) {
	views, err := s.Sessions.GPUs(ctx, a)
	if err != nil {
		return nil, "", err
	}
	out := make([]api.GPU, len(views))
	for i, v := range views {
		out[i] = wireGPU(v)
	}
	return whole(out, func(g api.GPU) string { return g.UUID }, limit, after)
}

func wireGPU(v session.GPUView) api.GPU {
	status, reason := v.Status()
	g := api.GPU{
		Index: v.Index, UUID: v.UUID, Name: v.Name, Status: api.GPUStatus(status), Reason: reason,
		MemoryTotalBytes: v.MemoryTotalBytes, MemoryUsedBytes: v.MemoryUsedBytes,
		UtilisationPercent: v.UtilisationPct, TemperatureC: v.TemperatureC, PowerMilliwatts: v.PowerMilliwatts,
		Processes: []api.GPUProcess{},
	}
	for _, p := range v.Processes {
		g.Processes = append(g.Processes, api.GPUProcess(p))
	}
	if v.SessionSlug != "" {
		g.Session = &v.SessionSlug
	}
	return g
}

type gpuRef struct {
	Ref string `path:"ref" maxLength:"100" doc:"The device's index or UUID."`
}

func (s *Server) setGPU(enabled bool) func(context.Context, auth.Actor, *gpuRef) (api.Message, error) {
	return func(ctx context.Context, a auth.Actor, in *gpuRef) (api.Message, error) {
		if err := s.Sessions.SetGPU(ctx, a, in.Ref, enabled); err != nil {
			return api.Message{}, err
		}
		if enabled {
			return api.Message{Message: "GPU enabled."}, nil
		}
		return api.Message{Message: "GPU disabled."}, nil
	}
}

type packsInput struct{ Paging }

func (s *Server) packs(ctx context.Context, a auth.Actor, _ *packsInput, limit int, after string) ([]api.Pack, string, error) {
	views, err := s.Sessions.ListPacks(ctx, a)
	if err != nil {
		return nil, "", err
	}
	out := make([]api.Pack, len(views))
	for i, v := range views {
		out[i] = wirePack(v.Pack, v.InUse)
	}
	return whole(out, func(p api.Pack) string { return p.ID + "@" + p.Digest }, limit, after)
}

func wirePack(p session.Pack, inUse bool) api.Pack {
	return api.Pack{ID: p.ID, Digest: p.Digest, SizeBytes: p.SizeBytes, ImportedAt: p.ImportedAt.UTC(), InUse: inUse}
}

// importInput takes the body as it comes: an archive is too large to hold.
type importInput struct {
	body io.Reader
}

// Resolve is called by Huma with the request that the input is made from.
func (in *importInput) Resolve(c huma.Context) []error {
	_, w := humago.Unwrap(c)
	unlimited(w) // a gigabyte, over whatever line; the caller's connection bounds it
	in.body = c.BodyReader()
	return nil
}

func (s *Server) importPack(ctx context.Context, a auth.Actor, in *importInput) (api.Pack, error) {
	pack, err := s.Sessions.ImportPack(ctx, a, in.body)
	if err != nil {
		return api.Pack{}, err
	}
	// The first one is used at once, so it is asked rather than assumed.
	views, err := s.Sessions.ListPacks(ctx, a)
	if err != nil {
		return api.Pack{}, err
	}
	inUse := slices.ContainsFunc(views, func(v session.PackView) bool { return v.Digest == pack.Digest && v.InUse })
	return wirePack(pack, inUse), nil
}

type usePackInput struct {
	Body api.PackUse
}

func (s *Server) usePack(ctx context.Context, a auth.Actor, in *usePackInput) (api.Message, error) {
	if err := s.Sessions.UsePack(ctx, a, in.Body.Digest); err != nil {
		return api.Message{}, err
	}
	return api.Message{Message: "New sessions run this Pack."}, nil
}
