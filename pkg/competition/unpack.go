package competition

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/medforge/medforge/pkg/fault"
)

// codeArchive is the code of an archive that is not unpacked.
const codeArchive = "competitions/archive-refused"

func refused(name, why string) error {
	if len(name) > 200 {
		name = name[:200] + "..."
	}
	return fault.New(fault.Invalid, codeArchive, "The archive is refused: %q %s. Nothing was kept.", name, why)
}

// unpackTar unpacks an archive of a stranger's into the empty folder at to:
// regular files with plain paths, so many bytes at most.
func unpackTar(ctx context.Context, to string, archive io.Reader, most int64) error {
	root, err := os.OpenRoot(to)
	if err != nil {
		return diskFault(err)
	}
	defer root.Close()
	src := &source{ctx: ctx, r: archive}
	tr := tar.NewReader(src)
	left, files := most, 0
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return archiveFault(src.err, err)
		}
		name := strings.TrimPrefix(strings.TrimSuffix(h.Name, "/"), "./")
		if h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		files++
		switch {
		case h.Typeflag != tar.TypeReg:
			return refused(h.Name, "is a link or a special file")
		case !fs.ValidPath(name) || strings.Contains(name, `\`):
			return refused(h.Name, "is a path that leaves the folder")
		case h.Size > left:
			return refused(h.Name, "makes it larger than is taken")
		case files > maxBundleFiles:
			return refused(h.Name, "is one file too many")
		}
		left -= h.Size
		if err := writeFile(root, name, tr); err != nil {
			if src.err != nil || errors.Is(err, io.ErrUnexpectedEOF) {
				return archiveFault(src.err, err)
			}
			if errors.Is(err, fs.ErrExist) {
				return refused(h.Name, "stands there twice")
			}
			return diskFault(err)
		}
	}
}

// archiveFault tells a sender that went away from an archive that is none.
func archiveFault(sender, err error) error {
	if fault.As(sender) != nil || errors.Is(sender, context.Canceled) {
		return sender
	}
	return fault.Wrap(err, fault.Invalid, "competitions/archive-broken", "The archive is broken or did not arrive whole. Nothing was kept; send it again.")
}

// zipLimits bound what a stranger's zip may become.
type zipLimits struct {
	files int
	bytes int64
}

// maxRatio is how many times larger than in the archive a large member may
// be; deflate reaches 1,032.
const maxRatio = 200

// openZip reads a zip's list and refuses what is no plain archive: paths that
// leave the folder, links, members that grow out of all proportion.
func openZip(r io.ReaderAt, size int64, most zipLimits) (*zip.Reader, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "competitions/archive-broken", "This is not a zip archive, or it is cut off.")
	}
	if len(z.File) > most.files {
		return nil, refused("", "has too many files")
	}
	left := uint64(most.bytes)
	for _, f := range z.File {
		switch {
		case f.FileInfo().IsDir():
			continue
		case !fs.ValidPath(f.Name) || strings.Contains(f.Name, `\`):
			return nil, refused(f.Name, "is a path that leaves the folder")
		case !f.Mode().IsRegular():
			return nil, refused(f.Name, "is a link or a special file")
		case f.UncompressedSize64 > left:
			return nil, refused(f.Name, "makes it larger than is taken")
		case f.UncompressedSize64 > 1<<20 && f.UncompressedSize64/maxRatio > f.CompressedSize64:
			return nil, refused(f.Name, "grows out of all proportion when it is unpacked")
		}
		left -= f.UncompressedSize64
	}
	return z, nil
}

// readZip reads one member, which may not be larger than its entry says.
func readZip(f *zip.File, most int64) ([]byte, error) {
	if f.UncompressedSize64 > uint64(most) {
		return nil, refused(f.Name, "is too large")
	}
	r, err := f.Open()
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "competitions/archive-broken", "%q in the archive cannot be read.", f.Name)
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil || int64(len(raw)) > most {
		return nil, fault.Wrap(err, fault.Invalid, "competitions/archive-broken", "%q in the archive is broken.", f.Name)
	}
	return raw, nil
}
