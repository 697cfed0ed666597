package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

const (
	// packPrefix begins the names of Packs' images:
	// medforge.local/pack/<id>@<digest>.
	packPrefix = "medforge.local/pack/"
	// packNameLabel of an image's configuration is the Pack's id.
	packNameLabel = "medforge.pack.name"
	// labelSize keeps the size, which is costly to add up.
	labelSize = "medforge.local/size-bytes"
	// importLease is how long an interrupted import's blobs stay.
	importLease = 24 * time.Hour
)

var packID = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// ImportPack implements session.Packs. The Pack's id is the image's label
// "medforge.pack.name", or "default".
func (d *Driver) ImportPack(ctx context.Context, archive io.Reader) (session.Pack, error) {
	// What was read stays only as long as the lease, unless an image needs it.
	// An import that fails leaves nothing.
	ls := d.cli.LeasesService()
	lease, err := ls.Create(d.in(ctx), leases.WithRandomID(), leases.WithExpiration(importLease))
	if err != nil {
		return session.Pack{}, d.fail(ctx, err, "importing a Pack")
	}
	defer func() {
		undo, cancel := d.undoContext(ctx)
		defer cancel()
		if err := ls.Delete(undo, lease, leases.SynchronousDelete); err != nil && !errdefs.IsNotFound(err) {
			d.c.Logger.Warn("the lease of an import was not given back; it ends by itself", "within", importLease, "error", err)
		}
	}()
	p, err := d.importPack(leases.WithLease(d.in(ctx), lease.ID), archive)
	if bad := (unsoundError{}); errors.As(err, &bad) && ctx.Err() == nil {
		return session.Pack{}, fault.Wrap(err, fault.Invalid, "packs/bad-archive", "This archive cannot be used: %v.", bad)
	}
	return p, d.fail(ctx, err, "importing a Pack")
}

func (d *Driver) importPack(ctx context.Context, archive io.Reader) (session.Pack, error) {
	store := d.cli.ContentStore()
	target, err := ingest(ctx, store, archive)
	if err != nil {
		return session.Pack{}, err
	}
	id, size, err := d.checkImage(ctx, target)
	if err != nil {
		return session.Pack{}, err
	}
	if known, err := d.findImage(ctx, target.Digest.String()); err == nil {
		return packOf(known), d.unpack(ctx, known)
	} else if !fault.Is(err, fault.NotFound) {
		return session.Pack{}, err
	}
	target.Annotations = nil // names that others gave it
	img := images.Image{
		Name:   packPrefix + id + "@" + target.Digest.String(),
		Target: target,
		Labels: map[string]string{labelSize: fmt.Sprint(size)},
	}
	if err := d.unpack(ctx, img); err != nil {
		return session.Pack{}, err
	}
	made, err := d.cli.ImageService().Create(ctx, img)
	if errdefs.IsAlreadyExists(err) { // another import of the same was quicker
		made, err = d.findImage(ctx, target.Digest.String())
	}
	if err != nil {
		return session.Pack{}, err
	}
	return packOf(made), nil
}

// checkImage looks whether all that the image leads to is there, in its right
// size, for this machine, and labels it so that it is kept with the image. It
// returns the Pack's id and the size of it all.
func (d *Driver) checkImage(ctx context.Context, target ocispec.Descriptor) (id string, size int64, err error) {
	store := d.cli.ContentStore()
	here := platforms.Default()
	seen := map[digest.Digest]bool{}
	measure := images.HandlerFunc(func(ctx context.Context, desc ocispec.Descriptor) ([]ocispec.Descriptor, error) {
		info, err := store.Info(ctx, desc.Digest)
		if errdefs.IsNotFound(err) {
			return nil, unsound("blob %s is missing", desc.Digest)
		}
		if err != nil {
			return nil, err
		}
		if info.Size != desc.Size {
			return nil, unsound("blob %s has %d bytes and should have %d", desc.Digest, info.Size, desc.Size)
		}
		if !seen[desc.Digest] {
			seen[desc.Digest] = true
			size += info.Size
		}
		children, err := images.Children(ctx, store, desc)
		if err != nil && !errdefs.IsUnavailable(err) && ctx.Err() == nil {
			return nil, unsound("blob %s cannot be understood: %w", desc.Digest, err)
		}
		return children, err
	})
	handler := images.SetChildrenLabels(store, images.FilterPlatforms(measure, here))
	if err := images.WalkNotEmpty(ctx, handler, target); err != nil {
		if errors.Is(err, images.ErrEmptyWalk) {
			return "", 0, unsound("it holds no image for %s", platforms.DefaultString())
		}
		return "", 0, err
	}
	img, err := d.image(ctx, target)
	if err != nil {
		return "", 0, unsound("its image's configuration cannot be read: %w", err)
	}
	// An image that is not below an index passed the filter unseen.
	if !here.Match(img.Platform) {
		return "", 0, unsound("its image is for %s and this host is %s", platforms.Format(img.Platform), platforms.DefaultString())
	}
	config := img.Config
	if len(config.Entrypoint) == 0 {
		return "", 0, unsound("its image has no entrypoint; a Pack's starts code-server, with an init such as tini before it, and takes code-server's flags")
	}
	id = config.Labels[packNameLabel]
	if id == "" {
		id = "default"
	}
	if !packID.MatchString(id) {
		return "", 0, unsound("its label %s=%q is not a name of a-z, 0-9, '.', '_' and '-'", packNameLabel, id)
	}
	return id, size, nil
}

