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

// Space is what the parent takes with all below it, and that and what is left
// together, in bytes. Errors: as Check.
func (w *Workspaces) Space(ctx context.Context) (used, total int64, err error) {
	d, err := w.get(ctx, w.cfg.Parent, "used", "available")
	if err != nil {
		return 0, 0, w.parentFault(ctx, err, "the space for workspaces cannot be read")
	}
	if used, err = d.number("used"); err != nil {
		return 0, 0, err
	}
	free, err := d.number("available")
	return used, used + free, err
}
