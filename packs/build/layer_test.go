package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/testkit/promised"
)

var epoch = time.Unix(1_700_000_000, 0).UTC()

func everything(string) bool { return true }

// plant makes a small tree with every kind of thing an image holds.
func plant(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"bin", "opt/ide/lib", "opt/other", "tmp"} {
		must(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	// Written in an order that is not the archive's.
	for _, f := range []struct {
		name string
		mode os.FileMode
	}{{"opt/ide/lib/z", 0o644}, {"bin/b", 0o755}, {"bin/a", 0o644}, {"opt/other/o", 0o600}, {"tmp/leftover", 0o644}} {
		must(t, os.WriteFile(filepath.Join(root, f.name), []byte(f.name), f.mode))
	}
	must(t, os.Chmod(filepath.Join(root, "bin/b"), 0o4755|os.ModeSetuid))
	must(t, os.Link(filepath.Join(root, "bin/a"), filepath.Join(root, "bin/same-as-a")))
	must(t, os.Symlink("../bin/b", filepath.Join(root, "opt/link")))
	old := epoch.Add(-time.Hour)
	must(t, os.Chtimes(filepath.Join(root, "bin/a"), old, old))
	return root
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func pack(t *testing.T, root string, keep func(string) bool) layer {
	t.Helper()
	l, err := writeLayer(root, filepath.Join(t.TempDir(), "layer"), epoch, keep)
	must(t, err)
	return l
}

func headers(t *testing.T, l layer) map[string]*tar.Header {
	t.Helper()
	f, err := os.Open(l.path)
	must(t, err)
	defer f.Close()
	dec, err := zstd.NewReader(f)
	must(t, err)
	defer dec.Close()
	found, order := map[string]*tar.Header{}, []string{}
	for tr := tar.NewReader(dec); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		name := strings.TrimSuffix(h.Name, "/")
		found[name], order = h, append(order, name)
	}
	byPath := func(a, b string) int {
		return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
	}
	if !slices.IsSortedFunc(order, byPath) {
		t.Errorf("entries are not sorted: %q", order)
	}
	return found
}

func TestLayerIsTheSameFromTheSameTree(t *testing.T) {
	t.Parallel()
	first, second := pack(t, plant(t), everything), pack(t, plant(t), everything)
	if first.desc.Digest != second.desc.Digest || first.diffID != second.diffID {
		t.Errorf("two trees alike gave %s and %s", first.desc.Digest, second.desc.Digest)
	}
	other := plant(t)
	must(t, os.Chmod(filepath.Join(other, "bin/a"), 0o640))
	if third := pack(t, other, everything); third.diffID == first.diffID {
		t.Error("a changed mode did not change the layer")
	}
}

func TestLayerKeepsWhatMatters(t *testing.T) {
	t.Parallel()
	got := headers(t, pack(t, plant(t), everything))
	if h := got["bin/b"]; h.Mode != 0o4755 || !h.ModTime.Equal(epoch) {
		t.Errorf("bin/b: mode %o, time %v; want 4755 and the epoch, since it is newer", h.Mode, h.ModTime)
	}
	if h := got["bin/a"]; !h.ModTime.Equal(epoch.Add(-time.Hour)) {
		t.Errorf("bin/a: time %v; want its own, which is older than the epoch", h.ModTime)
	}
	if h := got["bin/same-as-a"]; h.Typeflag != tar.TypeLink || h.Linkname != "bin/a" {
		t.Errorf("bin/same-as-a: type %c to %q; want a hard link to bin/a", h.Typeflag, h.Linkname)
	}
	if h := got["opt/link"]; h.Typeflag != tar.TypeSymlink || h.Linkname != "../bin/b" {
		t.Errorf("opt/link: type %c to %q", h.Typeflag, h.Linkname)
	}
	for name, h := range got {
		if h.Uname != "" || h.Gname != "" || h.Uid != os.Getuid() {
			t.Errorf("%s: owner %d %q %q; want the number alone", name, h.Uid, h.Uname, h.Gname)
		}
	}
}

func TestLayerKeepsFileCapabilities(t *testing.T) {
	t.Parallel()
	root := plant(t)
	// cap_net_raw+ep, a version 2 vfs_cap_data (linux/capability.h).
	capability := []byte{1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if err := unix.Setxattr(filepath.Join(root, "bin/b"), keptXattr, capability, 0); err != nil {
		promised.Missing(t, "this user or file system sets no capabilities: %v", err)
	}
	// One that must not be carried.
	must(t, unix.Setxattr(filepath.Join(root, "bin/a"), "trusted.overlay.origin", []byte("x"), 0))
	got := headers(t, pack(t, root, everything))
	if v := got["bin/b"].PAXRecords["SCHILY.xattr."+keptXattr]; !bytes.Equal([]byte(v), capability) {
		t.Errorf("bin/b's capabilities: %q, want %q", v, capability)
	}
	if len(got["bin/a"].PAXRecords) != 0 {
		t.Errorf("bin/a carries %q", got["bin/a"].PAXRecords)
	}
}

func TestLayersSplitTheTree(t *testing.T) {
	t.Parallel()
	layers, err := writeLayers(plant(t), t.TempDir(), epoch, []string{"opt/ide"})
	must(t, err)
	base, top := headers(t, layers[0]), headers(t, layers[1])
	for _, name := range []string{"bin/a", "opt", "opt/other/o", "tmp"} {
		if base[name] == nil {
			t.Errorf("the base layer lacks %s", name)
		}
	}
	for _, name := range []string{"opt/ide", "opt/ide/lib/z", "tmp/leftover"} {
		if base[name] != nil {
			t.Errorf("the base layer has %s", name)
		}
	}
	var names []string
	for name := range top {
		names = append(names, name)
	}
	slices.Sort(names)
	if want := []string{"opt", "opt/ide", "opt/ide/lib", "opt/ide/lib/z"}; !slices.Equal(names, want) {
		t.Errorf("the top layer has %q, want %q", names, want)
	}
}

func TestLayerRefusesWhatNoImageHolds(t *testing.T) {
	t.Parallel()
	root := plant(t)
	l, err := net.Listen("unix", filepath.Join(root, "bin/socket"))
	must(t, err)
	defer l.Close()
	_, err = writeLayer(root, filepath.Join(t.TempDir(), "layer"), epoch, everything)
	if err == nil || !strings.Contains(err.Error(), "bin/socket") {
		t.Errorf("a socket in the tree: %v; want an error that names it", err)
	}
}
