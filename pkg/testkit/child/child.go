// Package child starts programs that must not outlive the test process.
package child

import (
	"os/exec"
	"runtime"
	"syscall"
)

// Start starts a command and waits for it beside the caller: ended is closed
// when cmd.Wait has returned. The kernel kills the program when the test process
// is gone. It does so as well when the thread that forked ends (Pdeathsig in
// prctl(2)), and one that a goroutine was locked to ends with that goroutine; so
// each program has a thread of its own until it has ended.
func Start(cmd *exec.Cmd) (ended <-chan struct{}, err error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started, done := make(chan error), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	return done, <-started
}
