package session

import (
	"context"
	"io"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
)

// settingPack is where the digest of the Pack in use stands.
const settingPack = "pack.digest"

// PackView is an imported Pack and whether new sessions run it.
type PackView struct {
	Pack
	InUse bool
}

// ListPacks returns the imported Packs. Errors: Denied.
func (s *Service) ListPacks(ctx context.Context, a auth.Actor) ([]PackView, error) {
	if err := adminOnly(a); err != nil {
		return nil, err
	}
	packs, err := s.o.Packs.ListPacks(ctx)
	if err != nil {
		return nil, err
	}
	inUse, err := s.setting(ctx, settingPack)
	if err != nil {
		return nil, err
	}
	views := make([]PackView, 0, len(packs))
	for _, p := range packs {
		views = append(views, PackView{Pack: p, InUse: p.Digest == inUse})
	}
	return views, nil
}

// ImportPack takes in an OCI archive. The first one imported is used at once;
// a later one waits for UsePack. Errors: Denied, Invalid.
func (s *Service) ImportPack(ctx context.Context, a auth.Actor, archive io.Reader) (Pack, error) {
	if err := adminOnly(a); err != nil {
		return Pack{}, err
	}
	p, err := s.o.Packs.ImportPack(ctx, archive)
	if err != nil {
		return Pack{}, err
	}
	s.publishHost(event.PackImported, a, map[string]any{"digest": p.Digest, "size_bytes": p.SizeBytes})
	inUse, err := s.setting(ctx, settingPack)
	if err != nil {
		return p, err
	}
	if inUse == "" {
		err = s.UsePack(ctx, a, p.Digest)
	}
	return p, err
}

// UsePack chooses what new sessions run; those that run keep theirs.
// Errors: Denied, NotFound.
func (s *Service) UsePack(ctx context.Context, a auth.Actor, digest string) error {
	if err := adminOnly(a); err != nil {
		return err
	}
	p, err := s.o.Packs.FindPack(ctx, digest)
	if err != nil {
		return err
	}
	storeCtx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := s.o.Store.SetSetting(storeCtx, settingPack, p.Digest); err != nil {
		return err
	}
	s.publishHost(event.PackUsed, a, map[string]any{"digest": p.Digest})
	return nil
}

// publishHost sends a host-wide event that an actor caused.
func (s *Service) publishHost(t event.Type, a auth.Actor, data map[string]any) {
	s.o.Publish(event.Event{Time: s.o.Now(), Type: t, ActorID: a.UserID, Data: data})
}

// packInUse returns the Pack that a new session runs.
func (s *Service) packInUse(ctx context.Context) (Pack, error) {
	digest, err := s.setting(ctx, settingPack)
	if err != nil {
		return Pack{}, err
	}
	if digest == "" {
		return Pack{}, fault.New(fault.Unavailable, "sessions/no-pack",
			"No Pack is imported, so no session can start. An admin runs: medforge admin pack import FILE")
	}
	ctx, cancel := context.WithTimeout(ctx, runtimeTimeout)
	defer cancel()
	p, err := s.o.Packs.FindPack(ctx, digest)
	if fault.Is(err, fault.NotFound) {
		return Pack{}, fault.New(fault.Unavailable, "sessions/pack-missing",
			"The Pack in use, %s, is not in containerd any more. An admin runs: medforge admin pack import FILE", digest)
	}
	return p, err
}

func (s *Service) setting(ctx context.Context, key string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return s.o.Store.Setting(ctx, key)
}
