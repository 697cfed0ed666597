package mariadbtest

import (
	"fmt"
	"io"
	"os/exec"
	"syscall"
)

// dogScript reads process ids from its standard input, one a line, 0 for none.
// When the input ends, because the test process closed it or has died in any
// way, the last process is killed and the folder removed.
const dogScript = `pid=0
while read -r p; do pid=$p; done
if [ "$pid" -gt 1 ]; then kill -9 "$pid" 2>/dev/null; while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done; fi
rm -rf -- "$1"`

// watchdog outlives the test process for a moment and clears up after it.
type watchdog struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

func newWatchdog(dir string) (*watchdog, error) {
	cmd := exec.Command("/bin/sh", "-c", dogScript, "mariadbtest-watchdog", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a typed interrupt must not reach it
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &watchdog{cmd: cmd, in: in}, nil
}

func (w *watchdog) watch(pid int) { fmt.Fprintln(w.in, pid) }

// release lets the watchdog finish: nothing is left for it to do.
func (w *watchdog) release() {
	_ = w.in.Close()
	_ = w.cmd.Wait()
}
