package session

import (
	"context"
	"regexp"
	"strings"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

// snapshotForm is what snapshotName makes.
var snapshotForm = regexp.MustCompile(`^stop-[0-9]{1,18}$`)

// ValidSnapshot reports whether s has the form of a snapshot's name.
func ValidSnapshot(s string) bool { return snapshotForm.MatchString(s) }

// snapshotFrom names the snapshot that a wish means, of a session that the
// caller may see, as "<session id>@<name>"; empty for no wish.
func (s *Service) snapshotFrom(ctx context.Context, a auth.Actor, wish string) (string, error) {
	if wish == "" {
		return "", nil
	}
	ref, name, err := CutFrom(wish)
	if err != nil {
		return "", err
	}
	row, err := s.Get(ctx, a, ref)
	if err != nil {
		return "", err
	}
	list, err := s.o.Workspaces.Snapshots(ctx, row.Ref())
	if err != nil {
		return "", err
	}
	if name, err = PickSnapshot(row, list, name); err != nil {
		return "", err
	}
	return row.ID + "@" + name, nil
}

// CutFrom parts SESSION or SESSION@SNAPSHOT; no name means the newest. Errors:
// Invalid "sessions/invalid-from".
func CutFrom(wish string) (ref, name string, err error) {
	ref, name, named := strings.Cut(wish, "@")
	if ref == "" || named && !ValidSnapshot(name) {
		return "", "", fault.New(fault.Invalid, "sessions/invalid-from",
			"A session starts from SLUG or from SLUG@SNAPSHOT, as in k3v7q2xa@stop-1764000000000; %q is neither. "+
				"What there is: medforge session snapshots.", printable(wish))
	}
	return ref, name, nil
}

// PickSnapshot finds a session's snapshot by name among all it has, oldest
// first; the newest for no name. Errors: Conflict "sessions/no-snapshot",
// NotFound "sessions/snapshot-not-found".
func PickSnapshot(row Session, list []Snapshot, name string) (string, error) {
	if len(list) == 0 {
		hint := "It never ran to a stop."
		if row.Status.Active() {
			hint = "A snapshot is taken when it stops: medforge session stop " + row.Slug + "."
		}
		return "", fault.New(fault.Conflict, "sessions/no-snapshot", "Session %s has no snapshot to start from. %s", row.Slug, hint)
	}
	newest := list[len(list)-1].Name
	if name == "" {
		return newest, nil
	}
	for _, n := range list {
		if n.Name == name {
			return name, nil
		}
	}
	return "", fault.New(fault.NotFound, "sessions/snapshot-not-found",
		"Session %s has no snapshot %s; its newest is %s. All of them: medforge session snapshots %s.", row.Slug, name, newest, row.Slug)
}
