package containerd

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/medforge/medforge/pkg/driver/containerd/logdriver"
	"github.com/medforge/medforge/pkg/fault"
)

// liveEvery is how often a follower asks whether the session still runs.
const liveEvery = time.Second

// Log implements session.Runtime. It reads files, so it works while containerd
// does not answer; a follower then takes the session to be alive.
func (d *Driver) Log(ctx context.Context, slug string, tail int, follow bool) (io.ReadCloser, error) {
	if err := checkSlug(slug); err != nil {
		return nil, err
	}
	var gone func(context.Context) bool
	if follow {
		var asked time.Time
		gone = func(ctx context.Context) bool {
			if time.Since(asked) < liveEvery {
				return false
			}
			asked = time.Now()
			ctx, cancel := context.WithTimeout(ctx, connectTime)
			defer cancel()
			c, err := d.Inspect(ctx, slug)
			return fault.Is(err, fault.NotFound) || err == nil && !c.Running
		}
	}
	r, err := logdriver.Open(ctx, d.logPath(slug), tail, gone)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "runtime/log-not-found", "Session %s has no log.", slug)
	}
	if err != nil {
		return nil, d.fail(ctx, err, "reading the log of session %s", slug)
	}
	return r, nil
}
