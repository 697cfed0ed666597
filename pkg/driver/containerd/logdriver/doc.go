// Package logdriver keeps sessions' output in files that do not grow without
// end, and reads them.
//
// containerd starts a program of ours for each container (its binary:// log
// driver) and hands it the container's stdout and stderr. That program is
// medforge-log, or medforged where that is not installed, called as
// "medforge-log __log ...": its main calls Main before anything else. It lives as
// long as the container's output does, whatever becomes of the daemon and of
// containerd, and it never stops reading: a session must not block or die
// because a disk is full.
//
// A log is two files at most, SLUG.log and SLUG.log.1, each of Settings.MaxBytes
// at most, mode 0600.
package logdriver

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/containerd/containerd/v2/core/runtime/v2/logging"
)

// Arg is the first argument of a program that is called to log.
const Arg = "__log"

// DefaultMaxBytes is the size at which a log is rotated.
const DefaultMaxBytes = 5 << 20

// Settings is what the program must know.
type Settings struct {
	Path     string // of the log, absolute
	MaxBytes int64  // of each of the two files
}

// URI is what containerd is told: program and settings.
func (s Settings) URI(program string) *url.URL {
	q := url.Values{Arg: {strconv.FormatInt(s.MaxBytes, 10) + ":" + s.Path}}
	return &url.URL{Scheme: "binary", Path: program, RawQuery: q.Encode()}
}

func parseSettings(arg string) (Settings, error) {
	size, path, ok := strings.Cut(arg, ":")
	n, err := strconv.ParseInt(size, 10, 64)
	if !ok || err != nil || n <= 0 || !filepath.IsAbs(path) {
		return Settings{}, fmt.Errorf("%q is not BYTES:PATH; %s is called by containerd only", arg, Arg)
	}
	return Settings{Path: path, MaxBytes: n}, nil
}

// Main logs and ends the process if args are those of such a call. Otherwise it
// returns at once, and the program is what it is.
func Main(args []string) {
	if len(args) != 3 || args[1] != Arg {
		return
	}
	// Run ends the process. Its context ends at SIGTERM; the output may not be
	// over then, so it is read to its end all the same.
	logging.Run(func(_ context.Context, c *logging.Config, ready func() error) error {
		s, err := parseSettings(args[2])
		if err != nil {
			return err
		}
		w, err := OpenWriter(s)
		if err != nil {
			return err
		}
		defer w.Close()
		if err := ready(); err != nil {
			return err
		}
		var wg sync.WaitGroup
		for _, r := range []io.Reader{c.Stdout, c.Stderr} {
			wg.Go(func() { w.drain(r) })
		}
		wg.Wait()
		return nil
	})
}
