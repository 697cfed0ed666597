package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// try does what a session must not be able to do, and answers the error's name
// or nothing.
func (p *probes) try(r *http.Request) (string, error) {
	tries := map[string]func() error{
		"mount":        func() error { return unix.Mount("none", "/tmp", "tmpfs", 0, "") },
		"remount-proc": func() error { return unix.Mount("none", "/proc", "proc", 0, "") },
		"userns":       func() error { return onThread(func() error { return unix.Unshare(unix.CLONE_NEWUSER) }) },
		"mknod":        func() error { return unix.Mknod("/tmp/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))) },
		"setuid":       func() error { return unix.Setresuid(0, 0, 0) },
		"chroot":       func() error { return unix.Chroot("/tmp") },
		"hostname":     func() error { return unix.Sethostname([]byte("evil")) },
		"raw-socket": func() error {
			return opened(unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP))
		},
		"packet-socket": func() error {
			return opened(unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0))
		},
		"keyctl": func() error {
			_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, true)
			return err
		},
		"bpf": func() error {
			_, _, errno := unix.Syscall(unix.SYS_BPF, 0, 0, 0)
			return nilOr(errno)
		},
		"perf": func() error {
			_, err := unix.PerfEventOpen(&unix.PerfEventAttr{}, 0, -1, -1, 0)
			return err
		},
		"reboot":      func() error { return unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF) },
		"module":      func() error { return unix.DeleteModule("none", 0) },
		"swapon":      func() error { return swapon("/tmp/none") },
		"write-sysrq": func() error { return write("/proc/sysrq-trigger", "h") },
		"write-sysctl": func() error {
			return write("/proc/sys/kernel/core_pattern", "|/tmp/evil")
		},
		"write-net-sysctl": func() error { return write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "0") },
		"write-cgroup":     func() error { return os.Mkdir("/sys/fs/cgroup/memory/evil", 0o755) },
		"write-sys":        func() error { return write("/sys/kernel/mm/transparent_hugepage/enabled", "never") },
		"read-kcore":       func() error { return readSome("/proc/kcore") },
		"read-keys":        func() error { return readSome("/proc/keys") },
		"write-etc":        func() error { return write("/etc/passwd", "root::0:0::/:/ide\n") },
		"write-init":       func() error { return write("/usr/local/bin/medforge", "evil") },
		"write-resolv":     func() error { return write("/etc/resolv.conf", "nameserver 1.1.1.1\n") },
	}
	what := r.FormValue("what")
	do, ok := tries[what]
	if !ok {
		return "", fmt.Errorf("nobody knows how to try %q", what)
	}
	return errnoName(do()), nil
}

func errnoName(err error) string {
	if err == nil {
		return ""
	}
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

// onThread keeps what a call does to its thread from the others: the thread
// ends with it.
func onThread(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- do()
	}()
	return <-done
}

func opened(fd int, err error) error {
	if err == nil {
		_ = unix.Close(fd)
	}
	return err
}

func nilOr(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

func swapon(path string) error {
	b, err := unix.BytePtrFromString(path)
	if err != nil {
		return err
	}
	_, _, errno := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(b)), 0, 0)
	return nilOr(errno)
}

func write(path, body string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(body)
	return err
}

// readSome reports an empty file as ENODATA: that is what a masked one is.
func readSome(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if n, _ := f.Read(make([]byte, 16)); n == 0 {
		return unix.ENODATA
	}
	return nil
}
