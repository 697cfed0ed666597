package fakeruntime

import (
	"context"
	"io"
	"sort"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// ImportPack implements session.Packs. It reads the archive and checks every
// digest, as containerd does, and keeps no blob.
func (r *Runtime) ImportPack(ctx context.Context, archive io.Reader) (session.Pack, error) {
	if err := r.enter(ctx, OpImport, ""); err != nil {
		return session.Pack{}, err
	}
	r.mu.Unlock() // reading can take its time
	p, err := readArchive(archive)
	if err != nil {
		return session.Pack{}, fault.Wrap(err, fault.Invalid, "packs/bad-archive", "This is not a sound OCI archive: %v.", err)
	}
	r.mu.Lock()
	if old, ok := r.packs[p.Digest]; ok {
		p = old
	} else {
		p.ImportedAt = r.Now()
		r.packs[p.Digest] = p
	}
	r.mu.Unlock()
	return p, r.leave(ctx, OpImport, "", nil)
}

// ListPacks implements session.Packs.
func (r *Runtime) ListPacks(ctx context.Context) ([]session.Pack, error) {
	if err := r.enter(ctx, OpPacks, ""); err != nil {
		return nil, err
	}
	defer r.mu.Unlock()
	all := make([]session.Pack, 0, len(r.packs))
	for _, p := range r.packs {
		all = append(all, p)
	}
	sort.Slice(all, func(i, j int) bool {
		if !all[i].ImportedAt.Equal(all[j].ImportedAt) {
			return all[i].ImportedAt.Before(all[j].ImportedAt)
		}
		return all[i].Digest < all[j].Digest
	})
	return all, nil
}

// FindPack implements session.Packs.
func (r *Runtime) FindPack(ctx context.Context, digest string) (session.Pack, error) {
	if err := r.enter(ctx, OpPacks, ""); err != nil {
		return session.Pack{}, err
	}
	defer r.mu.Unlock()
	p, ok := r.packs[digest]
	if !ok {
		return session.Pack{}, fault.New(fault.NotFound, "packs/not-found", "No Pack with digest %s is imported.", digest)
	}
	return p, nil
}
