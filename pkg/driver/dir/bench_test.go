package dir

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/beneath"
	"github.com/medforge/medforge/pkg/driver/dir/treecopy"
)

// BenchmarkSnapshot compares with cp -a --reflink=auto in the same run, on file
// systems in memory: "ratio" is Snapshot, written to disk, to cp and sync -f;
// "copy-ratio" is the copy alone to cp alone. 1 is as fast, 2 twice as slow.
func BenchmarkSnapshot(b *testing.B) {
	for _, fstype := range []string{"ext4", "btrfs", "xfs"} {
		for _, tree := range []struct {
			name string
			make func(b *testing.B, path string)
		}{
			{"10000-small-files", smallFiles},
			{"1-GiB-file", gibFile},
		} {
			b.Run(fstype+"/"+tree.name, func(b *testing.B) {
				base := image(b, fstype, 4500)
				root := filepath.Join(base, "workspaces")
				w := open(b, root)
				ref := newRef()
				path := made(b, w, ref)
				tree.make(b, path)
				sync(b, base)
				var ours, theirs, copying, cp time.Duration
				n := 0
				for b.Loop() {
					name := fmt.Sprint("stop-", n)
					n++
					ours += timed(b, func() error { _, err := w.Snapshot(b.Context(), ref, name); return err })
					snapshots := filepath.Join(root, ref.UserID, ref.SessionID, snapshotsName)
					removeAll(b, filepath.Join(snapshots, name))
					sync(b, base)
					target := filepath.Join(base, "cp")
					alone := timed(b, func() error {
						return exec.Command("cp", "-a", "--reflink=auto", path, target).Run()
					})
					cp += alone
					theirs += alone + timed(b, func() error { return exec.Command("sync", "-f", target).Run() })
					removeAll(b, target)
					sync(b, base)
					copying += copyAlone(b, path, base)
					sync(b, base)
				}
				b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
				b.ReportMetric(copying.Seconds()/cp.Seconds(), "copy-ratio")
			})
		}
	}
}

// copyAlone times treecopy and removes what it made.
func copyAlone(b *testing.B, from, base string) time.Duration {
	b.Helper()
	dirs := make([]*beneath.Dir, 3)
	for i, path := range []string{from, filepath.Join(base, "copy"), filepath.Join(base, "links")} {
		must(b, os.MkdirAll(path, 0o700))
		d, err := beneath.OpenRoot(path)
		must(b, err)
		defer d.Close()
		dirs[i] = d
	}
	took := timed(b, func() error {
		_, err := treecopy.Copy(b.Context(), dirs[0], dirs[1], treecopy.Options{Links: dirs[2]})
		return err
	})
	removeAll(b, filepath.Join(base, "copy"))
	removeAll(b, filepath.Join(base, "links"))
	return took
}

func timed(b *testing.B, f func() error) time.Duration {
	b.Helper()
	start := time.Now()
	must(b, f())
	return time.Since(start)
}

func sync(b *testing.B, path string) {
	b.Helper()
	must(b, exec.Command("sync", "-f", path).Run())
}

// smallFiles makes 10,000 files of up to 16 KiB in 200 folders.
func smallFiles(b *testing.B, path string) {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 16<<10)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	for i := range 10_000 {
		dir := filepath.Join(path, fmt.Sprint("package", i%200))
		must(b, os.MkdirAll(dir, 0o755))
		must(b, os.WriteFile(filepath.Join(dir, fmt.Sprint("file", i)), data[:random.IntN(len(data))], 0o644))
	}
}

func gibFile(b *testing.B, path string) {
	b.Helper()
	random := rand.NewChaCha8([32]byte{1})
	f, err := os.Create(filepath.Join(path, "weights"))
	must(b, err)
	defer f.Close()
	data := make([]byte, 1<<20)
	for range 1 << 10 {
		random.Read(data)
		_, err := f.Write(data)
		must(b, err)
	}
}
