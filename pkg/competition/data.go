package competition

import (
	"archive/tar"
	"context"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"
)

// DataFile is a file that people may fetch for a competition.
type DataFile struct {
	Path  string // as they get it
	Bytes int64
	disk  string
}

// Data lists what people may fetch: the sample submission, what the bundle has
// below data/, and the public part of the dataset. The labels are in none of
// these places. Errors: NotFound.
func (s *Service) Data(ctx context.Context, slug string) ([]DataFile, error) {
	c, err := s.o.Store.Competition(ctx, slug)
	if err != nil {
		return nil, err
	}
	bundle := s.bundleDir(c)
	sample := filepath.Join(bundle, sampleFile)
	st, err := os.Stat(sample)
	if err != nil {
		return nil, readFault(err)
	}
	out := []DataFile{{sampleFile, st.Size(), sample}}
	add := func(dir string) error {
		return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			st, err := d.Info()
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(dir, p)
			if err == nil {
				out = append(out, DataFile{path.Join(dataDir, filepath.ToSlash(rel)), st.Size(), p})
			}
			return err
		})
	}
	if _, err := os.Stat(filepath.Join(bundle, dataDir)); err == nil {
		if err := add(filepath.Join(bundle, dataDir)); err != nil {
			return nil, readFault(err)
		}
	}
	if c.DatasetSlug == "" {
		return out, nil
	}
	dir, ok, err := s.datasetDir(c.DatasetSlug)
	if err != nil || !ok {
		return out, err
	}
	return out, readFault(add(filepath.Join(dir, publicDir)))
}

// WriteData writes files of Data as one tar archive.
func (s *Service) WriteData(ctx context.Context, files []DataFile, w io.Writer) error {
	tw := tar.NewWriter(w)
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := writeData(tw, f); err != nil {
			return err
		}
	}
	return tw.Close()
}

func writeData(tw *tar.Writer, f DataFile) error {
	in, err := os.Open(f.disk)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := tw.WriteHeader(&tar.Header{Name: f.Path, Size: f.Bytes, Mode: 0o644, ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err = io.CopyN(tw, in, f.Bytes)
	return err
}
