package kill

import (
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// autopsy tells why a wait was in vain: what is not at rest, the daemon's log,
// all of its goroutines and what containerd has. The daemon ends by it.
func (w *world) autopsy() string {
	var b strings.Builder
	if w.unquiet != nil {
		fmt.Fprintf(&b, "not at rest:\n  %s\n", strings.Join(w.unquiet(), "\n  "))
	}
	fmt.Fprintf(&b, "the daemon's log ends with:\n%s\n", w.log())
	b.WriteString(w.goroutines())
	fmt.Fprintf(&b, "\ncontainerd:\n%s", w.ctrd.State())
	return b.String()
}

// goroutines are the daemon's, which Go's runtime prints at SIGQUIT as it ends
// the program.
func (w *world) goroutines() string {
	if w.dead() {
		return "the daemon has ended: " + w.cmd.ProcessState.String()
	}
	_ = w.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-w.exited:
	case <-time.After(10 * time.Second):
		return "the daemon does not even end by SIGQUIT"
	}
	_, dump, _ := strings.Cut(w.logs.String(), "SIGQUIT: quit")
	return "the daemon's goroutines:" + dump
}

var ownFault = regexp.MustCompile(`"code":"[^"]*internal`)

// log is the end of what the daemon logged, after the faults of its own.
func (w *world) log() string {
	text := w.logs.String()
	var faults strings.Builder
	for line := range strings.Lines(text) {
		if ownFault.MatchString(line) {
			faults.WriteString(line)
		}
	}
	return faults.String() + text[max(0, len(text)-8000):]
}
