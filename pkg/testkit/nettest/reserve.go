package nettest

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// reserve takes a name for one test of all that run on the machine, in whatever
// process, until it ends. It reports false where another has it. The lock ends
// with its process, so that nothing stays taken; its empty file stays.
func reserve(tb testing.TB, name string) bool {
	tb.Helper()
	dir := filepath.Join(os.TempDir(), "medforge-nettest")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		tb.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		tb.Fatal(err)
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		f.Close()
		return false
	}
	tb.Cleanup(func() { f.Close() })
	return true
}
