package main

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

// layer is one compressed layer blob on disk.
type layer struct {
	path   string // the blob's file
	desc   ocispec.Descriptor
	diffID digest.Digest // digest of the uncompressed tar, as the image configuration lists it
}

// keptXattr is the only extended attribute that a layer carries: file
// capabilities. Others (SELinux labels, ACLs a host's file system adds) depend
// on the machine that builds and would make the digest depend on it too.
const keptXattr = "security.capability"

// writeLayer writes the entries that keep selects, in lexical order, as a
// zstd-compressed tar. The same tree gives the same bytes: times later than
// epoch become epoch, names of users and groups are left out, and the
// compressor runs on one thread.
func writeLayer(root, out string, epoch time.Time, keep func(rel string) bool) (layer, error) {
	f, err := os.Create(out)
	if err != nil {
		return layer{}, err
	}
	defer f.Close()

	blob := &countingHash{h: sha256.New()}
	enc, err := zstd.NewWriter(io.MultiWriter(f, blob),
		zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return layer{}, err
	}
	diff := sha256.New()
	tw := tar.NewWriter(io.MultiWriter(enc, diff))

	w := &treeWriter{root: root, epoch: epoch, tw: tw, links: map[inode]string{}}
	if err := w.walk(keep); err != nil {
		return layer{}, fmt.Errorf("layer of %s: %w", root, err)
	}
	if err := tw.Close(); err != nil {
		return layer{}, err
	}
	if err := enc.Close(); err != nil {
		return layer{}, err
	}
	if err := f.Close(); err != nil {
		return layer{}, err
	}
	return layer{
		path:   out,
		diffID: digest.NewDigestFromEncoded(digest.SHA256, hex.EncodeToString(diff.Sum(nil))),
		desc: ocispec.Descriptor{
			MediaType: ocispec.MediaTypeImageLayerZstd,
			Digest:    digest.NewDigestFromEncoded(digest.SHA256, hex.EncodeToString(blob.h.Sum(nil))),
			Size:      blob.n,
		},
	}, nil
}

type countingHash struct {
	h hash.Hash
	n int64
}

func (c *countingHash) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.h.Write(p)
}

type inode struct{ dev, ino uint64 }

type treeWriter struct {
	root  string
	epoch time.Time
	tw    *tar.Writer
	links map[inode]string // first name of each file that has several
}

// walk visits the tree in lexical order (filepath.WalkDir's own) and writes
// what keep selects.
func (w *treeWriter) walk(keep func(rel string) bool) error {
	return filepath.WalkDir(w.root, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(w.root, path)
		if err != nil {
			return err
		}
		if rel == "." || !keep(rel) {
			return nil
		}
		return w.add(path, rel)
	})
}

func (w *treeWriter) add(path, rel string) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	h := &tar.Header{
		Name:    rel,
		Mode:    int64(st.Mode & 0o7777),
		Uid:     int(st.Uid),
		Gid:     int(st.Gid),
		ModTime: w.clamp(time.Unix(st.Mtim.Sec, 0)),
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		h.Typeflag, h.Name = tar.TypeDir, rel+"/"
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		h.Typeflag, h.Linkname = tar.TypeSymlink, target
	case unix.S_IFREG:
		h.Typeflag, h.Size = tar.TypeReg, st.Size
		if st.Nlink > 1 {
			id := inode{dev: st.Dev, ino: st.Ino}
			if first, seen := w.links[id]; seen {
				h.Typeflag, h.Size, h.Linkname = tar.TypeLink, 0, first
			} else {
				w.links[id] = rel
			}
		}
	default:
		return fmt.Errorf("%s: a device, pipe or socket has no place in an image", rel)
	}
	if err := w.addCapability(path, h); err != nil {
		return err
	}
	if err := w.tw.WriteHeader(h); err != nil {
		return fmt.Errorf("%s: %w", rel, err)
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	src, err := os.Open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	_, err = io.Copy(w.tw, src)
	return err
}

// clamp implements SOURCE_DATE_EPOCH: older times stay, later ones become it.
func (w *treeWriter) clamp(t time.Time) time.Time {
	if t.After(w.epoch) {
		return w.epoch
	}
	return t
}

func (w *treeWriter) addCapability(path string, h *tar.Header) error {
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	buf := make([]byte, 64) // a vfs_cap_data is at most 24 bytes
	n, err := unix.Lgetxattr(path, keptXattr, buf)
	switch err {
	case nil:
		h.PAXRecords = map[string]string{"SCHILY.xattr." + keptXattr: string(buf[:n])}
		return nil
	case unix.ENODATA, unix.ENOTSUP:
		return nil
	default:
		return &os.PathError{Op: "lgetxattr", Path: path, Err: err}
	}
}

// under says whether rel is one of the given paths, lies below one, or is a
// directory on the way to one (a layer needs those, or the one who unpacks it
// invents their modes).
func under(rel string, paths []string) (inside, onTheWay bool) {
	for _, p := range paths {
		if rel == p || strings.HasPrefix(rel, p+"/") {
			return true, false
		}
		if strings.HasPrefix(p, rel+"/") {
			onTheWay = true
		}
	}
	return false, onTheWay
}
