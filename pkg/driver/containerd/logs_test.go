package containerd_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/driver/containerd"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

func readAll(d *containerd.Driver, slug string) (string, error) {
	r, err := d.Log(context.Background(), slug, 0, false)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

func logHas(d *containerd.Driver, slug, want string) error {
	got, err := readAll(d, slug)
	if err == nil && !bytes.Contains([]byte(got), []byte(want)) {
		err = fmt.Errorf("the log is %q", got[max(0, len(got)-300):])
	}
	return err
}

// TestLogBounded prints far more than a log keeps, through a restart of
// containerd.
func TestLogBounded(t *testing.T) {
	t.Parallel()
	const size = 64 << 10
	h := newHost(t, func(c *containerd.Config) { c.LogMaxBytes = size })
	s := h.spec(t, h.importMini(t))
	p := h.start(t, s)
	noErr(t, p.Print(10*size))
	noErr(t, p.Say("before the restart"))
	watch.Succeeds(t, "all is logged", func() error { return logHas(h.Driver, s.Slug, "before the restart\n") })
	h.Kill(t)
	noErr(t, p.Print(3*size)) // nobody blocks while containerd is down
	noErr(t, p.Say("while it was down"))
	watch.Succeeds(t, "all is logged", func() error { return logHas(h.Driver, s.Slug, "while it was down\n") })
	h.Run(t)
	h.WaitReady(t)

	files, err := filepath.Glob(filepath.Join(h.Dir, "log", "*"))
	noErr(t, err)
	if len(files) != 2 {
		t.Errorf("log files: %v, want two", files)
	}
	for _, f := range files {
		st, err := os.Stat(f)
		noErr(t, err)
		if st.Size() > size || st.Mode().Perm() != 0o600 {
			t.Errorf("%s has %d bytes and mode %v", f, st.Size(), st.Mode())
		}
	}
	noErr(t, h.Driver.Stop(t.Context(), s.Slug, 5*time.Second))
}
