package competition

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

// Add puts a bundle, sent as a tar archive, in place: a new competition, or a
// new revision of one. Errors: Denied; Invalid CodeBundleInvalid or
// "competitions/archive-refused"; Conflict (the metric changed and the split
// version did not).
func (s *Service) Add(ctx context.Context, a auth.Actor, archive io.Reader) (Competition, error) {
	if err := needAdmin(a); err != nil {
		return Competition{}, err
	}
	tmp, err := os.MkdirTemp(s.path("tmp"), "bundle-")
	if err != nil {
		return Competition{}, diskFault(err)
	}
	defer os.RemoveAll(tmp)
	if err := unpackTar(ctx, tmp, archive, s.o.MaxBundle); err != nil {
		return Competition{}, err
	}
	return s.put(ctx, tmp, Added)
}

// put checks the bundle in a folder below tmp, moves it to its place and tells
// the store.
func (s *Service) put(ctx context.Context, tmp string, origin Origin) (Competition, error) {
	b, err := LoadBundle(ctx, os.DirFS(tmp))
	if err != nil {
		return Competition{}, err
	}
	c, err := b.row(origin)
	if err != nil {
		return c, err
	}
	s.install.Lock()
	defer s.install.Unlock()
	if err := place(tmp, s.bundleDir(c)); err != nil {
		return c, diskFault(err)
	}
	c.CreatedAt = s.now()
	c.UpdatedAt = c.CreatedAt
	if c, err = s.o.Store.PutCompetition(ctx, c); err != nil {
		return c, err
	}
	if err := s.nameDataset(ctx, b.Manifest); err != nil {
		return c, err
	}
	s.mu.Lock()
	delete(s.scorers, c.Slug)
	s.mu.Unlock()
	s.o.Logger.Info("competition in place", "competition", c.Slug, "revision", c.Revision, "split", c.SplitVersion, "origin", origin)
	return c, nil
}

// nameDataset makes a bundle's dataset known, unless it was imported.
func (s *Service) nameDataset(ctx context.Context, m Manifest) error {
	if m.Dataset == nil {
		return nil
	}
	old, err := s.o.Store.Dataset(ctx, m.Dataset.Slug)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	d := m.Dataset
	return s.o.Store.PutDataset(ctx, Dataset{Slug: d.Slug, Title: d.Title, Source: d.Source, License: d.License,
		Bytes: old.Bytes, Checksum: old.Checksum, ImportedAt: old.ImportedAt})
}

// InstallBuiltIn puts the embedded competitions in place, with what was
// imported for them. It can be done again at every start: what is the same
// stays, and a competition that an admin added by that name is left alone.
func (s *Service) InstallBuiltIn(ctx context.Context) error {
	if s.o.BuiltIn == nil {
		return nil
	}
	folders, err := fs.ReadDir(s.o.BuiltIn, ".")
	if err != nil {
		return readFault(err)
	}
	for _, f := range folders {
		if !f.IsDir() {
			continue
		}
		if err := s.installBuiltIn(ctx, f.Name()); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) installBuiltIn(ctx context.Context, slug string) error {
	old, err := s.o.Store.Competition(ctx, slug)
	if err == nil {
		spec, err := old.spec()
		if err != nil {
			return err
		}
		if spec.Origin == Added {
			return nil
		}
	} else if !fault.Is(err, fault.NotFound) {
		return err
	}
	tmp, err := os.MkdirTemp(s.path("tmp"), "builtin-")
	if err != nil {
		return diskFault(err)
	}
	defer os.RemoveAll(tmp)
	sub, err := fs.Sub(s.o.BuiltIn, slug)
	if err != nil {
		return readFault(err)
	}
	if err := copyTree(ctx, tmp, sub); err != nil {
		return err
	}
	if err := s.overlay(ctx, tmp, slug); err != nil {
		return err
	}
	_, err = s.put(ctx, tmp, BuiltIn)
	return err
}

// copyTree copies regular files, each for its owner alone.
func copyTree(ctx context.Context, to string, from fs.FS) error {
	root, err := os.OpenRoot(to)
	if err != nil {
		return diskFault(err)
	}
	defer root.Close()
	err = fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case d.IsDir():
			return nil
		}
		f, err := from.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		return writeFile(root, name, f)
	})
	return diskFault(err)
}

// writeFile makes a new file below root, and the folders above it.
func writeFile(root *os.Root, name string, r io.Reader) error {
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		_ = f.Close() // err says more
		return err
	}
	return keep(f)
}
