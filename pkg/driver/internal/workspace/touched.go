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
// renames or relabels a file changes one. Under a clock that was set back it
// says yes: then the times prove nothing.
func Touched(ctx context.Context, dir *beneath.Dir, since time.Time) (bool, error) {
	st, err := dir.Stat(".")
	if err != nil {
		return false, err
	}
	if Changed(&st).After(since) {
		return true, nil
	}
	return TouchedInside(ctx, dir, since)
}

// TouchedInside is Touched for what is in dir, and not for dir itself.
func TouchedInside(ctx context.Context, dir *beneath.Dir, since time.Time) (bool, error) {
	if now, err := coarseNow(); err != nil || now.Before(since) {
		return true, err
	}
	err := beneath.Walk(ctx, dir, func(_ int, _ string, st *unix.Statx_t) error {
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
		if now, err := coarseNow(); err != nil || now.After(t) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// coarseNow is the clock that file systems stamp with.
func coarseNow() (time.Time, error) {
	var now unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &now)
	return time.Unix(now.Unix()), err
}
