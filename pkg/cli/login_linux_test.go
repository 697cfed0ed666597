package cli_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

// echoes reads a terminal's ECHO flag; the master's end has its slave's.
func echoes(t testing.TB, fd int) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}
