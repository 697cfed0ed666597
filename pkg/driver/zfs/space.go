package zfs

import "context"

// Free is the space that is left below the parent, in bytes. Errors: as Check.
func (w *Workspaces) Free(ctx context.Context) (int64, error) {
	d, err := w.get(ctx, w.cfg.Parent, "available")
	if err != nil {
		return 0, w.parentFault(ctx, err, "the space for workspaces cannot be read")
	}
	return d.number("available")
}
