package daemon

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// TestWithoutTheWebPage: a daemon that was built by Go alone says so, and goes on.
func TestWithoutTheWebPage(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	d := &Daemon{logger: slog.New(slog.NewTextHandler(&log, nil))}
	page, err := d.webPage(nil)
	if page != nil || err != nil {
		t.Errorf("page %v, error %v", page, err)
	}
	if said := log.String(); !strings.Contains(said, "the web page is not in this medforged") || !strings.Contains(said, "sh scripts/build") {
		t.Errorf("the log says %q", said)
	}
}
