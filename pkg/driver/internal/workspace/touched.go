package workspace

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/beneath"
)

var errTouched = errors.New("touched")

// Touched reports whether anything at or below dir changed after since, by the
// change times that only the kernel sets. Whatever adds, removes, writes,
// renames or relabels a file changes one.
func Touched(ctx context.Context, dir *beneath.Dir, since time.Time) (bool, error) {
	st, err := dir.Stat(".")
	if err != nil {
		return false, err
	}
	if Changed(&st).After(since) {
		return true, nil
	}
	err = beneath.Walk(ctx, dir, func(_ int, _ string, st *unix.Statx_t) error {
		if Changed(st).After(since) {
			return errTouched
		}
		return nil
	})
	if errors.Is(err, errTouched) {
		return true, nil
	}
	return false, err
}

// Empty reports whether nothing is in dir.
func Empty(ctx context.Context, dir *beneath.Dir) (bool, error) {
	err := beneath.Walk(ctx, dir, func(int, string, *unix.Statx_t) error { return errTouched })
	if errors.Is(err, errTouched) {
		return false, nil
	}
	return err == nil, err
}

// Changed is a file's change time.
func Changed(st *unix.Statx_t) time.Time { return time.Unix(st.Ctime.Sec, int64(st.Ctime.Nsec)) }

// WaitAfter returns when a change made from now on gets a change time after t.
// File systems stamp with the kernel's coarse clock, which moves every few
// milliseconds.
func WaitAfter(ctx context.Context, t time.Time) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &now); err != nil {
			return err
		}
		if time.Unix(now.Unix()).After(t) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
