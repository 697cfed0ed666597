package logdriver

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// chunk is how much is read at once.
const chunk = 32 << 10

// Writer appends to a log and rotates it. Its methods may be called from
// several goroutines.
type Writer struct {
	s    Settings
	mu   sync.Mutex
	f    *os.File // nil after an error, until it can be opened again
	size int64
}

// OpenWriter opens a log for appending.
func OpenWriter(s Settings) (*Writer, error) {
	w := &Writer{s: s}
	return w, w.open()
}

func oldPath(path string) string { return path + ".1" }

func (w *Writer) open() error {
	f, err := os.OpenFile(w.s.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	w.f, w.size = f, st.Size()
	return nil
}

// Write implements io.Writer. When p does not fit any more, it is cut behind
// the last line that does, so that files begin with whole lines.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	done := 0
	for done < len(p) {
		rest := p[done:]
		if room := w.s.MaxBytes - w.size; int64(len(rest)) > room {
			cut := bytes.LastIndexByte(rest[:max(room, 0)], '\n') + 1
			if cut == 0 && w.size == 0 {
				cut = int(room) // a line longer than a file
			}
			if cut == 0 {
				if err := w.rotate(); err != nil {
					return done, err
				}
				continue
			}
			rest = rest[:cut]
		}
		if w.f == nil {
			if err := w.open(); err != nil {
				return done, err
			}
			continue // the file may have another size
		}
		n, err := w.f.Write(rest)
		done += n
		w.size += int64(n)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// rotate makes the log the old one and begins a new one.
func (w *Writer) rotate() error {
	if w.f != nil {
		_ = w.f.Close()
		w.f = nil
	}
	if err := os.Rename(w.s.Path, oldPath(w.s.Path)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return w.open()
}

// Close closes the file.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.f == nil {
		return nil
	}
	err := w.f.Close()
	w.f = nil
	return err
}

// drain writes what comes until it ends. What cannot be written is dropped.
func (w *Writer) drain(r io.Reader) {
	buf := make([]byte, chunk)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			_, _ = w.Write(buf[:n])
		}
		if err != nil {
			return
		}
	}
}
