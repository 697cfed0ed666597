package porttest

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// sessionUID is the user and group that a session's processes run as.
const sessionUID = 1000

// asSession runs f as a session's processes run: uid and gid 1000, no other
// groups, no capabilities. Only f's own thread is another user, so f starts no
// goroutine that should be one too, and the thread ends with it. f returns an
// error because it is not the test's goroutine.
func asSession(t *testing.T, f func() error) {
	t.Helper()
	if err := trySession(f); err != nil {
		t.Fatalf("as the session's user: %v", err)
	}
}

func trySession(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread dies with the goroutine
		done <- func() error {
			for _, call := range [][4]uintptr{
				{unix.SYS_SETGROUPS, 0, 0, 0},
				{unix.SYS_SETRESGID, sessionUID, sessionUID, sessionUID},
				{unix.SYS_SETRESUID, sessionUID, sessionUID, sessionUID},
			} {
				if _, _, errno := unix.RawSyscall(call[0], call[1], call[2], call[3]); errno != 0 {
					return errno
				}
			}
			return f()
		}()
	}()
	return <-done
}

// inside is a path of a host folder by which a session's user can reach it
// though the folders above are closed to it, as a mount in a container does.
func inside(t *testing.T, path string) string {
	t.Helper()
	dir, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return fmt.Sprintf("/proc/self/fd/%d", dir.Fd())
}
