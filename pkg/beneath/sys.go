package beneath

import (
	"errors"

	"golang.org/x/sys/unix"
)

// statxMask is what callers need; the birth time tells a reused inode number
// from the inode that had it before.
const statxMask = unix.STATX_BASIC_STATS | unix.STATX_BTIME

// openat2 opens name below fd. extra adds RESOLVE_ flags.
func openat2(fd int, name string, flags int, perm uint32, extra uint64) (int, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC),
		Mode:    uint64(perm),
		Resolve: resolve | extra,
	}
	return retry(func() (int, error) { return unix.Openat2(fd, name, &how) })
}

// OpenRegularAt opens the regular file name, one part, in the directory fd for
// reading, leaves its access time alone, and fills st. What is there is looked
// at through an O_PATH descriptor first, so that a FIFO cannot block us and a
// device is never opened: EINVAL for whatever is no regular file.
func OpenRegularAt(dirfd int, name string, st *unix.Statx_t) (int, error) {
	if err := checkName(name); err != nil {
		return -1, err
	}
	pin, err := openat2(dirfd, name, unix.O_PATH|unix.O_NOFOLLOW, 0, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(pin)
	if err := statx(pin, "", unix.AT_EMPTY_PATH, st); err != nil {
		return -1, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return -1, unix.EINVAL
	}
	flags := unix.O_RDONLY | unix.O_NOCTTY | unix.O_NONBLOCK | unix.O_CLOEXEC
	fd, err := retry(func() (int, error) { return unix.Open(procPath(pin), flags|unix.O_NOATIME, 0) })
	if errors.Is(err, unix.EPERM) { // O_NOATIME is for the owner and root
		fd, err = retry(func() (int, error) { return unix.Open(procPath(pin), flags, 0) })
	}
	return fd, err
}

// StatAt describes name, one part, in the directory fd: a link itself.
func StatAt(dirfd int, name string, st *unix.Statx_t) error {
	if err := checkName(name); err != nil {
		return err
	}
	return statx(dirfd, name, unix.AT_SYMLINK_NOFOLLOW, st)
}

// StatFd describes an open file.
func StatFd(fd int, st *unix.Statx_t) error { return statx(fd, "", unix.AT_EMPTY_PATH, st) }

func statx(fd int, name string, flags int, st *unix.Statx_t) error {
	_, err := retry(func() (int, error) {
		return 0, unix.Statx(fd, name, flags|unix.AT_NO_AUTOMOUNT, statxMask, st)
	})
	return err
}

// retry repeats a call that a signal interrupted, and a resolution that the
// kernel gave up because of renames elsewhere (EAGAIN; bounded).
func retry(call func() (int, error)) (int, error) {
	for again := 0; ; {
		n, err := call()
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN) && again < 64:
			again++
		default:
			return n, err
		}
	}
}
