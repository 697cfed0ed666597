package competition_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/fault"
)

const codabenchYAML = `title: Cats and dogs
phases:
  - {index: 0, name: main, tasks: [0]}
tasks:
  - {index: 0, name: t, reference_data: ref, scoring_program: s.zip}
leaderboards:
  - title: R
    columns: [{title: A, key: acc, index: 0}]
`

func TestCodabenchBundles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory(t))
	inner := string(zipOf(t, map[string]string{"labels.csv": "id,label\na,1\nb,0\n"}))
	for name, c := range map[string]struct {
		files map[string]string
		code  string
		want  []string // notes, or mistakes
	}{
		"folder":      {map[string]string{"competition.yaml": codabenchYAML, "ref/labels.csv": "id,label\na,cat\nb,dog\n"}, "", []string{"not run", "20 a day"}},
		"in a folder": {map[string]string{"b/competition.yaml": codabenchYAML, "b/ref/labels.csv": "id,label\na,cat\nb,dog\n"}, "", nil},
		"inner zip":   {map[string]string{"competition.yaml": strings.Replace(codabenchYAML, "ref,", "ref.zip,", 1), "ref.zip": inner}, "", nil},
		"no labels":   {map[string]string{"competition.yaml": codabenchYAML}, competition.CodeBundleInvalid, []string{"found 0 files"}},
		"two files":   {map[string]string{"competition.yaml": codabenchYAML, "ref/a.csv": "x", "ref/b.csv": "x"}, competition.CodeBundleInvalid, []string{"found 2 files"}},
		"sorting":     {map[string]string{"competition.yaml": strings.Replace(codabenchYAML, "index: 0}]", "index: 0, sorting: asc}]", 1), "ref/labels.csv": "id,label\na,1\nb,0\n"}, competition.CodeBundleInvalid, []string{"sorted against"}},
		"no bundle":   {map[string]string{"x": "y"}, competition.CodeBundleInvalid, []string{"no Codabench bundle"}},
		"ragged":      {map[string]string{"competition.yaml": codabenchYAML, "ref/labels.csv": "id,label\na\n"}, competition.CodeBundleInvalid, []string{"not a CSV file"}},
		"three wide":  {map[string]string{"competition.yaml": codabenchYAML, "ref/labels.csv": "id,label,x\na,1,2\n"}, competition.CodeBundleInvalid, []string{"3 columns wide"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, notes, err := w.ImportCodabench(ctx(t), admin, bytes.NewReader(zipOf(t, c.files)))
			if fault.CodeOf(err) != c.code {
				ok(t, err)
				t.Fatalf("%v, want %s", err, c.code)
			}
			if err == nil && got.Slug != "cats-and-dogs" {
				t.Errorf("%+v", got)
			}
			all := strings.Join(notes, "\n")
			for _, f := range fieldsOf(err) {
				all += f.Loc + ": " + f.Msg + "\n"
			}
			for _, want := range c.want {
				if !strings.Contains(all, want) {
					t.Errorf("nothing says %q: %s", want, all)
				}
			}
		})
	}
}

func TestHostileZips(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory(t))
	outside := filepath.Join(w.dir, "outside")
	for name, write := range map[string]func(z *zip.Writer){
		"dot dot":  func(z *zip.Writer) { zipMember(z, &zip.FileHeader{Name: "../outside"}, "x") },
		"absolute": func(z *zip.Writer) { zipMember(z, &zip.FileHeader{Name: outside}, "x") },
		"link": func(z *zip.Writer) {
			h := &zip.FileHeader{Name: "competition.yaml"}
			h.SetMode(os.ModeSymlink | 0o777)
			zipMember(z, h, "/etc/passwd")
		},
		"bomb": func(z *zip.Writer) {
			f, err := z.CreateHeader(&zip.FileHeader{Name: "competition.yaml", Method: zip.Deflate})
			ok(t, err)
			_, err = io.CopyN(f, zeros{}, 64<<20)
			ok(t, err)
		},
		"10 GB by its word": func(z *zip.Writer) {
			_, err := z.CreateRaw(&zip.FileHeader{Name: "data", Method: zip.Deflate, UncompressedSize64: 10 << 30, CompressedSize64: 0})
			ok(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			z := zip.NewWriter(&b)
			write(z)
			ok(t, z.Close())
			_, _, err := w.ImportCodabench(ctx(t), admin, &b)
			wantFault(t, err, fault.Invalid, "competitions/archive-refused")
			if _, err := os.Lstat(outside); err == nil {
				t.Error("it got out")
			}
			if left, _ := os.ReadDir(filepath.Join(w.dir, "competitions.tmp")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	_, _, err := w.ImportCodabench(ctx(t), w.user(), strings.NewReader(""))
	wantFault(t, err, fault.Denied, "")
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func zipMember(z *zip.Writer, h *zip.FileHeader, data string) {
	f, err := z.CreateHeader(h)
	if err == nil {
		_, err = io.WriteString(f, data)
	}
	if err != nil {
		panic(err) // into memory
	}
}
