// Package promised is for tests that need a part of the machine which
// scripts/test installs, builds or names. Without it a test is skipped, so that
// plain `go test` works anywhere; where the part was promised, by scripts/test
// or on the machine that judges every change, the test fails instead: a
// skipped one would look like a green one.
package promised

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// variable is set by scripts/test when all its parts are there.
const variable = "MEDFORGE_TEST_COMPLETE"

// Missing skips a test that lacks a part, or fails it where all were promised.
func Missing(tb testing.TB, format string, args ...any) {
	tb.Helper()
	ci, _ := strconv.ParseBool(os.Getenv("CI"))
	if ci || os.Getenv(variable) != "" {
		tb.Fatalf(format+" (not skipped, because CI or "+variable+" is set)", args...)
	}
	tb.Skipf(format, args...)
}

// Root is for a test that makes what only root can; why says what.
func Root(tb testing.TB, why string) {
	tb.Helper()
	if os.Geteuid() != 0 {
		Missing(tb, "needs root: %s", why)
	}
}

// Env returns what an environment variable of scripts/test names.
func Env(tb testing.TB, name, what string) string {
	tb.Helper()
	value := os.Getenv(name)
	if value == "" {
		Missing(tb, "set %s to %s; sh scripts/test does", name, what)
	}
	return value
}

// Pack is the archive of the default Pack.
func Pack(tb testing.TB) string {
	tb.Helper()
	return Env(tb, "MEDFORGE_TEST_PACK", "the default Pack's archive")
}

// Program is the path of a program that scripts/test installs.
func Program(tb testing.TB, name string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(tb, "%s is not installed; sh scripts/test installs it", name)
	}
	return path
}

// Shared is a file of real data that the project may not carry. It lies in
// ../shared/data beside the checkout, or in data below MEDFORGE_SHARED. Nobody
// promises it: without it the test is skipped, which scripts/test says.
// dir is the checkout's folder as the test sees it.
func Shared(tb testing.TB, dir string, parts ...string) string {
	tb.Helper()
	root := os.Getenv("MEDFORGE_SHARED")
	if root == "" {
		root = filepath.Join(dir, "..", "shared")
	}
	path := filepath.Join(append([]string{root, "data"}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("%s is not there, and the project may not carry it: set MEDFORGE_SHARED", filepath.Join(parts...))
	}
	return path
}
