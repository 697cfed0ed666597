package competition_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"testing"

	"testing/fstest"
)

// archive packs a folder as the command line does.
func archive(t testing.TB, files fstest.MapFS) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	ok(t, fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f := files[path]
		ok(t, w.WriteHeader(&tar.Header{Name: path, Size: int64(len(f.Data)), Mode: 0o644, Typeflag: tar.TypeReg}))
		_, err = w.Write(f.Data)
		return err
	}))
	ok(t, w.Close())
	return &b
}

// member is one entry of a hostile archive.
type member struct {
	tar.Header
	data string
}

func hostileTar(t testing.TB, members ...member) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		if m.Typeflag == 0 {
			m.Typeflag = tar.TypeReg
		}
		if m.Size == 0 {
			m.Size = int64(len(m.data))
		}
		m.Mode = 0o644
		ok(t, w.WriteHeader(&m.Header))
		if _, err := w.Write([]byte(m.data)); err != nil {
			t.Fatal(err)
		}
	}
	_ = w.Close() // a member may be shorter than it says
	return &b
}

func zipOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, data := range files {
		f, err := w.Create(name)
		ok(t, err)
		_, err = io.WriteString(f, data)
		ok(t, err)
	}
	ok(t, w.Close())
	return b.Bytes()
}
