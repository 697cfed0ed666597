package main

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"sort"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// containerdNameAnnotation is what containerd names an imported image by
// (containerd's images.AnnotationImageName).
const containerdNameAnnotation = "io.containerd.image.name"

// image describes everything of the image but its layers.
type image struct {
	name   string // reference the importing containerd gives it
	epoch  time.Time
	arch   string
	config ocispec.ImageConfig
}

// writeArchive writes an OCI image layout holding one manifest as a tar, and
// returns the manifest's digest: the target digest that containerd reports.
func writeArchive(out string, img image, layers []layer) (digest.Digest, error) {
	config := ocispec.Image{
		Created:  &img.epoch,
		Platform: ocispec.Platform{Architecture: img.arch, OS: "linux"},
		Config:   img.config,
		RootFS:   ocispec.RootFS{Type: "layers"},
	}
	manifest := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
	}
	for _, l := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.diffID)
		config.History = append(config.History, ocispec.History{Created: &img.epoch, CreatedBy: "packs/default/build"})
		manifest.Layers = append(manifest.Layers, l.desc)
	}
	configJSON, err := json.Marshal(config)
	if err != nil {
		return "", err
	}
	manifest.Config = ocispec.Descriptor{
		MediaType: ocispec.MediaTypeImageConfig,
		Digest:    digest.FromBytes(configJSON),
		Size:      int64(len(configJSON)),
	}
	manifestJSON, err := json.Marshal(manifest)
	if err != nil {
		return "", err
	}
	target := digest.FromBytes(manifestJSON)
	index := ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageIndex,
		Manifests: []ocispec.Descriptor{{
			MediaType: ocispec.MediaTypeImageManifest,
			Digest:    target,
			Size:      int64(len(manifestJSON)),
			Platform:  &ocispec.Platform{Architecture: img.arch, OS: "linux"},
			Annotations: map[string]string{
				containerdNameAnnotation:  img.name,
				ocispec.AnnotationRefName: img.name,
			},
		}},
	}
	indexJSON, err := json.Marshal(index)
	if err != nil {
		return "", err
	}
	layoutJSON, err := json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err != nil {
		return "", err
	}

	members := []member{
		{name: ocispec.ImageLayoutFile, data: layoutJSON},
		{name: ocispec.ImageIndexFile, data: indexJSON},
		{name: blobName(target), data: manifestJSON},
		{name: blobName(manifest.Config.Digest), data: configJSON},
	}
	for _, l := range layers {
		members = append(members, member{name: blobName(l.desc.Digest), file: l.path, size: l.desc.Size})
	}
	return target, writeMembers(out, img.epoch, members)
}

// member is one file of the archive, its bytes in memory or in a file.
type member struct {
	name string
	data []byte
	file string
	size int64
}

func blobName(d digest.Digest) string {
	return path.Join(ocispec.ImageBlobsDir, d.Algorithm().String(), d.Encoded())
}

func writeMembers(out string, epoch time.Time, members []member) (err error) {
	sort.Slice(members, func(i, j int) bool { return members[i].name < members[j].name })
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	tw := tar.NewWriter(f)
	for _, dir := range []string{"blobs/", "blobs/sha256/"} {
		if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: epoch}); err != nil {
			return err
		}
	}
	for _, m := range members {
		if err := m.write(tw, epoch); err != nil {
			return fmt.Errorf("archive member %s: %w", m.name, err)
		}
	}
	if err := tw.Close(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

func (m member) write(tw *tar.Writer, epoch time.Time) error {
	size := m.size
	if m.file == "" {
		size = int64(len(m.data))
	}
	h := &tar.Header{Typeflag: tar.TypeReg, Name: m.name, Mode: 0o644, Size: size, ModTime: epoch}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	if m.file == "" {
		_, err := tw.Write(m.data)
		return err
	}
	f, err := os.Open(m.file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(tw, f)
	return err
}
