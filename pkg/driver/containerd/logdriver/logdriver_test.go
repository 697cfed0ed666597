package logdriver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func newLog(t *testing.T, maxBytes int64) (*Writer, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "abcdefgh.log")
	w, err := OpenWriter(Settings{Path: path, MaxBytes: maxBytes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w, path
}

func write(t *testing.T, w *Writer, text string) {
	t.Helper()
	if n, err := w.Write([]byte(text)); err != nil || n != len(text) {
		t.Fatalf("Write = %d, %v", n, err)
	}
}

func all(t *testing.T, path string, tail int) string {
	t.Helper()
	r, err := Open(context.Background(), path, tail, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRotation(t *testing.T) {
	t.Parallel()
	w, path := newLog(t, 100)
	var want strings.Builder
	for i := range 200 {
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		write(t, w, line)
	}
	got := all(t, path, 0)
	if len(got) > 200 || len(got) < 90 || !strings.HasSuffix(want.String(), got) || !strings.HasPrefix(got, "line ") {
		t.Errorf("kept %d bytes:\n%s", len(got), got)
	}
	for _, p := range []string{path, oldPath(path)} {
		st, err := os.Stat(p)
		if err != nil || st.Size() > 100 || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", p, st, err)
		}
	}
	// Opened again, it goes on.
	again, err := OpenWriter(Settings{Path: path, MaxBytes: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	write(t, again, "after\n")
	if got := all(t, path, 2); got != "line 199\nafter\n" {
		t.Errorf("after opening again the end is %q", got)
	}
}

func TestOneBigWrite(t *testing.T) {
	t.Parallel()
	w, path := newLog(t, 64)
	write(t, w, "short\n")
	write(t, w, strings.Repeat("0123456789", 30)+"\nend\n") // a line longer than both files
	got := all(t, path, 0)
	if !strings.HasSuffix(got, "789\nend\n") || len(got) > 128 {
		t.Errorf("kept %q", got)
	}
	write(t, w, strings.Repeat("abcdefg\n", 100))
	if got := all(t, path, 0); !strings.HasPrefix(got, "abcdefg\n") || len(got)%8 != 0 {
		t.Errorf("a file begins in the middle of a line: %q", got)
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	w, path := newLog(t, 1<<20)
	if got := all(t, path, 3); got != "" {
		t.Errorf("tail of an empty log = %q", got)
	}
	var lines []string
	for i := range 5000 {
		lines = append(lines, fmt.Sprintf("%d %s\n", i, strings.Repeat("x", i%97)))
	}
	write(t, w, strings.Join(lines, ""))
	for _, n := range []int{1, 2, 10, 999, 4999, 5000, 6000} {
		want := strings.Join(lines[max(0, len(lines)-n):], "")
		if got := all(t, path, n); got != want {
			t.Errorf("tail %d: %d bytes, want %d", n, len(got), len(want))
		}
	}
	write(t, w, "no end of line")
	if got, want := all(t, path, 2), lines[4999]+"no end of line"; got != want {
		t.Errorf("tail 2 = %q, want %q", got, want)
	}
}

func TestTailAcrossRotation(t *testing.T) {
	t.Parallel()
	w, path := newLog(t, 40)
	for i := range 12 {
		write(t, w, fmt.Sprintf("line %02d\n", i))
	}
	for n, want := range map[int]string{1: "line 11\n", 4: "line 08\nline 09\nline 10\nline 11\n"} {
		if got := all(t, path, n); got != want {
			t.Errorf("tail %d = %q, want %q", n, got, want)
		}
	}
	if got := all(t, path, 7); got != all(t, path, 0)[len(all(t, path, 0))-len(got):] || strings.Count(got, "\n") != 7 {
		t.Errorf("tail 7 = %q", got)
	}
}

func TestOpenNothing(t *testing.T) {
	t.Parallel()
	if _, err := Open(context.Background(), filepath.Join(t.TempDir(), "x.log"), 0, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want not exist", err)
	}
}

// TestFollow writes much more than the files hold while a reader follows, and
// wants every line, in order.
func TestFollow(t *testing.T) {
	t.Parallel()
	w, path := newLog(t, 4000)
	var gone atomic.Bool
	r, err := Open(t.Context(), path, 0, func(context.Context) bool { return gone.Load() })
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := make(chan []byte)
	go func() {
		b, err := io.ReadAll(r)
		if err != nil {
			t.Error(err)
		}
		got <- b
	}()
	var want bytes.Buffer
	// One file's worth per look of the reader: what it can keep up with.
	for i := range 8 {
		var part bytes.Buffer
		for j := range 100 {
			fmt.Fprintf(&part, "part %d line %d\n", i, j)
		}
		want.Write(part.Bytes())
		write(t, w, part.String())
		waitRead(t, r.(*follower))
	}
	write(t, w, "last words\n")
	want.WriteString("last words\n")
	gone.Store(true)
	select {
	case b := <-got:
		if !bytes.Equal(b, want.Bytes()) {
			t.Errorf("followed %d bytes, want %d", len(b), want.Len())
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the follower did not end")
	}
}

// waitRead waits until the follower has read what is there.
func waitRead(t *testing.T, f *follower) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		f.mu.Lock()
		cur, err := os.Stat(f.path)
		var pos int64 = -1
		if err == nil && len(f.files) == 1 {
			if st, err := f.files[0].Stat(); err == nil && os.SameFile(st, cur) {
				pos, _ = f.files[0].Seek(0, io.SeekCurrent)
			}
		}
		f.mu.Unlock()
		if err == nil && pos == cur.Size() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the follower does not keep up")
		}
		time.Sleep(time.Millisecond) // a poll's interval, not a bet on time
	}
}

func TestFollowClose(t *testing.T) {
	t.Parallel()
	w, path := newLog(t, 1000)
	write(t, w, "x\n")
	r, err := Open(t.Context(), path, 0, func(context.Context) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, r)
	}()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	<-ended
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	// /dev/full answers every write with ENOSPC, as a full disk does.
	w := &Writer{s: Settings{Path: "/dev/full", MaxBytes: 100}}
	if err := w.open(); err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	pr, pw := io.Pipe()
	done := make(chan struct{})
	go func() {
		w.drain(pr)
		close(done)
	}()
	for range 3 { // would block for ever if drain stopped reading
		if _, err := pw.Write([]byte("x\n")); err != nil {
			t.Fatal(err)
		}
	}
	_ = pw.Close()
	<-done
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s := Settings{Path: "/var/log/a b:c/x.log", MaxBytes: 7}
	u := s.URI("/usr/bin/medforged")
	if got, err := parseSettings(u.Query().Get(Arg)); err != nil || got != s {
		t.Errorf("%s gave back %+v, %v", u, got, err)
	}
	if !strings.HasPrefix(u.String(), "binary:///usr/bin/medforged?") {
		t.Errorf("URI %s", u)
	}
	for _, bad := range []string{"", "x", "0:/a", "-1:/a", "5:rel", "5"} {
		if _, err := parseSettings(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
