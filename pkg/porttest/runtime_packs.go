package porttest

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

func imported(t *testing.T, k RuntimeKit) session.Pack {
	t.Helper()
	p, err := k.Packs.ImportPack(deadline(t), bytes.NewReader(k.Archive))
	must(t, err, "ImportPack")
	return p
}

func listPacks(t *testing.T, k RuntimeKit) []session.Pack {
	t.Helper()
	all, err := k.Packs.ListPacks(deadline(t))
	must(t, err, "ListPacks")
	return all
}

func testPacks(t *testing.T, k RuntimeKit) {
	if got := listPacks(t, k); len(got) != 0 {
		t.Fatalf("an empty runtime lists packs: %+v", got)
	}
	p := imported(t, k)
	if p.ID == "" || !strings.HasPrefix(p.Digest, "sha256:") || p.SizeBytes <= 0 || p.ImportedAt.IsZero() {
		t.Fatalf("the imported pack is not described: %+v", p)
	}
	if again := imported(t, k); again.Digest != p.Digest || again.ID != p.ID || !again.ImportedAt.Equal(p.ImportedAt) {
		t.Errorf("importing the same archive again gave %+v, first it was %+v", again, p)
	}
	if got := listPacks(t, k); len(got) != 1 || got[0] != p {
		t.Errorf("ListPacks = %+v, want only %+v", got, p)
	}
	found, err := k.Packs.FindPack(deadline(t), p.Digest)
	must(t, err, "FindPack")
	if found != p {
		t.Errorf("FindPack = %+v, want %+v", found, p)
	}
	for _, digest := range []string{"sha256:" + strings.Repeat("0", 64), "", "latest", p.Digest + "0", p.Digest[:20]} {
		_, err := k.Packs.FindPack(deadline(t), digest)
		wantKind(t, err, fault.NotFound, "FindPack of "+digest)
	}
}

// testBadArchives breaks a sound archive in every way that a copy over a bad
// line or a wrong file can, and wants Invalid and nothing kept.
func testBadArchives(t *testing.T, k RuntimeKit) {
	files := readTar(t, k.Archive)
	flip := func(pick func(name string, body []byte) bool) []byte {
		var out []tarFile
		done := false
		for _, f := range files {
			if !done && pick(f.name, f.body) {
				body := bytes.Clone(f.body)
				body[len(body)/2] ^= 1
				f.body, done = body, true
			}
			out = append(out, f)
		}
		if !done {
			t.Fatal("the archive has nothing to break")
		}
		return writeTar(t, out)
	}
	drop := func(pick func(name string, body []byte) bool) []byte {
		var out []tarFile
		for _, f := range files {
			if !pick(f.name, f.body) {
				out = append(out, f)
			}
		}
		return writeTar(t, out)
	}
	blob := func(name string) bool { return strings.HasPrefix(name, "blobs/sha256/") }
	big := 0
	for _, f := range files {
		big = max(big, len(f.body))
	}
	isLayer := func(name string, body []byte) bool { return blob(name) && len(body) == big }
	isConfig := func(name string, body []byte) bool {
		return blob(name) && bytes.Contains(body, []byte(`"rootfs"`)) && len(body) < 1<<16
	}
	isManifest := func(name string, body []byte) bool {
		return blob(name) && bytes.Contains(body, []byte(`"layers"`)) && len(body) < 1<<16
	}

	tests := map[string][]byte{
		"a bit of the layer flipped":    flip(isLayer),
		"a bit of the config flipped":   flip(isConfig),
		"a bit of the manifest flipped": flip(isManifest),
		"layer missing":                 drop(isLayer),
		"config missing":                drop(isConfig),
		"manifest missing":              drop(isManifest),
		"no index":                      drop(func(name string, _ []byte) bool { return name == "index.json" }),
		"cut short":                     k.Archive[:len(k.Archive)*2/3],
		"empty":                         {},
		"not a tar":                     bytes.Repeat([]byte("this is not an archive\n"), 100),
		"a tar of something else":       writeTar(t, []tarFile{{"README", []byte("hello")}}),
	}
	for name, archive := range tests {
		_, err := k.Packs.ImportPack(deadline(t), bytes.NewReader(archive))
		wantKind(t, err, fault.Invalid, name)
		if got := listPacks(t, k); len(got) != 0 {
			t.Fatalf("%s: a refused archive left the pack %+v", name, got)
		}
	}
	imported(t, k) // the sound one still can be
}

func testTampered(t *testing.T, k RuntimeKit) {
	p := imported(t, k)
	k.Tamper(t, p.Digest)
	spec := k.Spec(t, p.Digest)
	wantKind(t, k.Runtime.Create(deadline(t), spec), fault.Conflict, "Create from a pack with another digest")
	_, err := k.Runtime.Inspect(deadline(t), spec.Slug)
	wantKind(t, err, fault.NotFound, "Inspect after a refused Create")
	if hasNetwork(t, k, spec.Slug) {
		t.Error("a refused Create left a network")
	}
}

type tarFile struct {
	name string
	body []byte
}

func readTar(t *testing.T, archive []byte) []tarFile {
	t.Helper()
	var files []tarFile
	tr := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		must(t, err, "reading the kit's archive")
		if h.Typeflag != tar.TypeReg {
			continue
		}
		body, err := io.ReadAll(tr)
		must(t, err, "reading the kit's archive")
		files = append(files, tarFile{h.Name, body})
	}
}

func writeTar(t *testing.T, files []tarFile) []byte {
	t.Helper()
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	for _, f := range files {
		must(t, tw.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.body))}), "writing an archive")
		_, err := tw.Write(f.body)
		must(t, err, "writing an archive")
	}
	must(t, tw.Close(), "writing an archive")
	return buf.Bytes()
}
