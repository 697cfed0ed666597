package porttest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// testSnapshotKinds takes a snapshot of everything that a session can make and
// compares a clone of it with the original, byte for byte and time for time.
func testSnapshotKinds(t *testing.T, k WorkspacesKit) {
	ref := newRef()
	path := made(t, k.Workspaces, ref)
	asSession(t, func() error { return zoo(path) })
	before := describe(t, path)
	_, clone := cloned(t, k.Workspaces, snapshot(t, k.Workspaces, ref, "stop-1"))
	after := describe(t, clone)
	for name, want := range before {
		if got := after[name]; got != want {
			t.Errorf("%.60q:\n got %s\nwant %s", name, got, want)
		}
		delete(after, name)
	}
	for name, what := range after {
		t.Errorf("%q came from nowhere: %s", name, what)
	}
	var st unix.Stat_t
	must(t, unix.Stat(filepath.Join(clone, "sparse"), &st), "stat")
	if st.Blocks*512 > 1<<20 {
		t.Errorf("the holes of a file of %d bytes take %d", st.Size, st.Blocks*512)
	}
}

// zoo makes one of everything, as the session.
func zoo(path string) error {
	at := func(name string) string { return filepath.Join(path, name) }
	large := make([]byte, 3<<20+17)
	for i := range large {
		large[i] = byte(i * 7919 >> 7)
	}
	long := strings.Repeat("n", 255)
	steps := []func() error{
		func() error { return os.MkdirAll(at("dir/empty"), 0o755) },
		func() error { return os.WriteFile(at("empty"), nil, 0o600) },
		func() error { return os.WriteFile(at("dir/large"), large, 0o640) },
		func() error { return os.WriteFile(at("run"), []byte("#!/bin/sh\n"), 0o755) },
		func() error { return os.WriteFile(at("no one reads it"), []byte("x"), 0) },
		func() error { return os.WriteFile(at("new\nline\ttab"), []byte("1"), 0o600) },
		func() error { return os.WriteFile(at("\xff\xfe not UTF-8"), []byte("2"), 0o600) },
		func() error { return os.WriteFile(at("-rf *"), []byte("3"), 0o600) },
		func() error { return os.WriteFile(at(long), []byte("4"), 0o600) },
		func() error { return os.Mkdir(at("dir/"+long), 0o700) },
		func() error { return os.WriteFile(at("dir/"+long+"/"+long), []byte("5"), 0o600) },
		func() error { return os.WriteFile(at(".new-stop-1"), []byte("6"), 0o600) },
		func() error { return os.Symlink("dir/large", at("link")) },
		func() error { return os.Symlink("/etc/shadow", at("link out")) },
		func() error { return os.Symlink("../../../../..", at("link up")) },
		func() error { return os.Symlink("nowhere", at("link dangling")) },
		func() error { return os.Symlink("link loop", at("link loop")) },
		func() error { return os.Symlink(strings.Repeat("t", 1023), at("link long")) },
		func() error { return os.Link(at("dir/large"), at("hard")) },
		func() error { return os.Link(at("dir/large"), at("dir/empty/hard")) },
		func() error { return os.Link(at("link"), at("dir/hard link")) },
		func() error { return unix.Mkfifo(at("fifo"), 0o640) },
		func() error { return sparse(at("sparse")) },
		func() error { return unix.Setxattr(at("run"), "user.medforge.note", []byte("a\x00b"), 0) },
		func() error { return unix.Setxattr(at("dir"), "user.empty", nil, 0) },
		func() error { return acl(at("run"), "system.posix_acl_access") },
		func() error { return acl(at("dir"), "system.posix_acl_default") },
		func() error { return os.WriteFile(at("dir/inherits"), []byte("7"), 0o600) },
		func() error { return os.Mkdir(at("sticky"), 0o700) },
		func() error { return unix.Chmod(at("sticky"), 0o3777) },
		func() error { return os.WriteFile(at("sticky/old"), []byte("8"), 0o600) },
		func() error { return many(at("many")) },
		func() error { return old(at("sticky/old")) },
		func() error { return old(at("link dangling")) },
		func() error { return os.Mkdir(at("closed"), 0o700) },
		func() error { return os.WriteFile(at("closed/in"), []byte("9"), 0o600) },
		func() error { return old(at("closed")) },
		func() error { return os.Chmod(at("closed"), 0) },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

func old(path string) error {
	times := []unix.Timespec{{Sec: 86400, Nsec: 1}, {Sec: 2 * 86400, Nsec: 999_999_999}}
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, times, unix.AT_SYMLINK_NOFOLLOW)
}

func sparse(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, at := range []int64{0, 32 << 20, 96<<20 + 5} {
		if _, err := f.WriteAt([]byte("data"), at); err != nil {
			return err
		}
	}
	return f.Truncate(256 << 20)
}

// many fills a folder past one read of its entries.
func many(path string) error {
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	for i := range 1500 {
		name := filepath.Join(path, fmt.Sprintf("%04d-%s", i, strings.Repeat("x", 60)))
		if err := os.WriteFile(name, []byte(name[len(name)-70:]), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// acl sets an ACL that lets user 1001 read: the kernel's form, see
// posix_acl_xattr.h (version 2; tag, permissions, id of each entry).
func acl(path, name string) error {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{1, 7, ^uint32(0)}, {2, 4, 1001}, {4, 5, ^uint32(0)}, {0x10, 5, ^uint32(0)}, {0x20, 5, ^uint32(0)}} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return unix.Setxattr(path, name, b, 0)
}

// describe says what everything below path is, in words that can be compared.
func describe(t *testing.T, path string) map[string]string {
	t.Helper()
	out := map[string]string{}
	inodes := map[uint64]string{}
	var walk func(dir, rel string)
	walk = func(dir, rel string) {
		entries, err := os.ReadDir(dir)
		must(t, err, "ReadDir")
		for _, e := range entries {
			full, name := filepath.Join(dir, e.Name()), rel+"/"+e.Name()
			out[name] = describeOne(t, full, name, inodes)
			if e.IsDir() {
				walk(full, name)
			}
		}
	}
	walk(path+"/.", "")
	return out
}

func describeOne(t *testing.T, path, name string, inodes map[uint64]string) string {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(path, &st), "lstat")
	var b strings.Builder
	fmt.Fprintf(&b, "mode %o owner %d:%d mtime %d.%09d", st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		text, err := os.ReadFile(path)
		must(t, err, "read")
		data := bytes.TrimRight(text, "\x00")
		fmt.Fprintf(&b, " size %d sum %x", st.Size, sum(data))
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		must(t, err, "readlink")
		fmt.Fprintf(&b, " to %q", target)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		if first, seen := inodes[st.Ino]; seen {
			fmt.Fprintf(&b, " same as %q", first)
		} else {
			inodes[st.Ino] = name
		}
		fmt.Fprintf(&b, " names %d", st.Nlink)
	}
	if kind := st.Mode & unix.S_IFMT; kind == unix.S_IFREG || kind == unix.S_IFDIR {
		for _, attr := range []string{"user.medforge.note", "user.empty", "system.posix_acl_access", "system.posix_acl_default"} {
			value := make([]byte, 1024)
			if n, err := unix.Getxattr(path, attr, value); err == nil {
				fmt.Fprintf(&b, " %s=%x", attr, value[:n])
			}
		}
	}
	return b.String()
}

func sum(data []byte) uint64 { // FNV-1a
	h := uint64(14695981039346656037)
	for _, c := range data {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// testSnapshotRights makes what the host must not honour in a snapshot's clone.
func testSnapshotRights(t *testing.T, k WorkspacesKit) {
	ref := newRef()
	path := made(t, k.Workspaces, ref)
	asSession(t, func() error {
		for i, mode := range []uint32{0o4755, 0o2755, 0o6755} {
			name := filepath.Join(path, fmt.Sprint("rights", i))
			if err := os.WriteFile(name, []byte("#!/bin/sh\n"), 0o755); err != nil {
				return err
			}
			if err := unix.Chmod(name, mode); err != nil {
				return err
			}
		}
		l, err := net.Listen("unix", filepath.Join(path, "socket"))
		if err != nil {
			return err
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		return l.Close()
	})
	// What a session cannot make, and a mistake elsewhere could.
	host := hostPath(t, k.Workspaces, ref)
	must(t, unix.Mknod(filepath.Join(host, "device"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))), "mknod")
	must(t, os.WriteFile(filepath.Join(host, "root's"), []byte("#!/bin/sh\n"), 0o755), "write")
	must(t, unix.Chmod(filepath.Join(host, "root's"), 0o4755), "chmod")
	caps := []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} // cap_net_bind_service=p
	must(t, unix.Setxattr(filepath.Join(host, "rights0"), "security.capability", caps, 0), "setxattr")

	_, clone := cloned(t, k.Workspaces, snapshot(t, k.Workspaces, ref, "stop-1"))
	var fs unix.Statfs_t
	must(t, unix.Statfs(clone, &fs), "statfs")
	noSuid, noDev := fs.Flags&unix.ST_NOSUID != 0, fs.Flags&unix.ST_NODEV != 0
	for _, name := range []string{"rights0", "rights1", "rights2", "root's"} {
		var st unix.Stat_t
		must(t, unix.Stat(filepath.Join(clone, name), &st), "stat")
		if st.Mode&0o6000 != 0 && !noSuid {
			t.Errorf("%s: mode %o is honoured", name, st.Mode)
		}
		if st.Mode&0o777 != 0o755 {
			t.Errorf("%s: mode %o, want its permissions kept", name, st.Mode)
		}
		if n, err := unix.Getxattr(filepath.Join(clone, name), "security.capability", nil); err == nil && n > 0 && !noSuid {
			t.Errorf("%s: file capabilities are honoured", name)
		}
	}
	if _, err := os.Lstat(filepath.Join(clone, "device")); err == nil && !noDev {
		t.Error("a device was copied where it is honoured")
	}
}
