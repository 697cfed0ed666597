package competition_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"testing/fstest"

	"github.com/medforge/medforge/pkg/competition"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
)

// upload sends a file in two parts, as one that broke off and went on.
func (w *world) upload(raw []byte) (sum string) {
	w.t.Helper()
	s := sha256.Sum256(raw)
	sum = hex.EncodeToString(s[:])
	half := len(raw) / 2
	n, err := w.Upload(ctx(w.t), admin, sum, 0, bytes.NewReader(raw[:half]))
	ok(w.t, err)
	at, err := w.Uploaded(ctx(w.t), admin, sum)
	ok(w.t, err)
	if n != int64(half) || at != n {
		w.t.Fatalf("%d and %d of %d bytes are here", n, at, half)
	}
	_, err = w.Upload(ctx(w.t), admin, sum, 0, bytes.NewReader(raw))
	wantFault(w.t, err, fault.Conflict, "datasets/wrong-offset")
	_, err = w.Upload(ctx(w.t), admin, sum, at, bytes.NewReader(raw[half:]))
	ok(w.t, err)
	return sum
}

func TestRSNAsRealLabels(t *testing.T) {
	t.Parallel()
	raw := read(t, shared(t, "rsna/stage_2_train_labels.csv"))
	w := newWorld(t, memory(t))
	packed := new(bytes.Buffer)
	_, err := packed.ReadFrom(archive(t, fstest.MapFS{"stage_2_train_labels.csv": {Data: []byte(raw)}}))
	ok(t, err)
	const slug = "rsna-pneumonia-detection"
	d, err := w.Import(ctx(t), admin, "rsna-pneumonia-detection-challenge", w.upload(packed.Bytes()), false)
	ok(t, err)
	c, m, err := w.Get(ctx(t), slug)
	ok(t, err)
	// The counts that docs/competitions.md gives.
	if m.Rows != 5467 || c.SplitVersion != "rsna-hash20-v1" || c.Revision != 2 || d.Checksum == "" {
		t.Errorf("%d rows, split %s, revision %d", m.Rows, c.SplitVersion, c.Revision)
	}
	files, err := w.Data(ctx(t), slug)
	ok(t, err)
	var out bytes.Buffer
	ok(t, w.WriteData(ctx(t), files, &out))
	tr, train, sample := tar.NewReader(&out), "", ""
	for h, err := tr.Next(); err == nil; h, err = tr.Next() {
		var b bytes.Buffer
		_, err := b.ReadFrom(tr)
		ok(t, err)
		switch h.Name {
		case "data/train_labels.csv":
			train = b.String()
		case "sample_submission.csv":
			sample = b.String()
		default:
			t.Errorf("%s is given out", h.Name)
		}
	}
	if n := strings.Count(train, "\n") - 1; n != 24081 {
		t.Errorf("%d rows to train with", n)
	}
	patients := map[string]bool{}
	holdout := "patientId,PredictionString\n"
	boxes := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(raw), "\n")[1:] {
		f := strings.Split(strings.TrimSpace(line), ",")
		if !competition.InRSNATest(f[0]) {
			patients[f[0]] = true
			continue
		}
		if strings.Contains(train, f[0]) {
			t.Fatalf("%s is tested and given out", f[0])
		}
		boxes[f[0]] += ""
		if f[5] == "1" {
			boxes[f[0]] += fmt.Sprintf("1 %s %s %s %s ", f[1], f[2], f[3], f[4])
		}
	}
	if len(patients) != 21217 || len(boxes) != 5467 {
		t.Errorf("%d and %d patients", len(patients), len(boxes))
	}
	for id, b := range boxes {
		holdout += id + "," + strings.TrimSpace(b) + "\n"
	}
	w.run()
	a := w.user()
	if s := w.scored(a, slug, holdout); s.Score == nil || s.Score.Primary != 1 {
		t.Errorf("the truth scores %+v", s.Score)
	}
	if s := w.scored(a, slug, sample); s.Score == nil || s.Score.Primary != 0 {
		t.Errorf("nothing scores %+v", s.Score)
	}
	// A restart keeps the real split.
	w.open()
	if c, _, err = w.Get(ctx(t), slug); err != nil || c.Revision != 2 || c.SplitVersion != "rsna-hash20-v1" {
		t.Errorf("after a restart: revision %d, split %s, %v", c.Revision, c.SplitVersion, err)
	}
}

func TestTitanicsRealData(t *testing.T) {
	t.Parallel()
	train, test := read(t, shared(t, "titanic/train.csv")), read(t, shared(t, "titanic/test.csv"))
	w := newWorld(t, memory(t))
	pack := func(test string) []byte {
		var b bytes.Buffer
		_, err := b.ReadFrom(archive(t, fstest.MapFS{"train.csv": {Data: []byte(train)}, "test.csv": {Data: []byte(test)}}))
		ok(t, err)
		return b.Bytes()
	}
	_, err := w.Import(ctx(t), admin, "titanic-kaggle", w.upload(pack(strings.Replace(test, "\n900,", "\n9000,", 1))), false)
	wantFault(t, err, fault.Invalid, "datasets/not-this-dataset")
	_, err = w.Import(ctx(t), admin, "titanic-kaggle", w.upload(pack(test)), false)
	ok(t, err)
	files, err := w.Data(ctx(t), "titanic-survival")
	ok(t, err)
	names := ""
	for _, f := range files {
		names += f.Path + " "
	}
	if names != "sample_submission.csv data/test.csv data/train.csv " {
		t.Error(names)
	}
	c, _, err := w.Get(ctx(t), "titanic-survival")
	ok(t, err)
	if c.SplitVersion != "titanic-v1" || c.Revision != 1 {
		t.Errorf("the labels changed: %+v", c)
	}
}

