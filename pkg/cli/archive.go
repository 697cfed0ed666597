package cli

import (
	"archive/tar"
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"

	"github.com/medforge/medforge/pkg/fault"
)

// unpackInto writes a tar archive's files below a folder, which is made if it
// is not there. Nothing is written outside of it, whatever the archive says and
// whatever links are in the folder. A file appears whole or not at all.
func unpackInto(dir string, r io.Reader, tell func(int64)) (files int, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, usage("%v", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, usage("%v", err)
	}
	defer root.Close()
	tr := tar.NewReader(&counter{r: r, tell: tell})
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return files, err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := unpackFile(root, h.Name, tr); err != nil {
			return files, fault.Wrap(err, fault.Internal, "client/cannot-write", "%s cannot be written: %v", path.Join(dir, h.Name), err)
		}
		files++
	}
}

func unpackFile(root *os.Root, name string, r io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	part := name + ".part"
	if err := root.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, root.Remove(part))
	}
	return root.Rename(part, name)
}

// packFolder writes a folder as a tar archive, the same bytes every time. Only
// regular files are taken; a link is refused, so that nothing from elsewhere
// is sent by mistake.
func packFolder(dir string, w io.Writer) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return usage("%v", err)
	}
	defer root.Close()
	tw := tar.NewWriter(w)
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			return usage("%s is a link or a special file; a bundle has regular files only.", path.Join(dir, name))
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		return packFile(tw, name, f)
	})
	if err != nil {
		return err
	}
	return tw.Close()
}

// packFile adds an open regular file.
func packFile(tw *tar.Writer, name string, f fs.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return usage("%s is not a regular file.", name)
	}
	if err := tw.WriteHeader(&tar.Header{Name: name, Size: st.Size(), Mode: 0o644, ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err = io.CopyN(tw, f, st.Size())
	return err
}

// packWanted writes the wanted files, found by name in a folder, a zip archive
// or as the one file itself, as a tar archive in their order.
func packWanted(where string, wanted []string, w io.Writer) error {
	st, err := os.Stat(where)
	if err != nil {
		return usage("%v", err)
	}
	tw := tar.NewWriter(w)
	switch {
	case st.IsDir():
		err = packFrom(os.DirFS(where), wanted, tw)
	case path.Ext(where) == ".zip":
		var z *zip.ReadCloser
		if z, err = zip.OpenReader(where); err != nil {
			return usage("%s is not a zip archive, or it is cut off: %v", where, err)
		}
		err = errors.Join(packFrom(z, wanted, tw), z.Close())
	case len(wanted) == 1 && path.Base(where) == wanted[0]:
		err = packFrom(os.DirFS(path.Dir(where)), wanted, tw)
	default:
		return usage("%s is neither a folder nor a zip archive with %v in it.", where, wanted)
	}
	if err != nil {
		return err
	}
	return tw.Close()
}

func packFrom(fsys fs.FS, wanted []string, tw *tar.Writer) error {
	found := map[string]string{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && slices.Contains(wanted, path.Base(name)) && found[path.Base(name)] == "" {
			found[path.Base(name)] = name
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range wanted {
		if found[name] == "" {
			return usage("%s is not there.", name)
		}
		f, err := fsys.Open(found[name])
		if err != nil {
			return err
		}
		if err := errors.Join(packFile(tw, name, f), f.Close()); err != nil {
			return fmt.Errorf("%s: %w", found[name], err)
		}
	}
	return nil
}
