package containerd_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/containerd/containerd/v2/core/leases"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/testkit/minipack"
)

// parts is a whole image, to be changed and put together again with digests
// that are right.
type parts struct {
	config   ocispec.Image
	manifest ocispec.Manifest
	index    ocispec.Index
	layer    []byte
	more     map[string][]byte // further files of the archive
}

// remake changes an archive and returns one that is sound in itself.
func remake(t *testing.T, archive []byte, change func(*parts)) []byte {
	t.Helper()
	files := map[string][]byte{}
	for tr := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		noErr(t, err)
		files[h.Name], err = io.ReadAll(tr)
		noErr(t, err)
	}
	blob := func(d digest.Digest) []byte { return files["blobs/sha256/"+d.Encoded()] }
	p := parts{more: map[string][]byte{}}
	noErr(t, json.Unmarshal(files["index.json"], &p.index))
	noErr(t, json.Unmarshal(blob(p.index.Manifests[0].Digest), &p.manifest))
	noErr(t, json.Unmarshal(blob(p.manifest.Config.Digest), &p.config))
	p.layer = blob(p.manifest.Layers[0].Digest)
	change(&p)

	var out bytes.Buffer
	tw := tar.NewWriter(&out)
	add := func(name string, body []byte) {
		noErr(t, tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(body))}))
		_, err := tw.Write(body)
		noErr(t, err)
	}
	addBlob := func(v any, d *ocispec.Descriptor) {
		body, ok := v.([]byte)
		if !ok {
			var err error
			body, err = json.Marshal(v)
			noErr(t, err)
		}
		wrong := d.Size < 0 // asked for
		d.Digest, d.Size = digest.FromBytes(body), int64(len(body))
		add("blobs/sha256/"+d.Digest.Encoded(), body)
		if wrong {
			d.Size++
		}
	}
	add("oci-layout", files["oci-layout"])
	addBlob(p.layer, &p.manifest.Layers[0])
	addBlob(p.config, &p.manifest.Config)
	addBlob(p.manifest, &p.index.Manifests[0])
	for i := range p.index.Manifests[1:] {
		p.index.Manifests[i+1].Digest = p.index.Manifests[0].Digest
		p.index.Manifests[i+1].Size = p.index.Manifests[0].Size
	}
	index, err := json.Marshal(p.index)
	noErr(t, err)
	add("index.json", index)
	for name, body := range p.more {
		add(name, body)
	}
	noErr(t, tw.Close())
	return out.Bytes()
}

// TestOddArchives are archives whose every digest is right and that still must
// not become a Pack, each with a message that says why; and some that may.
func TestOddArchives(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	mini := minipack.Build(t)
	refused := map[string]struct {
		change func(*parts)
		says   string
	}{
		"diff id":       {func(p *parts) { p.config.RootFS.DiffIDs[0] = digest.FromString("x") }, "not what the image's configuration says"},
		"no entrypoint": {func(p *parts) { p.config.Config.Entrypoint = nil }, "no entrypoint"},
		"another machine": {func(p *parts) {
			p.config.Architecture = "s390x"
			p.index.Manifests[0].Platform = &ocispec.Platform{OS: "linux", Architecture: "s390x"}
		}, "is for linux/s390x"},
		"two images": {func(p *parts) { p.index.Manifests = append(p.index.Manifests, p.index.Manifests[0]) }, "holds 2 images"},
		"no image":   {func(p *parts) { p.index.Manifests = p.index.Manifests[:1]; p.more["index.json"] = []byte("{}") }, "holds 0 images"},
		"bad name":   {func(p *parts) { p.config.Config.Labels[minipack.NameLabel] = "../Evil" }, "is not a name"},
		"wrong size": {func(p *parts) { p.manifest.Layers[0].Size = -1 }, "bytes and should have"},
		"huge index": {func(p *parts) { p.more["index.json"] = bytes.Repeat([]byte(" "), 2<<20) }, "is larger than"},
		"name of a blob": {func(p *parts) {
			p.more["blobs/sha256/../../../etc/passwd0"] = nil
			p.more["blobs/sha256/abc"] = []byte("x")
		}, "abc"},
		"blob of md5": {func(p *parts) { p.more["blobs/md5/"+strings.Repeat("0", 32)] = []byte("x") }, "unsupported digest algorithm"},
	}
	for name, tc := range refused {
		_, err := h.Driver.ImportPack(t.Context(), bytes.NewReader(remake(t, mini, tc.change)))
		if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.As(err).Message, tc.says) {
			t.Errorf("%s: %v; want Invalid that says %q", name, err, tc.says)
		}
	}
	if all, err := h.Driver.ListPacks(t.Context()); err != nil || len(all) != 0 {
		t.Fatalf("refused archives left %+v, %v", all, err)
	}
	h.AssertClean(t)

	unnamed, err := h.Driver.ImportPack(t.Context(), bytes.NewReader(remake(t, mini, func(p *parts) {
		p.config.Config.Labels = nil
		p.index.Manifests[0].Annotations = nil
		p.more["README"] = []byte("ignored")
	})))
	noErr(t, err)
	if unnamed.ID != "default" {
		t.Errorf("a Pack without a name is %q, want default", unnamed.ID)
	}
	// An index of several machines' images, as big registries make them.
	nested, err := h.Driver.ImportPack(t.Context(), bytes.NewReader(nest(t, mini)))
	noErr(t, err)
	h.start(t, h.spec(t, nested.Digest))
}

