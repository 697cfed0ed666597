package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/medforge/medforge/pkg/fault"
)

// Workspaces that are plain folders below the data directory are written by
// GNU tar: it follows no link that a stranger made, and keeps owners, hard
// links, holes, attributes and access lists. Its archive has no size before its
// end, so it stands in the backup in parts.
const (
	workspacesDir  = "workspaces"
	workspacesName = "workspaces.tar." // and the part's number
	partBytes      = 8 << 20
	tarGrace       = 10 * time.Second // for tar to end after an interrupt
)

// tarCommand runs GNU tar with what both ways need.
func tarCommand(ctx context.Context, dir string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.CommandContext(ctx, "tar", append([]string{
		"--directory=" + dir, "--file=-", "--numeric-owner", "--xattrs", "--xattrs-include=user.*", "--acls",
		"--warning=no-file-ignored", // sockets
	}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.WaitDelay = tarGrace
	said := &bytes.Buffer{}
	cmd.Stderr = &limited{w: said, left: 4096}
	return cmd, said
}

// limited keeps the beginning of what a program says.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	if n > 0 {
		_, _ = l.w.Write(p[:n]) // a buffer
	}
	return len(p), nil
}

// workspaces adds the folders. Each file is as it was when it was read;
// snapshots do not change at all.
func (a *archive) workspaces(dataDir string) error {
	dir := filepath.Join(dataDir, workspacesDir)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	cmd, said := tarCommand(ctx, dir, "--create", "--format=posix", "--sparse", "--one-file-system",
		// What the driver has in the making.
		"--anchored", "--wildcards", "--no-wildcards-match-slash",
		"--exclude=./*/.new-*", "--exclude=./*/.old-*", "--exclude=./*/*/snapshots/.new-*", ".")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return tarFault(err, "")
	}
	err = a.parts(out)
	if err != nil {
		cancel()
	}
	waitErr := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(waitErr, &exit) && exit.ExitCode() == 1 {
		waitErr = nil // "some files differ": they changed, or went away, meanwhile
	}
	switch {
	case a.ctx.Err() != nil:
		return a.ctx.Err()
	case err != nil:
		return err
	case waitErr != nil:
		return tarFault(waitErr, said.String())
	}
	return nil
}

func (a *archive) parts(out io.Reader) error {
	part := make([]byte, partBytes)
	for i := 0; ; i++ {
		n, err := io.ReadFull(out, part)
		if n > 0 {
			if err := a.tar.WriteHeader(a.header(fmt.Sprintf("%s%08d", workspacesName, i), int64(n))); err != nil {
				return err
			}
			if _, err := a.Write(part[:n]); err != nil {
				return err
			}
			a.done.Entries++
			a.done.Bytes += int64(n)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// unpacking is tar at work on the parts of a backup.
type unpacking struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	said *bytes.Buffer
	part int
}

// unpack starts tar in the folder for workspaces, which is made.
func unpack(ctx context.Context, dataDir string) (*unpacking, error) {
	dir := filepath.Join(dataDir, workspacesDir)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, diskFault(err)
	}
	u := &unpacking{}
	u.cmd, u.said = tarCommand(ctx, dir, "--extract", "--same-owner", "--same-permissions", "--sparse")
	var err error
	if u.in, err = u.cmd.StdinPipe(); err == nil {
		err = u.cmd.Start()
	}
	if err != nil {
		return nil, tarFault(err, "")
	}
	return u, nil
}

// take passes one part on.
func (u *unpacking) take(name string, in io.Reader) (int64, error) {
	if want := fmt.Sprintf("%s%08d", workspacesName, u.part); name != want {
		return 0, damaged(nil, "it has %s where %s belongs", name, want)
	}
	u.part++
	return io.Copy(u.in, in)
}

// end waits until all is in its place.
func (u *unpacking) end() error {
	err := u.in.Close()
	if waitErr := u.cmd.Wait(); waitErr != nil {
		return tarFault(waitErr, u.said.String())
	}
	return err
}

// abandon is for a restore that failed.
func (u *unpacking) abandon() {
	_ = u.in.Close()
	_ = u.cmd.Process.Kill()
	_ = u.cmd.Wait() // what failed says more
}

func tarFault(err error, said string) error {
	said, _, _ = strings.Cut(strings.TrimSpace(said), "\n")
	if strings.Contains(said, "No space left on device") {
		return fault.Wrap(err, fault.OutOfSpace, "backup/disk-full", "The disk of the data directory is full. Make room and run the restore again.")
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fault.Wrap(err, fault.Unavailable, "backup/no-tar", "The program tar is needed for workspaces: apt-get install tar")
	}
	return fault.Wrap(fmt.Errorf("%w: %s", err, said), fault.Unavailable, "backup/tar", "Workspaces could not be read or written by tar; the log says why.")
}
