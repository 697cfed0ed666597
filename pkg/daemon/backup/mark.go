package backup

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/medforge/medforge/pkg/fault"
)

// MarkerName is a file in the data directory while a restore is under way. It
// says of which backup.
const MarkerName = "restoring"

// Unfinished refuses a data directory whose restore was interrupted: a daemon
// must not start on half of it. Errors: Conflict "backup/restore-unfinished".
func Unfinished(dataDir string) error {
	h, err := marked(dataDir)
	if err != nil || h == nil {
		return err
	}
	return fault.New(fault.Conflict, "backup/restore-unfinished",
		"A restore of the backup of %s into %s was interrupted. Run it again: medforge admin restore FILE", h.At.Format(time.RFC3339), dataDir)
}

// same reports whether two heads are of one backup.
func (h head) same(o head) bool {
	at := h.At.Equal(o.At)
	h.At, o.At = time.Time{}, time.Time{}
	return at && h == o
}

// marked returns the head of the backup whose restore is under way, or nil.
func marked(dir string) (*head, error) {
	text, err := os.ReadFile(filepath.Join(dir, MarkerName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, diskFault(err)
	}
	var h head
	if err := json.Unmarshal(text, &h); err != nil {
		// The mark itself was cut off: it is the first thing written, so
		// nothing of the restore is there.
		return nil, unmark(dir)
	}
	return &h, nil
}

func mark(dir string, h head) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, MarkerName), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return diskFault(err)
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close(), syncDir(dir)); err != nil {
		return diskFault(err)
	}
	return nil
}

func unmark(dir string) error {
	if err := errors.Join(os.Remove(filepath.Join(dir, MarkerName)), syncDir(dir)); err != nil {
		return diskFault(err)
	}
	return nil
}