// nest puts the archive's image below an index that also names an image for
// another machine, which is not in the archive.
func nest(t *testing.T, archive []byte) []byte {
	t.Helper()
	return remake(t, archive, func(p *parts) {
		// remake writes manifest and layers; the index over them is one more blob.
		config, err := json.Marshal(p.config)
		noErr(t, err)
		p.manifest.Config.Digest, p.manifest.Config.Size = digest.FromBytes(config), int64(len(config))
		p.manifest.Layers[0].Digest, p.manifest.Layers[0].Size = digest.FromBytes(p.layer), int64(len(p.layer))
		body, err := json.Marshal(p.manifest)
		noErr(t, err)
		inner := ocispec.Index{
			Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex,
			Manifests: []ocispec.Descriptor{
				{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("elsewhere"), Size: 9, Platform: &ocispec.Platform{OS: "linux", Architecture: "s390x"}},
				{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(body), Size: int64(len(body)), Platform: p.index.Manifests[0].Platform},
			},
		}
		innerBody, err := json.Marshal(inner)
		noErr(t, err)
		p.more["blobs/sha256/"+digest.FromBytes(innerBody).Encoded()] = innerBody
		outer, err := json.Marshal(ocispec.Index{
			Versioned: specs.Versioned{SchemaVersion: 2},
			Manifests: []ocispec.Descriptor{{MediaType: ocispec.MediaTypeImageIndex, Digest: digest.FromBytes(innerBody), Size: int64(len(innerBody))}},
		})
		noErr(t, err)
		p.more["index.json"] = outer // the later one counts
	})
}

// TestNothingCollected runs containerd's garbage collector at every stage.
func TestNothingCollected(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	collect := func() {
		ls := h.Client().LeasesService()
		l, err := ls.Create(h.Context(t), leases.WithRandomID())
		noErr(t, err)
		noErr(t, ls.Delete(h.Context(t), l, leases.SynchronousDelete))
	}
	digest := h.importMini(t)
	collect()
	s := h.spec(t, digest)
	noErr(t, h.Driver.Create(t.Context(), s))
	collect()
	noErr(t, h.Driver.Start(t.Context(), s.Slug))
	p := h.probe(t, s.Slug)
	noErr(t, p.Write("/tmp/x", "kept"))
	collect()
	if got, err := p.Read("/tmp/x"); err != nil || got != "kept" {
		t.Errorf("the session's layer: %q, %v", got, err)
	}
	noErr(t, h.Driver.Stop(t.Context(), s.Slug, 0))
	noErr(t, h.Driver.Remove(t.Context(), s.Slug))
	collect()
	again := h.spec(t, digest)
	if _, err := h.start(t, again).Read("/tmp/x"); err == nil {
		t.Error("a new session has an old one's files")
	}
}

// TestImportAtOnce imports one archive several times at once.
func TestImportAtOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	archive := minipack.Build(t)
	packs := make([]session.Pack, 4)
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for i := range packs {
		wg.Go(func() { packs[i], errs[i] = h.Driver.ImportPack(t.Context(), bytes.NewReader(archive)) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil || packs[i] != packs[0] {
			t.Errorf("import %d: %+v, %v", i, packs[i], err)
		}
	}
	if all, err := h.Driver.ListPacks(t.Context()); err != nil || !slices.Equal(all, packs[:1]) {
		t.Errorf("ListPacks = %+v, %v", all, err)
	}
}
