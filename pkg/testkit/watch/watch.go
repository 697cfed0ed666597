// Package watch lets a test follow what goes on beside it: what others write,
// and conditions that come true.
package watch

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds waiting for what a healthy machine does at once.
const patience = 3 * time.Minute

// interval is between looks at a condition.
const interval = 5 * time.Millisecond

// Until waits for a condition to hold. One that does not in time fails
// the test with what was waited for, and with all that why tells.
func Until(tb testing.TB, what string, holds func() bool, why ...func() string) {
	tb.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(interval) {
		if time.Now().After(deadline) {
			text := "never came: " + what
			for _, w := range why {
				text += "\n" + w()
			}
			tb.Fatal(text)
		}
	}
}

// Succeeds tries until there is no error, or fails the test with the last one
// as Until does.
func Succeeds(tb testing.TB, what string, try func() error) {
	tb.Helper()
	var err error
	Until(tb, what, func() bool { err = try(); return err == nil }, func() string { return err.Error() })
}

// Output holds what any number of goroutines write. The zero value is empty.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write takes all of p.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String is all that was written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// Ended tells when a process that runs now has ended, whoever its parent is.
func Ended(tb testing.TB, pid int) <-chan time.Time {
	tb.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		tb.Fatal(err)
	}
	ended := make(chan time.Time, 1)
	go func() {
		defer unix.Close(fd)
		for {
			if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); n == 1 || err != unix.EINTR {
				ended <- time.Now()
				return
			}
		}
	}()
	return ended
}
