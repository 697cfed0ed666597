package containerd

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/google/uuid"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxIndex bounds the small JSON files of an archive.
const maxIndex = 1 << 20

// ingest reads an OCI archive (a tar of an image layout) and writes its blobs to
// the content store. Every blob is compared with the digest that is its name,
// also one that the store has already. It returns the archive's one image.
//
// containerd's own importer stores a blob under the digest it has, whatever its
// name says; a broken blob would then only be missed, and not even that if the
// store has a sound one.
func ingest(ctx context.Context, store content.Store, archive io.Reader) (ocispec.Descriptor, error) {
	var layout, index []byte
	for tr := tar.NewReader(archive); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return ocispec.Descriptor{}, unsound("it is not a whole tar file: %w", err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		switch name := path.Clean(h.Name); {
		case name == ocispec.ImageLayoutFile:
			layout, err = readSmall(tr, name)
		case name == ocispec.ImageIndexFile:
			index, err = readSmall(tr, name)
		case path.Dir(path.Dir(name)) == ocispec.ImageBlobsDir:
			d := digest.NewDigestFromEncoded(digest.Algorithm(path.Base(path.Dir(name))), path.Base(name))
			err = ingestBlob(ctx, store, tr, d, h.Size)
		}
		if err != nil {
			return ocispec.Descriptor{}, err
		}
	}
	return theImage(layout, index)
}

func readSmall(r io.Reader, name string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxIndex+1))
	if err != nil {
		return nil, unsound("it is not a whole tar file: %w", err)
	}
	if len(b) > maxIndex {
		return nil, unsound("its %s is larger than %d bytes", name, maxIndex)
	}
	return b, nil
}

func ingestBlob(ctx context.Context, store content.Store, r io.Reader, d digest.Digest, size int64) (err error) {
	if err := d.Validate(); err != nil {
		return unsound("blob %q: %w", d, err)
	}
	// A name for this time only: the store goes on with what it finds half
	// written under a name, be it sound or not.
	ref := "medforge-" + uuid.NewString()
	defer func() {
		if err != nil {
			undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
			defer cancel()
			_ = store.Abort(undo, ref) // else it goes with the import's lease
		}
	}()
	verifier := d.Verifier()
	src := &source{r: io.TeeReader(r, verifier)}
	err = content.WriteBlob(ctx, store, ref, src, ocispec.Descriptor{Digest: d, Size: size})
	if src.err != nil {
		return unsound("it is not a whole tar file: %w", src.err)
	}
	// What the store did not want to read, because it has it, is read here.
	if _, copyErr := io.Copy(io.Discard, src); copyErr != nil {
		return unsound("it is not a whole tar file: %w", copyErr)
	}
	if !verifier.Verified() {
		return unsound("what it holds under the name %s has another digest", d)
	}
	if err != nil {
		return fmt.Errorf("storing blob %s: %w", d, err)
	}
	return nil
}

// source remembers an error of the reader, to tell it from one of the store.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// theImage returns the one image that an index names.
func theImage(layout, index []byte) (ocispec.Descriptor, error) {
	var l ocispec.ImageLayout
	if layout == nil || json.Unmarshal(layout, &l) != nil || l.Version != ocispec.ImageLayoutVersion {
		return ocispec.Descriptor{}, unsound("it has no %s file of version %s; make it with packs/default/build, or skopeo copy ... oci-archive:FILE",
			ocispec.ImageLayoutFile, ocispec.ImageLayoutVersion)
	}
	if index == nil {
		return ocispec.Descriptor{}, unsound("it has no %s", ocispec.ImageIndexFile)
	}
	var idx ocispec.Index
	if err := json.NewDecoder(bytes.NewReader(index)).Decode(&idx); err != nil {
		return ocispec.Descriptor{}, unsound("its %s cannot be read: %w", ocispec.ImageIndexFile, err)
	}
	if len(idx.Manifests) != 1 {
		return ocispec.Descriptor{}, unsound("it holds %d images and must hold one", len(idx.Manifests))
	}
	d := idx.Manifests[0]
	if err := d.Digest.Validate(); err != nil {
		return ocispec.Descriptor{}, unsound("its %s names the digest %q: %w", ocispec.ImageIndexFile, d.Digest, err)
	}
	return d, nil
}

// unsoundError says what is wrong with an archive, as it stands after "this
// archive cannot be used: ".
type unsoundError struct{ error }

func (e unsoundError) Unwrap() error { return e.error }

func unsound(format string, args ...any) error { return unsoundError{fmt.Errorf(format, args...)} }
