package backup

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/store"
)

// Target is a fresh MedForge: an empty database, and a data directory that no
// daemon works on (the caller holds its lock).
type Target struct {
	Store   *store.DB
	DataDir string
}

// Report is what a restore put in place.
type Report struct {
	At      time.Time // of the backup
	Entries int
	Bytes   int64
}

// Restore reads a backup into a fresh MedForge. It can be interrupted and run
// again with the same file: the database is filled last, in one transaction,
// and until all is done the data directory carries a mark that keeps a daemon
// off. Errors: Invalid "backup/not-a-backup", "backup/newer",
// "backup/damaged"; Conflict "backup/not-fresh" (the database or the data
// directory has something in it already); those of store.Restore; OutOfSpace.
func Restore(ctx context.Context, r io.Reader, t Target) (Report, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(128<<20))
	if err != nil {
		return Report{}, err
	}
	defer z.Close()
	in := &reader{ctx: ctx, tar: tar.NewReader(z)}
	h, err := in.head()
	if err != nil {
		return Report{}, err
	}
	report := Report{At: h.At}
	filled, err := t.fresh(ctx, h)
	if err != nil {
		return report, err
	}
	if filled {
		// Only the last step was cut off: the files were in place before the
		// database's one transaction.
		if err := t.Store.Migrate(ctx); err != nil {
			return report, err
		}
		return report, unmark(t.DataDir)
	}
	if err := mark(t.DataDir, h); err != nil {
		return report, err
	}
	root, err := os.OpenRoot(t.DataDir)
	if err != nil {
		return report, diskFault(err)
	}
	defer root.Close()
	in.dataDir = t.DataDir
	if err := in.files(root); err != nil {
		if in.workspaces != nil {
			in.workspaces.abandon()
		}
		return report, err
	}
	report.Entries, report.Bytes = in.done.Entries, in.done.Bytes
	if err := syncTree(root); err != nil {
		return report, diskFault(err)
	}
	if err := t.Store.Restore(ctx, in); err != nil {
		if in.broken != nil {
			err = in.broken // the archive is at fault, not the database
		}
		return report, err
	}
	return report, unmark(t.DataDir)
}

// fresh refuses what a restore would mix with. What an interrupted restore of
// the same backup left is no obstacle; filled says that it got as far as the
// database.
func (t Target) fresh(ctx context.Context, h head) (filled bool, err error) {
	begun, err := marked(t.DataDir)
	if err != nil {
		return false, err
	}
	if begun != nil && !begun.same(h) {
		return false, fault.New(fault.Conflict, "backup/not-fresh",
			"A restore of another backup, that of %s, was interrupted in %s. Run it again with that file, or begin with a fresh data directory and an empty database.",
			begun.At.Format(time.RFC3339), t.DataDir)
	}
	empty, err := t.Store.Empty(ctx)
	if err != nil || begun != nil {
		return !empty, err
	}
	if !empty {
		return false, fault.New(fault.Conflict, "backup/not-fresh",
			"The database has rows in it, and a restore needs an empty one. With SQLite move medforge.db* away from %s; with MariaDB make a new database and name it in database.dsn.", t.DataDir)
	}
	entries, err := os.ReadDir(t.DataDir)
	if err != nil {
		return false, diskFault(err)
	}
	if h.Workspaces {
		there, err := os.ReadDir(filepath.Join(t.DataDir, workspacesDir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, diskFault(err)
		}
		if len(there) > 0 {
			return false, fault.New(fault.Conflict, "backup/not-fresh",
				"The backup has workspaces, and so has the data directory %s. Move them away: mv %[1]s/%s %[1]s/%[2]s.old", t.DataDir, workspacesDir)
		}
	}
	for _, e := range entries {
		if !leftOut(e.Name()) {
			return false, fault.New(fault.Conflict, "backup/not-fresh",
				"The data directory %s has %s in it, and a restore needs a fresh one. Move what is there away, or set another data_dir.", t.DataDir, e.Name())
		}
	}
	return false, nil
}

// reader reads an archive's entries in their order; read from itself it is the
// last one's content.
type reader struct {
	ctx     context.Context // of the one Restore
	tar     *tar.Reader
	done    tally
	dataDir string
	// workspaces is tar at work on them, once there are any.
	workspaces *unpacking
	// broken is why the archive could not be read on.
	broken error
}

func (in *reader) Read(p []byte) (int, error) {
	if err := in.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := in.tar.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // ErrUnexpectedEOF is no end
		in.broken = damaged(err, "it breaks off or its sum is wrong after %d files", in.done.Entries)
		err = in.broken
	}
	return n, err
}

