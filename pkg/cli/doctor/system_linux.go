package doctor

import (
	"io/fs"
	"os"
	"os/user"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/api"
)

// clock asks the kernel whether something keeps its clock right (adjtimex(2)).
func clock() (synchronised, known bool) {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, false
	}
	return t.Status&unix.STA_UNSYNC == 0, true
}

func space(path string) (free, total uint64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, 0, err
	}
	return st.Bavail * uint64(st.Bsize), st.Blocks * uint64(st.Bsize), nil
}

// socketRights checks that the socket's group is the configured one, and that
// the caller is in it.
func (h Host) socketRights(name string, st fs.FileInfo) api.Check {
	sys, is := st.Sys().(*syscall.Stat_t)
	if !is {
		return ok(name, "%s", h.Socket)
	}
	gid := strconv.FormatUint(uint64(sys.Gid), 10)
	group := gid
	if g, err := user.LookupGroupId(gid); err == nil {
		group = g.Name
	}
	if mode := st.Mode().Perm(); mode&0o007 != 0 {
		return fail(name, "systemctl restart medforged", "%s has mode %04o: everybody may use it", h.Socket, mode)
	}
	if h.SocketGroup != "" && !h.Assumed && group != h.SocketGroup {
		return fail(name, "groupadd --system "+h.SocketGroup+"; systemctl restart medforged",
			"%s belongs to group %s, and %s is configured", h.Socket, group, h.SocketGroup)
	}
	mine, _ := os.Getgroups() // none is an answer too
	if os.Getuid() != 0 && !slices.Contains(mine, int(sys.Gid)) && os.Getgid() != int(sys.Gid) {
		return fail(name, "sudo usermod -aG "+group+" YOUR-NAME; then sign in to this host anew",
			"%s is for group %s, and you are not in it", h.Socket, group)
	}
	return ok(name, "%s, for group %s", h.Socket, group)
}
