package logdriver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// pollEvery is how often a follower looks for more. A notification by the
// kernel would be quicker and would need a watch on a folder per reader.
const pollEvery = 100 * time.Millisecond

// Open opens a log to be read, oldest kept line first, only its last lines if
// tail is above 0. The error is os.ErrNotExist's if there is no log.
//
// With a nil gone it ends where the log ends now. Otherwise it waits for more,
// until ctx ends, or until gone has answered true and nothing more came since;
// gone is called at most once per interval, and not when there is output.
func Open(ctx context.Context, path string, tail int, gone func(context.Context) bool) (io.ReadCloser, error) {
	r := &reader{path: path}
	// The new file is opened first: were it the other way, a rotation in
	// between would hide everything.
	cur, err := os.Open(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	old, oldErr := os.Open(oldPath(path))
	if oldErr == nil && cur != nil && sameFile(old, cur) {
		_ = old.Close()
		old = nil
	}
	for _, f := range []*os.File{old, cur} {
		if f != nil {
			r.files = append(r.files, f)
		}
	}
	if len(r.files) == 0 {
		return nil, err
	}
	if tail > 0 {
		if err := r.seekTail(tail); err != nil {
			r.closeFiles()
			return nil, err
		}
	}
	if gone == nil {
		return r, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	return &follower{reader: r, ctx: ctx, cancel: cancel, gone: gone}, nil
}

func sameFile(a, b *os.File) bool {
	sa, errA := a.Stat()
	sb, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(sa, sb)
}

// reader reads the files one after the other. The last stays open.
type reader struct {
	path  string
	files []*os.File
}

func (r *reader) Read(p []byte) (int, error) {
	for {
		if len(r.files) == 0 {
			return 0, io.EOF
		}
		n, err := r.files[0].Read(p)
		if n > 0 || len(p) == 0 {
			return n, nil
		}
		if !errors.Is(err, io.EOF) {
			return 0, err
		}
		if len(r.files) == 1 {
			return 0, io.EOF
		}
		_ = r.files[0].Close()
		r.files = r.files[1:]
	}
}

func (r *reader) closeFiles() {
	for _, f := range r.files {
		_ = f.Close()
	}
	r.files = nil
}

func (r *reader) Close() error {
	r.closeFiles()
	return nil
}

// seekTail goes to where the last n lines begin. A last line without its end
// counts.
func (r *reader) seekTail(n int) error {
	for i := len(r.files) - 1; i >= 0; i-- {
		at, left, err := lastLines(r.files[i], n)
		if err != nil {
			return err
		}
		if _, err := r.files[i].Seek(at, io.SeekStart); err != nil {
			return err
		}
		if n = left; n == 0 {
			for _, f := range r.files[:i] {
				_ = f.Close()
			}
			r.files = r.files[i:]
			return nil
		}
	}
	return nil
}

// lastLines returns where the file's last n lines begin, and how many it lacks.
func lastLines(f *os.File, n int) (at int64, lacks int, err error) {
	st, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	buf := make([]byte, chunk)
	end := st.Size()
	if end == 0 {
		return 0, n, nil
	}
	found := 0
	for end > 0 {
		size := min(int64(len(buf)), end)
		start := end - size
		b := buf[:size]
		if _, err := f.ReadAt(b, start); err != nil {
			return 0, 0, err
		}
		for {
			i := bytes.LastIndexByte(b, '\n')
			if i < 0 {
				break
			}
			b = b[:i]
			if start+int64(i) == st.Size()-1 {
				continue // ends the last line, begins none
			}
			if found++; found == n {
				return start + int64(i) + 1, 0, nil
			}
		}
		end = start
	}
	return 0, n - found - 1, nil
}

// follower is a reader that waits at the end.
type follower struct {
	*reader
	ctx    context.Context
	cancel context.CancelFunc
	gone   func(context.Context) bool
	last   bool // gone has answered true: what is there now is all
	mu     sync.Mutex
}

func (f *follower) Read(p []byte) (int, error) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		f.mu.Lock()
		n, err := f.reader.Read(p)
		if errors.Is(err, io.EOF) && f.ctx.Err() == nil && f.next() {
			n, err = f.reader.Read(p)
		}
		f.mu.Unlock()
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		if f.last {
			return 0, io.EOF
		}
		select {
		case <-f.ctx.Done():
			return 0, io.EOF
		case <-ticker.C:
		}
		// The logger may still hold a last line when the container is gone; it
		// gets one more look, one interval later.
		if f.gone(f.ctx) {
			select {
			case <-f.ctx.Done():
			case <-ticker.C:
			}
			f.last = true
		}
	}
}

// next goes on to the file that took the place of the one that was read, and
// reports whether there is one.
func (f *follower) next() bool {
	if len(f.files) == 0 {
		return false // closed
	}
	cur, err := os.Open(f.path)
	if err != nil {
		return false // between two steps of a rotation
	}
	if sameFile(cur, f.files[0]) {
		_ = cur.Close()
		return false
	}
	// What was written to the old file before it was rotated comes first; it
	// may have come after the last look.
	files := []*os.File{f.files[0], cur}
	if old, err := os.Open(oldPath(f.path)); err == nil {
		if sameFile(old, f.files[0]) || sameFile(old, cur) {
			_ = old.Close()
		} else {
			files = []*os.File{f.files[0], old, cur} // two rotations in one interval
		}
	}
	f.files = files
	return true
}

// Close ends a Read that waits.
func (f *follower) Close() error {
	f.cancel()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reader.Close()
}
