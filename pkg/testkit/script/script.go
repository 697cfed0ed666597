// Package script writes programs of a test's own.
package script

import (
	"os"
	"syscall"
	"testing"
)

// Write writes a program that can be run at once. While a file is written it
// must not be run ("text file busy"), and a process that another test starts in
// that moment goes on holding it open until it is executed itself: so none is
// started then.
func Write(tb testing.TB, path, text string) {
	tb.Helper()
	syscall.ForkLock.RLock()
	err := os.WriteFile(path, []byte(text), 0o700)
	syscall.ForkLock.RUnlock()
	if err != nil {
		tb.Fatal(err)
	}
}
