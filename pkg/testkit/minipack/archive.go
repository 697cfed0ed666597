package minipack

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// NameLabel is the image label that carries a Pack's name, as packs/default
// sets it.
const NameLabel = "medforge.pack.name"

// File is one more file of an image.
type File struct {
	Path string // absolute, in the image
	Body []byte
	Mode int64
}

// Archive returns an OCI archive: the program ide at /ide as its entrypoint, a
// user 1000:1000, and files. The same arguments give the same bytes. name is
// the Pack's.
func Archive(name string, ide []byte, files ...File) ([]byte, error) {
	layer, err := layerTar(append([]File{
		{Path: "/ide", Body: ide, Mode: 0o755},
		{Path: "/etc/passwd", Body: []byte("root:x:0:0::/root:/ide\ncoder:x:1000:1000::/workspace:/ide\n"), Mode: 0o644},
		{Path: "/etc/group", Body: []byte("root:x:0:\ncoder:x:1000:\n"), Mode: 0o644},
	}, files...))
	if err != nil {
		return nil, err
	}
	platform := ocispec.Platform{Architecture: runtime.GOARCH, OS: "linux"}
	config, err := json.Marshal(ocispec.Image{
		Platform: platform,
		Config: ocispec.ImageConfig{
			User:       "1000:1000",
			Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin:/", "MINIPACK=1"},
			Entrypoint: []string{"/ide"},
			Labels:     map[string]string{NameLabel: name},
		},
		RootFS: ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(layer)}},
	})
	if err != nil {
		return nil, err
	}
	manifest, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    descriptor(ocispec.MediaTypeImageConfig, config),
		Layers:    []ocispec.Descriptor{descriptor(ocispec.MediaTypeImageLayer, layer)},
	})
	if err != nil {
		return nil, err
	}
	target := descriptor(ocispec.MediaTypeImageManifest, manifest)
	target.Platform = &platform
	target.Annotations = map[string]string{ocispec.AnnotationRefName: name}
	index, err := json.Marshal(ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageIndex,
		Manifests: []ocispec.Descriptor{target},
	})
	if err != nil {
		return nil, err
	}
	layout, err := json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	for _, f := range []File{
		{ocispec.ImageLayoutFile, layout, 0o644},
		{ocispec.ImageIndexFile, index, 0o644},
		{blobPath(manifest), manifest, 0o644},
		{blobPath(config), config, 0o644},
		{blobPath(layer), layer, 0o644},
	} {
		if err := writeFile(tw, f); err != nil {
			return nil, err
		}
	}
	if err := tw.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func descriptor(mediaType string, body []byte) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(body), Size: int64(len(body))}
}

func blobPath(body []byte) string {
	return path.Join(ocispec.ImageBlobsDir, digest.SHA256.String(), digest.FromBytes(body).Encoded())
}

// layerTar is the root file system: the folders that a container mounts on,
// and the files.
func layerTar(files []File) ([]byte, error) {
	modes := map[string]int64{
		"dev": 0o755, "etc": 0o755, "proc": 0o755, "run": 0o755, "run/medforge": 0o755, "sys": 0o755,
		"tmp": 0o1777, "usr": 0o755, "usr/local": 0o755, "usr/local/bin": 0o755, "workspace": 0o755,
	}
	for _, f := range files {
		for dir := path.Dir(strings.TrimPrefix(f.Path, "/")); dir != "."; dir = path.Dir(dir) {
			if _, ok := modes[dir]; !ok {
				modes[dir] = 0o755
			}
		}
	}
	var dirs []string
	for dir := range modes {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	for _, dir := range dirs {
		if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: modes[dir]}); err != nil {
			return nil, err
		}
	}
	for _, f := range files {
		f.Path = strings.TrimPrefix(f.Path, "/")
		if err := writeFile(tw, f); err != nil {
			return nil, err
		}
	}
	if err := tw.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func writeFile(tw *tar.Writer, f File) error {
	if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.Path, Mode: f.Mode, Size: int64(len(f.Body))}); err != nil {
		return err
	}
	_, err := tw.Write(f.Body)
	return err
}
