package cli_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
)

// TestCompetitionScripts is TestScripts with the real service of competitions
// behind the API, on a database of its own.
func TestCompetitionScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/competition/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			h := &scriptHost{Host: httpapitest.Start(t, httpapitest.Options{Competitions: true}), reached: map[string]<-chan struct{}{}, release: map[string]func(){}}
			builtin, err := filepath.Abs(filepath.Join("..", "..", "competitions"))
			if err != nil {
				t.Fatal(err)
			}
			testscript.Run(t, testscript.Params{
				Files: []string{file}, UpdateScripts: *update,
				Setup: func(env *testscript.Env) error {
					env.Setenv("MEDFORGE_SOCKET", h.Socket)
					env.Setenv("TZ", "UTC")
					env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
					env.Setenv("TMPDIR", env.WorkDir)
					env.Setenv("BUILTIN", builtin)
					return nil
				},
				Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
					"host": h.command, "code": exitCode, "cifar": writeCIFAR, "zip": writeZip,
				},
			})
		})
	}
}

// writeZip packs files: zip OUT FILE...
func writeZip(ts *testscript.TestScript, _ bool, args []string) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range args[1:] {
		f, err := w.Create(name)
		ts.Check(err)
		_, err = io.WriteString(f, ts.ReadFile(name))
		ts.Check(err)
	}
	ts.Check(w.Close())
	writeFile(ts, args[0], b.Bytes())
}

// writeCIFAR makes an archive in the form of cifar-100-binary.tar.gz, in which
// image i has the fine label 7*i mod 100.
func writeCIFAR(ts *testscript.TestScript, _ bool, args []string) {
	var b bytes.Buffer
	gz, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	ts.Check(err)
	w := tar.NewWriter(gz)
	add := func(name string, data []byte) {
		ts.Check(w.WriteHeader(&tar.Header{Name: "cifar-100-binary/" + name, Size: int64(len(data)), Mode: 0o644}))
		_, err := w.Write(data)
		ts.Check(err)
	}
	records := func(n int) []byte {
		out := make([]byte, n*3074)
		for i := range n {
			out[i*3074+1] = byte(7 * i % 100)
			out[i*3074+2] = byte(i) // the first red pixel
		}
		return out
	}
	add("train.bin", records(50_000))
	add("test.bin", records(10_000))
	add("fine_label_names.txt", []byte(strings.Repeat("name\n", 100)))
	add("coarse_label_names.txt", []byte(strings.Repeat("name\n", 20)))
	ts.Check(w.Close())
	ts.Check(gz.Close())
	writeFile(ts, args[0], b.Bytes())
}

func writeFile(ts *testscript.TestScript, name string, data []byte) {
	ts.Check(os.WriteFile(ts.MkAbs(name), data, 0o644))
}
