package fakeruntime

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/medforge/medforge/pkg/session"
)

// readArchive reads an OCI archive, checks what is in it against its names, and
// that everything the index leads to is there.
func readArchive(archive io.Reader) (session.Pack, error) {
	sizes := map[digest.Digest]int64{}
	small := map[digest.Digest][]byte{}
	var index []byte
	tr := tar.NewReader(archive)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return session.Pack{}, err
		}
		if h.Name == ocispec.ImageIndexFile {
			if index, err = io.ReadAll(tr); err != nil {
				return session.Pack{}, err
			}
			continue
		}
		name, ok := strings.CutPrefix(h.Name, "blobs/sha256/")
		if !ok || h.Typeflag != tar.TypeReg {
			continue
		}
		body, err := io.ReadAll(tr)
		if err != nil {
			return session.Pack{}, err
		}
		if got := digest.FromBytes(body).Encoded(); got != name {
			return session.Pack{}, fmt.Errorf("blob %s has the digest %s", name, got)
		}
		d := digest.NewDigestFromEncoded(digest.SHA256, name)
		sizes[d] = int64(len(body))
		small[d] = body
	}
	if index == nil {
		return session.Pack{}, errors.New("it has no index.json")
	}
	var idx ocispec.Index
	if err := json.Unmarshal(index, &idx); err != nil {
		return session.Pack{}, fmt.Errorf("index.json: %w", err)
	}
	if len(idx.Manifests) != 1 {
		return session.Pack{}, fmt.Errorf("it holds %d images and must hold one", len(idx.Manifests))
	}
	target := idx.Manifests[0]
	var m ocispec.Manifest
	if err := json.Unmarshal(small[target.Digest], &m); err != nil {
		return session.Pack{}, fmt.Errorf("manifest %s: %w", target.Digest, err)
	}
	total := sizes[target.Digest]
	for _, part := range append([]ocispec.Descriptor{m.Config}, m.Layers...) {
		size, ok := sizes[part.Digest]
		if !ok {
			return session.Pack{}, fmt.Errorf("blob %s is missing", part.Digest)
		}
		total += size
	}
	id := target.Annotations[ocispec.AnnotationRefName]
	if id == "" {
		id = "default"
	}
	return session.Pack{ID: id, Digest: target.Digest.String(), SizeBytes: total}, nil
}
