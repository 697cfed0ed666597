package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestArchiveIsAnImageLayout reads the archive as an importer would: from
// index.json by digest down to each layer.
func TestArchiveIsAnImageLayout(t *testing.T) {
	t.Parallel()
	layers, err := writeLayers(plant(t), t.TempDir(), epoch, []string{"opt"})
	must(t, err)
	img := image{name: "example/packs/x:1", epoch: epoch, arch: "amd64", config: ocispec.ImageConfig{
		User: "1000:1000", Env: []string{"LANG=C.UTF-8"}, Labels: map[string]string{"k": "v"},
	}}
	out := filepath.Join(t.TempDir(), "archive.tar")
	target, err := writeArchive(out, img, layers)
	must(t, err)
	files := members(t, out)

	var layout ocispec.ImageLayout
	decode(t, files["oci-layout"], &layout)
	if layout.Version != "1.0.0" {
		t.Errorf("layout version %q", layout.Version)
	}
	var index ocispec.Index
	decode(t, files["index.json"], &index)
	if len(index.Manifests) != 1 || index.Manifests[0].Digest != target {
		t.Fatalf("the index names %v, want only %s", index.Manifests, target)
	}
	if got := index.Manifests[0].Annotations["io.containerd.image.name"]; got != img.name {
		t.Errorf("image name %q", got)
	}
	var manifest ocispec.Manifest
	decode(t, blob(t, files, target), &manifest)
	var config ocispec.Image
	decode(t, blob(t, files, manifest.Config.Digest), &config)
	if config.Config.User != "1000:1000" || config.Config.Labels["k"] != "v" || config.Architecture != "amd64" {
		t.Errorf("configuration: %+v", config)
	}
	if len(manifest.Layers) != 2 || len(config.RootFS.DiffIDs) != 2 {
		t.Fatalf("%d layers, %d diff ids; want 2 of each", len(manifest.Layers), len(config.RootFS.DiffIDs))
	}
	for _, l := range manifest.Layers {
		if data := blob(t, files, l.Digest); int64(len(data)) != l.Size {
			t.Errorf("layer %s has %d bytes, its descriptor says %d", l.Digest, len(data), l.Size)
		}
	}
}

func members(t *testing.T, path string) map[string][]byte {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	files := map[string][]byte{}
	for tr := tar.NewReader(f); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		must(t, err)
		files[h.Name], err = io.ReadAll(tr)
		must(t, err)
	}
}

// blob returns a blob's bytes after checking that they are what its name says.
func blob(t *testing.T, files map[string][]byte, d digest.Digest) []byte {
	t.Helper()
	data, ok := files["blobs/sha256/"+d.Encoded()]
	if !ok || digest.FromBytes(data) != d {
		t.Fatalf("blob %s is missing or has other bytes", d)
	}
	return data
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
}
