// Package gobuild builds small programs for tests and keeps them in the user's
// cache folder, so that one that did not change is not linked again.
package gobuild

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Build compiles a main package, static and stripped, and returns the program's
// path. Test programs that build the same at the same time wait for each other.
func Build(pkg string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "medforge", "testkit")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// By parent and name: several are called "ide" or "logger".
	out := filepath.Join(dir, path.Base(path.Dir(pkg))+"-"+path.Base(pkg))
	lock, err := os.OpenFile(out+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", fmt.Errorf("locking %s: %w", lock.Name(), err)
	}
	return out, To(pkg, out)
}

// To compiles a main package to a file, with build tags if any are given.
func To(pkg, out string, tags ...string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w",
		"-tags="+strings.Join(tags, ","), "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, said.String())
	}
	return nil
}