// image reads the image's configuration.
func (d *Driver) image(ctx context.Context, target ocispec.Descriptor) (img ocispec.Image, err error) {
	store := d.cli.ContentStore()
	desc, err := images.Config(ctx, store, target, platforms.Default())
	if err != nil {
		return img, err
	}
	body, err := content.ReadBlob(ctx, store, desc)
	if err != nil {
		return img, err
	}
	return img, json.Unmarshal(body, &img)
}

// unpack makes the image's root file system, unless it is there.
func (d *Driver) unpack(ctx context.Context, img images.Image) error {
	i := client.NewImage(d.cli, img)
	done, err := i.IsUnpacked(ctx, d.c.Snapshotter)
	if err != nil || done {
		return err
	}
	err = i.Unpack(ctx, d.c.Snapshotter)
	// The only sign that a layer is not what the configuration says.
	if err != nil && strings.Contains(err.Error(), "wrong diff id") {
		return unsound("a layer is not what the image's configuration says: %w", err)
	}
	return err
}

func packOf(img images.Image) session.Pack {
	id, _, _ := strings.Cut(strings.TrimPrefix(img.Name, packPrefix), "@")
	p := session.Pack{ID: id, Digest: img.Target.Digest.String(), ImportedAt: img.CreatedAt}
	_, _ = fmt.Sscan(img.Labels[labelSize], &p.SizeBytes)
	return p
}

// packImages returns the images that are Packs by their names, by name.
func (d *Driver) packImages(ctx context.Context) ([]images.Image, error) {
	all, err := d.cli.ImageService().List(ctx, fmt.Sprintf("name~=%q", "^"+regexp.QuoteMeta(packPrefix)))
	slices.SortFunc(all, func(a, b images.Image) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all, err
}

// findImage returns the Pack's image of a digest. Errors: NotFound; Conflict
// when the image of that name is another one.
func (d *Driver) findImage(ctx context.Context, want string) (images.Image, error) {
	if digest.Digest(want).Validate() == nil {
		all, err := d.packImages(ctx)
		if err != nil {
			return images.Image{}, err
		}
		for _, img := range all {
			if !strings.HasSuffix(img.Name, "@"+want) {
				continue
			}
			if got := img.Target.Digest.String(); got != want {
				return images.Image{}, fault.New(fault.Conflict, "packs/digest-mismatch",
					"The image stored as %s has the digest %s. Somebody changed it; remove it with ctr images rm and import the Pack again.", img.Name, got)
			}
			return img, nil
		}
	}
	return images.Image{}, fault.New(fault.NotFound, "packs/not-found",
		"No Pack with digest %q is imported. Import it with: medforge admin pack import FILE", want)
}

// ListPacks implements session.Packs.
func (d *Driver) ListPacks(ctx context.Context) ([]session.Pack, error) {
	all, err := d.packImages(d.in(ctx))
	if err != nil {
		return nil, d.fail(ctx, err, "listing Packs")
	}
	packs := make([]session.Pack, 0, len(all))
	for _, img := range all {
		packs = append(packs, packOf(img))
	}
	return packs, nil
}

// FindPack implements session.Packs.
func (d *Driver) FindPack(ctx context.Context, digest string) (session.Pack, error) {
	img, err := d.findImage(d.in(ctx), digest)
	if err != nil {
		return session.Pack{}, d.fail(ctx, err, "looking for a Pack")
	}
	return packOf(img), nil
}
