package kill

import (
	"fmt"
	"strings"
	"sync"
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
	fmt.Fprintf(&b, "the daemon's log ends with:\n%s\n", w.logs)
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
	_, dump, _ := strings.Cut(w.logs.all(), "SIGQUIT: quit")
	return "the daemon's goroutines:" + dump
}

// tail keeps the end of what is written to it: room for every goroutine.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	l.text = l.text[max(0, len(l.text)-1<<20):]
	return len(p), nil
}

func (l *tail) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// String is as much as a person reads.
func (l *tail) String() string {
	text := l.all()
	return text[max(0, len(text)-8000):]
}
