package daemon

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// trimEvery is how often memory that was needed once is given back. It costs a
// collection and some hundred minor faults, a few milliseconds.
const trimEvery = time.Minute

// trimLoop keeps what the daemon holds close to what it needs: the host's
// memory is for those who train models.
func trimLoop(ctx context.Context, logger *slog.Logger) {
	t := time.NewTicker(trimEvery)
	defer t.Stop()
	for first := true; ; first = false {
		debug.FreeOSMemory()
		if err := trimProgram(first); err != nil {
			logger.Debug("the program's unused pages stay in memory", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// withoutHugePages keeps the kernel from giving this program huge pages unasked,
// as Debian's does: with them each piece of the heap that is touched is 2 MB, and
// what was given back is filled up again behind one's back, 11 MB in all.
// Programs that this one starts inherit it; sessions are containerd's.
func withoutHugePages(logger *slog.Logger) {
	if err := unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0); err != nil {
		logger.Debug("huge pages stay on", "error", err)
	}
}

// trimProgram gives back the pages of the program's own file. Initialising some
// hundred packages and starting sessions map most of it, 40 MB, and nothing
// takes a mapped page back while memory is plenty. What is needed again comes
// from the page cache.
//
// Kernels from 6.18 map the page cache's large folios whole. A program that was
// just written, by dpkg or a compiler, stands in such; its own page faults read
// it back in small ones. So the first time, a program that is mapped nearly
// whole leaves the page cache too, and the part that is needed, a third, is read
// again from the disk. (Not if another process maps it: then nothing happens.)
func trimProgram(first bool) error {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer f.Close()
	clean, err := cleanMappings(f, self)
	if err != nil {
		return err
	}
	advice := uintptr(unix.MADV_DONTNEED)
	if first && whole(clean) {
		advice = unix.MADV_PAGEOUT
	}
	for _, m := range clean {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, advice); errno != 0 {
			return fmt.Errorf("madvise: %w", errno)
		}
	}
	return nil
}

// mapping is a range of addresses, and how many bytes of it are in memory.
type mapping struct{ from, to, resident uintptr }

// whole says whether nearly all is in memory. Starting alone takes two thirds.
func whole(all []mapping) bool {
	var size, resident uintptr
	for _, m := range all {
		size += m.to - m.from
		resident += m.resident
	}
	return resident > size/5*4
}

// cleanMappings reads smaps, as proc_pid_smaps(5) has it, and returns where a
// file is mapped read-only and no page differs from the file. Others must not
// be dropped: the loader writes addresses into a part that is read-only
// afterwards, and the file does not have them.
func cleanMappings(smaps io.Reader, file string) ([]mapping, error) {
	var clean []mapping
	var m mapping
	var ours bool
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) == 0:
		case !strings.HasSuffix(fields[0], ":"): // "00411000-0138d000 r-xp 00011000 fe:00 9981092 /usr/bin/medforged"
			if _, err := fmt.Sscanf(fields[0], "%x-%x", &m.from, &m.to); err != nil {
				return nil, fmt.Errorf("smaps: %q: %w", lines.Text(), err)
			}
			ours = len(fields) > 5 && strings.HasSuffix(lines.Text(), " "+file) && !strings.Contains(fields[1], "w")
		case fields[0] == "Rss:" && len(fields) > 1:
			kib, err := strconv.ParseUint(fields[1], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("smaps: %q: %w", lines.Text(), err)
			}
			m.resident = uintptr(kib) << 10
		case fields[0] == "Anonymous:" && ours && len(fields) > 1 && fields[1] == "0":
			clean = append(clean, m)
		}
	}
	return clean, lines.Err()
}
