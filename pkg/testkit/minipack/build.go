package minipack

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// idePackage is what Build compiles.
const idePackage = "github.com/medforge/medforge/pkg/testkit/minipack/ide"

// BuildIDE compiles the stand-in, static and stripped, to the file path.
func BuildIDE(path string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path, idePackage)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building the IDE stand-in: %w\n%s", err, out.String())
	}
	return nil
}

// build makes the archive once per test binary: compiling is slow, and the
// result is the same.
var build = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "minipack")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "ide")
	if err := BuildIDE(path); err != nil {
		return nil, err
	}
	ide, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Archive("minipack", ide)
})

// Build returns the archive of the Pack "minipack". The bytes are shared: do
// not change them.
func Build(tb testing.TB) []byte {
	tb.Helper()
	archive, err := build()
	if err != nil {
		tb.Fatal(err)
	}
	return archive
}
