// Command gpu is the test of MedForge on a real NVIDIA GPU. It runs from the
// folder that scripts/test-gpu packs, on a machine that has nothing but a
// kernel, a C library and the NVIDIA driver: it starts a containerd and a
// medforged of its own, drives them by the program medforge as a person would,
// looks at the same devices with nvidia-smi, and prints a table of what it
// checked. It ends with 1 when anything did not hold, and where there is no
// NVIDIA driver.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	parts := flag.String("parts", "", "the folder of the unpacked archive; the program's own when empty")
	out := flag.String("out", "", "write the table to this file as well")
	logs := flag.String("logs", "", "copy the programs' logs into this folder")
	rehearse := flag.Bool("rehearse", false, "simulated GPUs: tries the test itself on a machine without a GPU and proves nothing about one")
	limit := flag.Duration("limit", 8*time.Minute, "the time for everything")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, *limit)
	code := run(ctx, *parts, *out, *logs, *rehearse)
	cancel()
	stop()
	os.Exit(code)
}

func run(ctx context.Context, parts, out, logs string, rehearse bool) int {
	if parts == "" {
		self, err := os.Executable()
		if err != nil {
			return complain(err)
		}
		parts = filepath.Dir(self)
	}
	if os.Geteuid() != 0 {
		return complain(errors.New("this test makes containers and must run as root"))
	}
	driver, err := driverVersion()
	if err != nil && !rehearse {
		return complain(fmt.Errorf("there is no NVIDIA driver on this machine (%w), so nothing was tested", err))
	}
	r := &report{progress: os.Stderr, began: time.Now()}
	r.note("MedForge on a GPU", time.Now().UTC().Format("2006-01-02 15:04 UTC"))
	if rehearse {
		driver = "none: a REHEARSAL with simulated GPUs, which proves nothing about a real one"
	}
	r.note("driver", driver)
	h, err := newHost(ctx, parts, rehearse, r)
	if err != nil {
		return complain(err)
	}
	r.note("machine", machine())
	h.checks(ctx)
	// What was started must end although ctx has.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	h.down(end)
	if logs != "" {
		if err := h.copyLogs(logs); err != nil {
			complain(err)
		}
	}
	h.remove()
	if err := r.print(os.Stdout); err != nil {
		return complain(err)
	}
	if out != "" {
		f, err := os.Create(out)
		if err == nil {
			err = errors.Join(r.print(f), f.Close())
		}
		if err != nil {
			return complain(err)
		}
	}
	if r.failures() > 0 || ctx.Err() != nil {
		return 1
	}
	return 0
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "test-gpu:", err)
	return 1
}

// driverVersion is the version that the kernel module states.
func driverVersion() (string, error) {
	text, err := os.ReadFile("/proc/driver/nvidia/version")
	if err != nil {
		return "", errors.New("/proc/driver/nvidia/version is not there")
	}
	line, _, _ := strings.Cut(string(text), "\n")
	line, _, _ = strings.Cut(strings.TrimPrefix(line, "NVRM version:"), "(") // who built it
	return strings.Join(strings.Fields(line), " "), nil
}

// machine says what the programs ran on.
func machine() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return runtime.GOARCH
	}
	release, _, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), "-") // the rest is who built it
	return fmt.Sprintf("Linux %s, %d CPUs, control groups %s", release, runtime.NumCPU(), cgroups())
}

// cgroups is the version of the control groups: v2 where the unified hierarchy
// stands at its place (cgroups(7)).
func cgroups() string {
	var st unix.Statfs_t
	if err := unix.Statfs("/sys/fs/cgroup", &st); err == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
		return "v2"
	}
	return "v1"
}
