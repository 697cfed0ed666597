// Package workspace holds what the drivers that keep workspaces share: the
// names that may reach a file system or a command, one lock for each workspace,
// and the test whether anybody has written to one.
package workspace

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// The owner and mode of a workspace's top folder.
const (
	UID  = 1000
	GID  = 1000
	Mode = 0o750
)

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// ValidID reports whether s has the form of a user's or a session's id.
func ValidID(s string) bool { return uuidForm.MatchString(s) }

// CheckRef errors: Invalid.
func CheckRef(ref session.Ref) error {
	if !ValidID(ref.UserID) || !ValidID(ref.SessionID) {
		return fault.New(fault.Invalid, "workspaces/invalid-ref",
			"a workspace is named by a user's and a session's id in lower case, not by %q and %q", ref.UserID, ref.SessionID)
	}
	return nil
}

// CheckSnapshot errors: Invalid.
func CheckSnapshot(name string) error {
	if !session.ValidSnapshot(name) {
		return fault.New(fault.Invalid, "workspaces/invalid-snapshot", "a snapshot is named stop-<milliseconds>, not %q", name)
	}
	return nil
}

// SnapshotTime is the time in a snapshot's name.
func SnapshotTime(name string) time.Time {
	ms, err := strconv.ParseInt(strings.TrimPrefix(name, "stop-"), 10, 64)
	if err != nil || !session.ValidSnapshot(name) {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// NotFound is the error for a workspace that is not there.
func NotFound(ref session.Ref) *fault.Error {
	return fault.New(fault.NotFound, "workspaces/not-found", "session %s has no workspace", ref.SessionID)
}

// SnapshotNotFound is the error for a snapshot that is not there.
func SnapshotNotFound(ref session.Ref, name string) *fault.Error {
	return fault.New(fault.NotFound, "workspaces/snapshot-not-found", "the workspace of session %s has no snapshot %s", ref.SessionID, name)
}
