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

// Install compiles a main package of another module, such as
// "example.org/tool/cmd/tool", at a version, and returns the program's path. It
// comes through the module proxy, with its own requirements, so that none of
// them is a requirement of ours. What is there already is not built again.
func Install(pkg, version string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "medforge", "testkit", path.Base(pkg)+"@"+version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", fmt.Errorf("locking %s: %w", lock.Name(), err)
	}
	program := filepath.Join(dir, path.Base(pkg))
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	cmd := exec.Command("go", "install", "-trimpath", "-ldflags=-s -w", pkg+"@"+version)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOBIN="+dir, "GOFLAGS=")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("installing %s@%s: %w\n%s", pkg, version, err, said)
	}
	return program, nil
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
