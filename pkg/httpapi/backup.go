package httpapi

import (
	"context"
	"net/http"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

type backupInput struct {
	Workspaces bool `query:"workspaces" default:"true" doc:"With workspaces that are plain folders; ZFS has its own way for its."`
}

// backup sends the whole MedForge as one file. It holds password hashes and
// hidden labels, which is why only an admin gets it, and never a session.
func (s *Server) backup(ctx context.Context, a auth.Actor, in *backupInput) (http.HandlerFunc, error) {
	if s.Backup == nil {
		return nil, fault.New(fault.NotImplemented, "backup/none", "This MedForge takes no backups.")
	}
	b, err := s.Backup(ctx, a, in.Workspaces)
	if err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter, r *http.Request) {
		defer b.Close()
		w.Header().Set("Content-Type", "application/zstd")
		if r.Method == http.MethodHead {
			return
		}
		if err := b.Write(r.Context(), s.stream(w)); err != nil {
			if r.Context().Err() == nil {
				s.Logger.Error("backup broke off", "request_id", requestOf(r.Context()).id, "error", err)
			}
			panic(http.ErrAbortHandler) // the caller sees that it is not whole
		}
	}, nil
}
