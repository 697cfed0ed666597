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
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/store"
)

// Source is what is backed up.
type Source struct {
	Store   *store.DB
	Driver  string // the database's
	DataDir string
	// Workspaces says that those below the data directory, of the dir driver,
	// are wanted too.
	Workspaces bool
	MedForge   string // the program's version
	Now        time.Time
}

// Backup is one in the making: the database's moment is taken, and lies in a
// file without a name until it is written out.
type Backup struct {
	source Source
	dump   *os.File
}

// Begin takes the database as it is now. Close must be called. Errors: those
// of store.Dump; OutOfSpace "backup/disk-full".
func Begin(ctx context.Context, s Source) (*Backup, error) {
	f, err := os.CreateTemp(s.DataDir, "medforge.db.backup-")
	if err != nil {
		return nil, diskFault(err)
	}
	b := &Backup{source: s, dump: f}
	// Without a name it goes with the process, however that ends.
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(diskFault(err), b.Close())
	}
	if err := s.Store.Dump(ctx, f, s.Now); err != nil {
		if errors.Is(err, syscall.ENOSPC) {
			err = diskFault(err)
		}
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Close gives back what the backup holds.
func (b *Backup) Close() error { return b.dump.Close() }

// Write writes the whole archive. What it wrote before an error is no backup:
// Restore refuses it.
func (b *Backup) Write(ctx context.Context, w io.Writer) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	a := &archive{ctx: ctx, tar: tar.NewWriter(z), now: b.source.Now}
	err = a.write(b)
	if err == nil {
		err = a.tar.Close()
	}
	// The frame is ended after a success only: an archive that broke off must
	// not look whole.
	if err != nil {
		z.Reset(io.Discard)
		return errors.Join(err, z.Close())
	}
	return z.Close()
}

type archive struct {
	ctx  context.Context // of the one Write
	tar  *tar.Writer
	now  time.Time
	done tally
}

func (a *archive) write(b *Backup) error {
	s := b.source
	if err := a.json(headName, head{Format: format, Version: version, At: s.Now.UTC(), MedForge: s.MedForge, Database: s.Driver, Workspaces: s.Workspaces}); err != nil {
		return err
	}
	if err := a.tree(s.DataDir); err != nil {
		return err
	}
	if s.Workspaces {
		if err := a.workspaces(s.DataDir); err != nil {
			return err
		}
	}
	if err := a.json(filesName, a.done); err != nil {
		return err
	}
	size, err := b.dump.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if err := a.tar.WriteHeader(a.header(dumpName, size)); err != nil {
		return err
	}
	_, err = io.Copy(a, io.NewSectionReader(b.dump, 0, size))
	return err
}

// Write ends with the context: a reader that went away ends the work.
func (a *archive) Write(p []byte) (int, error) {
	if err := a.ctx.Err(); err != nil {
		return 0, err
	}
	return a.tar.Write(p)
}

func (a *archive) header(name string, size int64) *tar.Header {
	return &tar.Header{Format: tar.FormatPAX, Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: a.now.UTC().Truncate(time.Second)}
}

func (a *archive) json(name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if err := a.tar.WriteHeader(a.header(name, int64(len(text)))); err != nil {
		return err
	}
	_, err = a.Write(text)
	return err
}

// tree adds the data directory. What goes away meanwhile (a log that is
// rotated, a refused submission) is passed over.
func (a *archive) tree(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && name != ".":
			return nil
		case err != nil || name == ".":
			return err
		case leftOut(name) && d.IsDir():
			return fs.SkipDir
		case leftOut(name):
			return nil
		}
		if err := a.ctx.Err(); err != nil {
			return err
		}
		err = a.entry(root, name, d.Type())
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) {
			return nil
		}
		return err
	})
}

func (a *archive) entry(root *os.Root, name string, kind fs.FileMode) error {
	switch {
	case kind.IsDir():
		info, err := root.Lstat(name)
		if err != nil {
			return err
		}
		return a.add(info, name, "", nil)
	case kind&fs.ModeSymlink != 0:
		info, err := root.Lstat(name)
		if err != nil {
			return err
		}
		target, err := root.Readlink(name)
		if err != nil {
			return err
		}
		return a.add(info, name, target, nil)
	case kind.IsRegular():
		f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		return a.add(info, name, "", f)
	}
	return nil // the daemon makes no other kind
}

// add writes one entry. A log grows while it is read: it is taken as long as
// it was when it was opened.
func (a *archive) add(info fs.FileInfo, name, target string, content io.Reader) error {
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	h.Format, h.Name = tar.FormatPAX, path.Join(dataName, name)
	h.Uname, h.Gname = "", "" // the numbers are what counts
	h.ModTime, h.AccessTime, h.ChangeTime = h.ModTime.UTC(), time.Time{}, time.Time{}
	if info.IsDir() {
		h.Name += "/"
	}
	if err := a.tar.WriteHeader(h); err != nil {
		return err
	}
	a.done.Entries++
	if content == nil {
		return nil
	}
	n, err := io.CopyN(a, content, info.Size())
	a.done.Bytes += n
	if errors.Is(err, io.EOF) {
		return fault.Wrap(err, fault.Conflict, "backup/file-shrank", "%s became shorter while it was read. Take the backup again.", name)
	}
	return err
}

// diskFault is the kind of an error of our own disk.
func diskFault(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fault.Wrap(err, fault.OutOfSpace, "backup/disk-full",
			"The disk of the data directory is full: the database's dump stands there while it is written out.")
	}
	return fault.Wrap(err, fault.Unavailable, "backup/data-dir", "The data directory cannot be used: %v", err)
}
