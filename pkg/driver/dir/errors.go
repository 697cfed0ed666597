package dir

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/beneath"
	"github.com/medforge/medforge/pkg/driver/dir/treecopy"
	"github.com/medforge/medforge/pkg/driver/internal/workspace"
	"github.com/medforge/medforge/pkg/fault"
)

// fail gives an error its kind; one that has a kind keeps it.
func (w *Workspaces) fail(err error, format string, args ...any) error {
	if fault.As(err) != nil {
		return err
	}
	what := fmt.Sprintf(format, args...)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return workspace.Interrupted(err)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, treecopy.ErrReserve):
		return fault.Wrap(err, fault.OutOfSpace, "workspaces/out-of-space",
			"%s: the file system that holds %s is full; delete what is not needed there, or move workspaces to a larger one", what, w.cfg.Root)
	case errors.Is(err, unix.EROFS):
		return fault.Wrap(err, fault.Unavailable, "workspaces/read-only",
			"%s: the file system that holds %s is read-only", what, w.cfg.Root)
	case errors.Is(err, beneath.ErrTooDeep):
		return fault.Wrap(err, fault.Invalid, "workspaces/too-deep",
			"%s: its folders are nested deeper than %d levels; start a session there and remove them", what, beneath.MaxDepth)
	}
	return fault.Wrap(err, fault.Internal, "workspaces/failed", "%s", what)
}
