package competition

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path"
)

// CIFAR-100's binary version. A record is 1 byte coarse label, 1 byte fine
// label and 3,072 bytes of pixels: 1,024 red, green and blue each, by rows of
// 32. Source: https://www.cs.toronto.edu/~kriz/cifar.html.
const (
	cifarLabels = 2
	cifarSide   = 32
	cifarPlane  = cifarSide * cifarSide
	cifarRecord = cifarLabels + 3*cifarPlane
	cifarTest   = 10_000
	cifarTrain  = 50_000
	cifarSplit  = "cifar-100-test-v1"
	cifarFine   = 100
)

// importCIFAR100 reads cifar-100-binary.tar.gz. The test labels become the
// holdout; what people get has the test images without them.
func importCIFAR100(ctx context.Context, in *importing) (Overlay, error) {
	gz, err := gzip.NewReader(bufio.NewReaderSize(in.file, 1<<20))
	if err != nil {
		return Overlay{}, notThis("it is no gzip file; expected cifar-100-binary.tar.gz")
	}
	defer gz.Close()
	// 60,000 records and two lists of names are 185 MB; the rest of a bomb is
	// not read.
	tr := tar.NewReader(io.LimitReader(gz, 400<<20))
	found := map[string]bool{}
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Overlay{}, notThis("its archive is broken or too large: %v", err)
		}
		name := path.Base(h.Name)
		if h.Typeflag != tar.TypeReg || found[name] {
			continue
		}
		switch name {
		case "train.bin":
			err = in.cifarImages(ctx, tr, h.Size, cifarTrain, "train", nil)
		case "test.bin":
			var labels []byte
			if err = in.cifarImages(ctx, tr, h.Size, cifarTest, "test", &labels); err == nil {
				err = in.cifarHoldout(labels)
			}
		case "fine_label_names.txt", "coarse_label_names.txt":
			if h.Size > 64<<10 {
				return Overlay{}, notThis("%s has %d bytes", name, h.Size)
			}
			err = writeFile(in.files, name, tr)
		default:
			continue
		}
		if err != nil {
			return Overlay{}, err
		}
		found[name] = true
	}
	for _, need := range []string{"train.bin", "test.bin", "fine_label_names.txt"} {
		if !found[need] {
			return Overlay{}, notThis("the archive lacks %s", need)
		}
	}
	return Overlay{Split: cifarSplit, Rows: cifarTest, License: "None stated; cite Krizhevsky 2009",
		Source: "CIFAR-100's test set, https://www.cs.toronto.edu/~kriz/cifar.html"}, nil
}

// cifarImages copies a set's records: all of them for training; without their
// labels, which go into labels, for testing.
func (in *importing) cifarImages(ctx context.Context, r io.Reader, size int64, records int, set string, labels *[]byte) error {
	if size != int64(records)*cifarRecord {
		return notThis("%s.bin has %d bytes, not %d records of %d", set, size, records, cifarRecord)
	}
	name := set + ".bin"
	if labels != nil {
		name = set + "_images.bin"
	}
	f, err := in.files.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	src, record := bufio.NewReaderSize(r, 1<<20), make([]byte, cifarRecord)
	for i := range records {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := io.ReadFull(src, record); err != nil {
			return notThis("%s.bin breaks off at record %d", set, i)
		}
		if record[1] >= cifarFine {
			return notThis("record %d of %s.bin has the label %d", i, set, record[1])
		}
		out := record
		if labels != nil {
			*labels = append(*labels, record[1])
			out = record[cifarLabels:]
		}
		if _, err := w.Write(out); err != nil {
			return err
		}
		if in.png {
			if err := in.cifarPNG(record[cifarLabels:], fmt.Sprintf("png/%s/%05d.png", set, i)); err != nil {
				return err
			}
		}
		in.advance(i+1, records)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return keep(f)
}

// cifarPNG writes one image. Its name is its number: the label is not in it.
func (in *importing) cifarPNG(pixels []byte, name string) error {
	img := image.NewNRGBA(image.Rect(0, 0, cifarSide, cifarSide))
	for i := range cifarPlane {
		img.Pix[4*i], img.Pix[4*i+1], img.Pix[4*i+2], img.Pix[4*i+3] = pixels[i], pixels[cifarPlane+i], pixels[2*cifarPlane+i], 0xff
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return err
	}
	return writeFile(in.files, name, &b)
}

func (in *importing) cifarHoldout(labels []byte) error {
	holdout, sample := bytes.NewBufferString("id,label\n"), bytes.NewBufferString("id,label\n")
	for i, l := range labels {
		fmt.Fprintf(holdout, "%d,%d\n", i, l)
		fmt.Fprintf(sample, "%d,0\n", i)
	}
	return errors.Join(writeFile(in.secret, holdoutFile, holdout), writeFile(in.secret, sampleFile, sample))
}
