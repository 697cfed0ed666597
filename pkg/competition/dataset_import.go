package competition

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
)

// maxDataset bounds what is sent to be imported.
const maxDataset = 64 << 30

// digestName is a SHA-256 as an upload is named by it.
var digestName = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (s *Service) uploadFile(sum string) (string, error) {
	if !digestName.MatchString(sum) {
		return "", fault.New(fault.Invalid, "datasets/invalid-digest", "An upload is named by its SHA-256, 64 lower-case hexadecimal digits.")
	}
	return s.path("uploads", sum+".part"), nil
}

// Uploaded is how many bytes of an upload are here, to go on from. Errors:
// Denied, Invalid.
func (s *Service) Uploaded(_ context.Context, a auth.Actor, sum string) (int64, error) {
	if err := needAdmin(a); err != nil {
		return 0, err
	}
	path, err := s.uploadFile(sum)
	if err != nil {
		return 0, err
	}
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, diskFault(err)
	}
	return st.Size(), nil
}

// Upload adds bytes to an upload at an offset and returns how many are here
// then, whatever happens to the sender on the way. Errors: Denied, Invalid,
// Conflict (another offset is next), OutOfSpace.
func (s *Service) Upload(ctx context.Context, a auth.Actor, sum string, offset int64, r io.Reader) (int64, error) {
	if err := needAdmin(a); err != nil {
		return 0, err
	}
	path, err := s.uploadFile(sum)
	if err != nil {
		return 0, err
	}
	s.sending.Lock() // two senders of one file would mix it
	defer s.sending.Unlock()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, diskFault(err)
	}
	defer f.Close()
	at, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, diskFault(err)
	}
	if at != offset {
		return at, fault.New(fault.Conflict, "datasets/wrong-offset", "The next byte of this upload is number %d, not %d.", at, offset)
	}
	src := &source{ctx: ctx, r: io.LimitReader(r, maxDataset-at+1)}
	n, err := io.Copy(f, src)
	if err == nil || src.err != nil {
		err = f.Sync()
	}
	if err != nil {
		return at + n, diskFault(err)
	}
	if at+n > maxDataset {
		return at + n, fault.New(fault.TooLarge, "datasets/too-large", "The dataset is larger than the %d bytes that are taken.", int64(maxDataset))
	}
	if src.err != nil {
		return at + n, fault.Wrap(src.err, fault.Invalid, "datasets/upload-broke-off", "The upload broke off after %d bytes, which are kept. Give the command again to go on.", at+n)
	}
	return at + n, nil
}

// Import makes a dataset that was uploaded whole the one that its competition
// uses. It is there wholly or not at all, and doing it again is no error.
// Errors: Denied, NotFound, Invalid (the bytes are not those of the digest, or
// not that dataset).
func (s *Service) Import(ctx context.Context, a auth.Actor, slug, sum string, png bool) (Dataset, error) {
	if err := needAdmin(a); err != nil {
		return Dataset{}, err
	}
	if _, err := s.ImportWants(ctx, slug); err != nil {
		return Dataset{}, err
	}
	im, _ := importerOf(slug)
	path, err := s.uploadFile(sum)
	if err != nil {
		return Dataset{}, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Dataset{}, fault.New(fault.NotFound, "datasets/no-upload", "Nothing was uploaded by that digest. Begin again: medforge dataset import %s PATH", slug)
	}
	if err != nil {
		return Dataset{}, diskFault(err)
	}
	defer f.Close()
	if err := checkDigest(f, sum); err != nil {
		return Dataset{}, errors.Join(err, os.Remove(path)) // nothing can be added to make it right
	}
	d, err := s.importFile(ctx, a, im, f, sum, png)
	if err != nil {
		return d, err
	}
	if err := os.Remove(path); err != nil {
		s.o.Logger.Warn("an upload that was imported stays", "file", path, "error", err)
	}
	return d, s.installBuiltIn(ctx, im.Competition)
}

func checkDigest(f *os.File, sum string) error {
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return diskFault(err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum {
		return fault.New(fault.Invalid, "datasets/digest-mismatch", "What arrived is not what was sent: its SHA-256 is %s, not %s. Send it again.", got, sum)
	}
	_, err := f.Seek(0, io.SeekStart)
	return diskFault(err)
}

// importFile writes the dataset's folder and makes it the current one.
func (s *Service) importFile(ctx context.Context, a auth.Actor, im importer, f *os.File, sum string, png bool) (Dataset, error) {
	tmp, err := os.MkdirTemp(s.path("tmp"), "dataset-")
	if err != nil {
		return Dataset{}, diskFault(err)
	}
	defer os.RemoveAll(tmp)
	in := &importing{file: f, png: png, advance: s.advance(a, im.Slug)}
	for name, root := range map[string]**os.Root{publicDir: &in.files, secretDir: &in.secret} {
		if err := os.Mkdir(filepath.Join(tmp, name), 0o700); err != nil {
			return Dataset{}, diskFault(err)
		}
		if *root, err = os.OpenRoot(filepath.Join(tmp, name)); err != nil {
			return Dataset{}, diskFault(err)
		}
		defer (*root).Close()
	}
	o, err := im.run(ctx, in)
	if err != nil {
		return Dataset{}, diskFault(err)
	}
	raw, err := json.Marshal(o)
	if err == nil {
		err = os.WriteFile(filepath.Join(tmp, overlayFile), raw, 0o600)
	}
	if err != nil {
		return Dataset{}, diskFault(err)
	}
	d := im.Dataset
	if d.Bytes, err = treeSize(filepath.Join(tmp, publicDir)); err != nil {
		return d, diskFault(err)
	}
	d.Checksum, d.ImportedAt = "sha256:"+sum, s.now()
	name := sum
	if png {
		name += "-png"
	}
	s.install.Lock()
	defer s.install.Unlock()
	if err := place(tmp, s.path("datasets", im.Slug, name)); err != nil {
		return d, diskFault(err)
	}
	link := s.path("tmp", "current-"+im.Slug)
	_ = os.Remove(link) // of an import that was cut off
	if err := errors.Join(os.Symlink(name, link), os.Rename(link, s.path("datasets", im.Slug, currentLink)),
		syncDir(s.path("datasets", im.Slug))); err != nil {
		return d, diskFault(err)
	}
	return d, s.o.Store.PutDataset(ctx, d)
}

// advance tells whoever imports how far it is, some times a second at most.
func (s *Service) advance(a auth.Actor, slug string) func(done, total int) {
	var last time.Time
	return func(done, total int) {
		now := time.Now() // the clock of a progress bar
		if done < total && now.Sub(last) < 200*time.Millisecond {
			return
		}
		last = now
		s.o.Publish(event.Event{Type: event.DatasetProgress, UserID: a.UserID, Volatile: true,
			Data: map[string]any{"dataset": slug, "done": done, "total": total}})
	}
}

func treeSize(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		st, err := d.Info()
		if err == nil {
			n += st.Size()
		}
		return err
	})
	return n, err
}

// notThis is an archive that is not the dataset it is said to be.
func notThis(format string, args ...any) error {
	return fault.New(fault.Invalid, "datasets/not-this-dataset", "This is not that dataset: %s. Nothing was changed.", fmt.Sprintf(format, args...))
}
