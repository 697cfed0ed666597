package containerd

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// shimTime is how long a shim whose task is gone may take to end by itself.
	shimTime = 2 * time.Second
	// killedTime is how long a killed one may, on a host that is busy.
	killedTime = 20 * time.Second
)

// endShim ends the shim of a container that is gone. It ends by itself, unless
// the daemon was killed while containerd deleted the task for it: the task is
// gone then, the shim's own end was not waited for, and containerd has
// forgotten it.
func (d *Driver) endShim(ctx context.Context, id string) error {
	pids, err := d.shims(id)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := d.endProcess(ctx, pid, id); err != nil {
			return err
		}
	}
	return nil
}

func (d *Driver) endProcess(ctx context.Context, pid int, id string) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(fd)
	// Now the number cannot become another process's unseen.
	if !d.isShim(pid, id) {
		return nil
	}
	for _, last := range []bool{false, true} {
		within := shimTime
		if last {
			within = killedTime
		}
		for deadline := time.Now().Add(within); time.Now().Before(deadline); {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(retryEvery.Milliseconds()))
			if n == 1 {
				return nil
			}
			if err != nil && !errors.Is(err, unix.EINTR) {
				return os.NewSyscallError("poll", err)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if !last {
			d.c.Logger.Warn("a shim that containerd forgot is ended", "container", id, "pid", pid)
			if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
				return os.NewSyscallError("pidfd_send_signal", err)
			}
		}
	}
	return errors.New("the container's shim does not end")
}

// shims are the processes that serve a container's task.
func (d *Driver) shims(id string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && d.isShim(pid, id) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// isShim reads a process's arguments: containerd-shim-runc-v2 -namespace NAME
// -id CONTAINER -address SOCKET.
func (d *Driver) isShim(pid int, id string) bool {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil || !bytes.Contains(line, []byte(id)) {
		return false // it has ended, or is another
	}
	args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	has := func(flag, value string) bool {
		i := slices.Index(args, flag)
		return i >= 0 && i+1 < len(args) && args[i+1] == value
	}
	return strings.HasPrefix(filepath.Base(args[0]), "containerd-shim") && has("-namespace", d.c.Namespace) && has("-id", id)
}
