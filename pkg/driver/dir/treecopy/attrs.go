package treecopy

import (
	"bytes"
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// maxAttr is the kernel's own limit of a value and of the list of names.
const maxAttr = 64 << 10

// attrs copies extended attributes.
type attrs struct {
	dropped     int64
	list, value []byte
}

// copy gives to the attributes of from that a copy keeps.
func (a *attrs) copy(from, to int) error {
	if a.list == nil {
		a.list = make([]byte, maxAttr)
	}
	n, err := unix.Flistxattr(from, a.list)
	if errors.Is(err, unix.E2BIG) || errors.Is(err, unix.ERANGE) { // no tool can list them
		a.dropped++
		return nil
	}
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	if err != nil {
		return err
	}
	for name := range bytes.SplitSeq(a.list[:n], []byte{0}) {
		if len(name) == 0 {
			continue
		}
		if err := a.one(from, to, string(name)); err != nil {
			return err
		}
	}
	return nil
}

func (a *attrs) one(from, to int, name string) error {
	if !kept(name) {
		a.dropped++
		return nil
	}
	if a.value == nil {
		a.value = make([]byte, maxAttr)
	}
	n, err := unix.Fgetxattr(from, name, a.value)
	if errors.Is(err, unix.ENODATA) { // removed meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	err = unix.Fsetxattr(to, name, a.value[:n], 0)
	if errors.Is(err, unix.EOPNOTSUPP) {
		a.dropped++
		return nil
	}
	return err
}

// kept says which attributes are a user's own. security.* (file capabilities),
// trusted.* and the rest of system.* would carry a stranger's wishes into what
// the host honours.
func kept(name string) bool {
	return strings.HasPrefix(name, "user.") ||
		name == "system.posix_acl_access" || name == "system.posix_acl_default"
}