// cifarArchive is an archive in the form of CIFAR-100's, with so many records.
func cifarArchive(t testing.TB, train, test int, label func(i int) byte) []byte {
	t.Helper()
	var b bytes.Buffer
	gz, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	ok(t, err)
	w := tar.NewWriter(gz)
	for _, f := range []struct {
		name string
		n    int
	}{{"train.bin", train}, {"test.bin", test}} {
		data := make([]byte, f.n*3074)
		for i := range f.n {
			data[i*3074], data[i*3074+1] = 19, label(i)
			data[i*3074+2], data[i*3074+2+1024], data[i*3074+2+2048] = 1, 2, 3
		}
		ok(t, w.WriteHeader(&tar.Header{Name: "cifar-100-binary/" + f.name, Size: int64(len(data)), Mode: 0o644}))
		_, err := w.Write(data)
		ok(t, err)
	}
	names := strings.Repeat("x\n", 100)
	ok(t, w.WriteHeader(&tar.Header{Name: "cifar-100-binary/fine_label_names.txt", Size: int64(len(names)), Mode: 0o644}))
	_, err = w.Write([]byte(names))
	ok(t, err)
	ok(t, w.Close())
	ok(t, gz.Close())
	return b.Bytes()
}

func TestCIFARsRealForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory(t))
	label := func(i int) byte { return byte(i * 7 % 100) }
	for name, raw := range map[string][]byte{
		"short":     cifarArchive(t, 50, 10_000, label),
		"label 100": cifarArchive(t, 50_000, 10_000, func(i int) byte { return byte(i % 101) }),
		"no gzip":   []byte("cifar"),
	} {
		_, err := w.Import(ctx(t), admin, "cifar-100", w.upload(raw), false)
		if fault.CodeOf(err) != "datasets/not-this-dataset" {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, _, err := w.Get(ctx(t), "cifar-100-classification")
	ok(t, err)
	if c.SplitVersion != "demo-v1" || c.Revision != 1 {
		t.Fatalf("something was changed: %+v", c)
	}
	_, err = w.Import(ctx(t), admin, "cifar-100", w.upload(cifarArchive(t, 50_000, 10_000, label)), false)
	ok(t, err)
	w.run()
	file := "id,label\n"
	for i := range 10_000 {
		file += fmt.Sprintf("%d,%d\n", i, label(i))
	}
	if s := w.scored(w.user(), "cifar-100-classification", file); s.Score == nil || s.Score.Primary != 1 || s.Score.SplitVersion != "cifar-100-test-v1" {
		t.Errorf("%+v", s.Score)
	}
	images := filepath.Join(w.dir, "datasets", "cifar-100", "current", "files", "test_images.bin")
	st, err := os.Stat(images)
	ok(t, err)
	if st.Size() != 10_000*3072 {
		t.Errorf("%d bytes of test images: are the labels among them?", st.Size())
	}
	progress := w.published(event.DatasetProgress)
	if len(progress) == 0 || !progress[0].Volatile || progress[0].UserID != admin.UserID {
		t.Errorf("%d events of progress", len(progress))
	}
	if left, _ := os.ReadDir(filepath.Join(w.dir, "uploads")); len(left) != 3 {
		t.Errorf("%d uploads are left of 3 that were refused", len(left))
	}
}

func TestImportsAreAdmins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory(t))
	a := w.user()
	sum := strings.Repeat("a", 64)
	_, err := w.Upload(ctx(t), a, sum, 0, strings.NewReader("x"))
	wantFault(t, err, fault.Denied, "")
	_, err = w.Uploaded(ctx(t), a, sum)
	wantFault(t, err, fault.Denied, "")
	_, err = w.Import(ctx(t), a, "cifar-100", sum, false)
	wantFault(t, err, fault.Denied, "")
	for _, bad := range []string{"../../etc/passwd", strings.Repeat("A", 64), "", strings.Repeat("a", 63) + "/"} {
		_, err = w.Upload(ctx(t), admin, bad, 0, strings.NewReader("x"))
		wantFault(t, err, fault.Invalid, "datasets/invalid-digest")
	}
	_, err = w.Import(ctx(t), admin, "cifar-100", sum, false)
	wantFault(t, err, fault.NotFound, "datasets/no-upload")
	_, err = w.Upload(ctx(t), admin, sum, 0, strings.NewReader("not what it says"))
	ok(t, err)
	_, err = w.Import(ctx(t), admin, "cifar-100", sum, false)
	wantFault(t, err, fault.Invalid, "datasets/digest-mismatch")
	if n, err := w.Uploaded(ctx(t), admin, sum); n != 0 || err != nil {
		t.Errorf("a wrong upload stays: %d, %v", n, err)
	}
	_, err = w.Import(ctx(t), admin, "nowhere", sum, false)
	wantFault(t, err, fault.NotFound, "datasets/not-found")
}
