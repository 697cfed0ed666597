package dir

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/beneath"
	"github.com/medforge/medforge/pkg/driver/internal/workspace"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// metaVersion is the layout's; another is not touched.
const metaVersion = 1

// meta says whose a folder is. A folder without it is not ours.
type meta struct {
	Version   int       `json:"version"`
	UserID    string    `json:"user_id"`
	SessionID string    `json:"session_id"`
	CreatedAt time.Time `json:"created_at"`
	// Origin is what a workspace was cloned from, and ReadyAt the time of its
	// last change by us: a later change is somebody's work.
	Origin  *origin   `json:"origin,omitempty"`
	ReadyAt time.Time `json:"ready_at,omitzero"`
	// Snapshot and UsedBytes stand in a snapshot's: its name, and the bytes
	// that it holds alone, -1 where blocks are shared.
	Snapshot  string `json:"snapshot,omitempty"`
	UsedBytes int64  `json:"used_bytes,omitempty"`
}

type origin struct {
	UserID    string `json:"user_id"`
	SessionID string `json:"session_id"`
	Snapshot  string `json:"snapshot"`
}

func originOf(s session.Snapshot) *origin {
	return &origin{UserID: s.Ref.UserID, SessionID: s.Ref.SessionID, Snapshot: s.Name}
}

// errForeign is a folder of a workspace's or snapshot's name that is not ours.
var errForeign = errors.New("it has no " + metaName + " of this session")

// missing reports whether an error says that a folder of ours is not there. An
// error that has a kind, such as that of a root that is gone, does not.
func missing(err error) bool {
	return fault.As(err) == nil && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, errForeign))
}

// writeMeta writes m into dir.
func writeMeta(dir *beneath.Dir, m meta) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	f, err := dir.Open(metaName, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	return errors.Join(err, f.Close())
}

// readMeta reads what dir says it is. Errors: errForeign, or what went wrong.
func readMeta(dir *beneath.Dir, ref session.Ref, snapshot string) (meta, error) {
	f, _, err := dir.OpenRegular(metaName)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EINVAL) {
		return meta{}, errForeign
	}
	if err != nil {
		return meta{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return meta{}, err
	}
	var m meta
	if json.Unmarshal(text, &m) != nil || m.Version != metaVersion ||
		m.UserID != ref.UserID || m.SessionID != ref.SessionID || m.Snapshot != snapshot {
		return meta{}, errForeign
	}
	return m, nil
}

// open opens the session's folder. Errors: fs.ErrNotExist, errForeign, a fault.
func (w *Workspaces) open(ref session.Ref) (*beneath.Dir, meta, error) {
	root, err := w.root()
	if err != nil {
		return nil, meta{}, err
	}
	defer root.Close()
	dir, err := root.OpenDir(ref.UserID + "/" + ref.SessionID)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil, meta{}, errForeign
	}
	if err != nil {
		return nil, meta{}, err
	}
	m, err := readMeta(dir, ref, "")
	if err == nil {
		if st, statErr := dir.Stat(workspaceName); statErr != nil {
			err = statErr
		} else if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			err = errForeign
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = errForeign
		}
	}
	if err != nil {
		dir.Close()
		return nil, meta{}, err
	}
	return dir, m, nil
}

// find opens the session's folder. Errors: Invalid, NotFound.
func (w *Workspaces) find(ctx context.Context, ref session.Ref) (*beneath.Dir, meta, error) {
	if err := workspace.CheckRef(ref); err != nil {
		return nil, meta{}, err
	}
	if err := ctx.Err(); err != nil {
		return nil, meta{}, workspace.Interrupted(err)
	}
	dir, m, err := w.open(ref)
	if missing(err) {
		e := workspace.NotFound(ref)
		e.Cause = err
		return nil, m, e
	}
	if err != nil {
		return nil, m, w.fail(err, "the workspace of session %s cannot be opened", ref.SessionID)
	}
	return dir, m, nil
}

// exists is the error for a folder that is there and not this session's.
func (w *Workspaces) exists(ref session.Ref, why error) error {
	return fault.Wrap(why, fault.Exists, "workspaces/exists",
		"%s/%s/%s is there and is not what session %[3]s needs: look at it and move it away", w.cfg.Root, ref.UserID, ref.SessionID)
}
