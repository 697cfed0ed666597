package cli_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkHelp is medforge --help as a process, from its start to its end,
// beside a program that does nothing: the difference is ours. The goal is
// 30 ms.
func BenchmarkHelp(b *testing.B) {
	dir := b.TempDir()
	build := func(name string, args ...string) string {
		out := filepath.Join(dir, name)
		cmd := exec.Command("go", append([]string{"build", "-o", out}, args...)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if msg, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, msg)
		}
		return out
	}
	src := filepath.Join(dir, "nothing.go")
	if err := os.WriteFile(src, []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	medforge, nothing := build("medforge", "../../cmd/medforge"), build("nothing", src)
	run := func(b *testing.B, name string, args ...string) {
		var cpu time.Duration // what it took of a core, however busy the machine is
		n := 0
		for b.Loop() {
			cmd := exec.Command(name, args...)
			cmd.Stdout = io.Discard
			if err := cmd.Run(); err != nil {
				b.Fatal(err)
			}
			cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			n++
		}
		b.ReportMetric(cpu.Seconds()*1000/float64(n), "cpu-ms/op")
	}
	b.Run("medforge", func(b *testing.B) { run(b, medforge, "--help") })
	b.Run("nothing", func(b *testing.B) { run(b, nothing) })
}