func damaged(err error, format string, args ...any) error {
	return fault.Wrap(err, fault.Invalid, "backup/damaged", "The backup is damaged or not whole: "+format+". Nothing of it is in use; take another one.", args...)
}

func (in *reader) json(v any) error {
	return json.NewDecoder(io.LimitReader(in, 64<<10)).Decode(v)
}

func (in *reader) head() (head, error) {
	var h head
	e, err := in.tar.Next()
	if err != nil || e.Name != headName || in.json(&h) != nil || h.Format != format {
		return h, fault.Wrap(err, fault.Invalid, "backup/not-a-backup", "This is not a backup of MedForge. One is made by: medforge admin backup FILE")
	}
	if h.Version > version {
		return h, fault.New(fault.Invalid, "backup/newer", "The backup was made by a newer MedForge (%s). Restore it with that one.", h.MedForge)
	}
	return h, nil
}

// files puts everything of data/ in place, and stops at the dump.
func (in *reader) files(root *os.Root) error {
	whole := false
	for {
		e, err := in.tar.Next()
		if err != nil {
			return damaged(err, "it ends after %d files", in.done.Entries)
		}
		switch {
		case whole && e.Name == dumpName:
			return nil
		case !whole && e.Name == filesName:
			var want tally
			if err := in.json(&want); err != nil || want != in.done {
				return damaged(err, "it should have %d entries and has %d", want.Entries, in.done.Entries)
			}
			if in.workspaces != nil {
				u := in.workspaces
				in.workspaces = nil
				if err := u.end(); err != nil {
					return err
				}
			}
			whole = true
			continue
		case !whole && strings.HasPrefix(e.Name, workspacesName):
			if err := in.workspacesPart(e.Name); err != nil {
				return err
			}
			in.done.Entries++
			continue
		}
		name, ok := strings.CutPrefix(path.Clean(e.Name), dataName+"/")
		if whole || !ok || !fs.ValidPath(name) || leftOut(name) {
			return damaged(nil, "it has an entry %q that no backup has", e.Name)
		}
		if err := in.put(root, name, e); err != nil {
			return err
		}
		in.done.Entries++
	}
}

// workspacesPart passes a part of the workspaces on.
func (in *reader) workspacesPart(name string) error {
	if in.workspaces == nil {
		u, err := unpack(in.ctx, in.dataDir)
		if err != nil {
			return err
		}
		in.workspaces = u
	}
	n, err := in.workspaces.take(name, in)
	in.done.Bytes += n
	if err != nil && in.broken == nil && fault.As(err) == nil && in.ctx.Err() == nil {
		u := in.workspaces
		in.workspaces = nil
		return errors.Join(u.end(), err) // tar says why it takes no more
	}
	return err
}

// put makes one entry, replacing what an interrupted restore left there.
func (in *reader) put(root *os.Root, name string, e *tar.Header) error {
	mode := e.FileInfo().Mode().Perm()
	if e.Typeflag == tar.TypeDir {
		err := root.Mkdir(name, 0o700)
		if err == nil || errors.Is(err, fs.ErrExist) {
			err = root.Chmod(name, mode)
		}
		return putFault(err, name)
	}
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return putFault(err, name)
	}
	switch e.Typeflag {
	case tar.TypeSymlink:
		return putFault(root.Symlink(e.Linkname, name), name)
	case tar.TypeReg:
	default:
		return damaged(nil, "%s is neither a file, a folder nor a link", name)
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return putFault(err, name)
	}
	n, err := io.Copy(f, in)
	in.done.Bytes += n
	if err == nil {
		err = errors.Join(f.Chmod(mode), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.Chtimes(name, time.Time{}, e.ModTime)
	}
	return putFault(err, name)
}

func putFault(err error, name string) error {
	if err == nil || fault.As(err) != nil || errors.Is(err, context.Canceled) {
		return err
	}
	if d := diskFault(err); fault.Is(d, fault.OutOfSpace) {
		return fault.Wrap(err, fault.OutOfSpace, "backup/disk-full", "The disk of the data directory is full at %s. Make room and run the restore again.", name)
	}
	return fault.Wrap(err, fault.Unavailable, "backup/data-dir", "%s cannot be put in place: %v", name, err)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// syncTree makes the names last; the files were synced as they were written.
func syncTree(root *os.Root) error {
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if leftOut(name) {
			return fs.SkipDir
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}
