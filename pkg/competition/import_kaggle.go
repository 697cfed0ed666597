package competition

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
)

// What is needed of Kaggle's archives.
const (
	rsnaLabels   = "stage_2_train_labels.csv"
	titanicTrain = "train.csv"
	titanicTest  = "test.csv"
	rsnaSplit    = "rsna-hash20-v1"
)

// members reads the wanted files out of the tar archive that the command line
// makes of Kaggle's zip or folder.
func (in *importing) members(wants ...string) (map[string][]byte, error) {
	out := map[string][]byte{}
	tr := tar.NewReader(in.file)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, notThis("its archive cannot be read: %v", err)
		}
		name := path.Base(h.Name)
		if h.Typeflag != tar.TypeReg || !slices.Contains(wants, name) {
			continue
		}
		if h.Size > 256<<20 {
			return nil, notThis("%s has %d bytes", name, h.Size)
		}
		if out[name], err = io.ReadAll(tr); err != nil {
			return nil, notThis("%s is cut off", name)
		}
	}
	for _, w := range wants {
		if out[w] == nil {
			return nil, notThis("%s is missing", w)
		}
	}
	return out, nil
}

// table reads a CSV file and checks its header.
func table(name string, raw []byte, header ...string) ([][]string, error) {
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")))).ReadAll()
	if err != nil {
		return nil, notThis("%s: %v", name, err)
	}
	if len(rows) < 2 || !slices.Equal(rows[0], header) {
		return nil, notThis("%s does not begin with the header %v", name, header)
	}
	return rows[1:], nil
}

// InRSNATest is the split of the real labels: a patient is tested when the
// SHA-256 of the patientId, its first eight bytes as a big-endian number,
// leaves less than 20 when divided by 100. Whoever has the labels can work it
// out again, and it does not change when patients are added.
func InRSNATest(patientID string) bool {
	sum := sha256.Sum256([]byte(patientID))
	return binary.BigEndian.Uint64(sum[:8])%100 < 20
}

// importRSNA splits Kaggle's training labels: a fifth of the patients becomes
// the holdout, the others' labels are given out.
func importRSNA(_ context.Context, in *importing) (Overlay, error) {
	raw, err := in.members(rsnaLabels)
	if err != nil {
		return Overlay{}, err
	}
	header := []string{"patientId", "x", "y", "width", "height", "Target"}
	rows, err := table(rsnaLabels, raw[rsnaLabels], header...)
	if err != nil {
		return Overlay{}, err
	}
	var train, holdout, sample bytes.Buffer
	w, h, s := csv.NewWriter(&train), csv.NewWriter(&holdout), csv.NewWriter(&sample)
	lines := [][]string{header, header, {"patientId", "PredictionString"}}
	for i, out := range []*csv.Writer{w, h, s} {
		if err := out.Write(lines[i]); err != nil {
			return Overlay{}, err
		}
	}
	seen := map[string]bool{}
	for _, r := range rows {
		out := w
		if InRSNATest(r[0]) {
			out = h
			if !seen[r[0]] {
				seen[r[0]] = true
				if err := s.Write([]string{r[0], ""}); err != nil {
					return Overlay{}, err
				}
			}
		}
		if err := out.Write(r); err != nil {
			return Overlay{}, err
		}
	}
	w.Flush()
	h.Flush()
	s.Flush()
	if len(seen) == 0 {
		return Overlay{}, notThis("none of its patients falls into the test set")
	}
	in.advance(1, 1)
	return Overlay{Split: rsnaSplit, Rows: len(seen), License: "Kaggle's competition rules",
			Source: "RSNA Pneumonia Detection Challenge, stage 2 training labels"},
		errors.Join(writeFile(in.files, "train_labels.csv", &train),
			writeFile(in.secret, holdoutFile, &holdout), writeFile(in.secret, sampleFile, &sample))
}

// importTitanic keeps Kaggle's files for people to fetch. The holdout is the
// built-in one, so they must be about the same passengers.
func importTitanic(_ context.Context, in *importing) (Overlay, error) {
	raw, err := in.members(titanicTrain, titanicTest)
	if err != nil {
		return Overlay{}, err
	}
	columns := []string{"Pclass", "Name", "Sex", "Age", "SibSp", "Parch", "Ticket", "Fare", "Cabin", "Embarked"}
	if _, err := table(titanicTrain, raw[titanicTrain], append([]string{"PassengerId", "Survived"}, columns...)...); err != nil {
		return Overlay{}, err
	}
	rows, err := table(titanicTest, raw[titanicTest], append([]string{"PassengerId"}, columns...)...)
	if err != nil {
		return Overlay{}, err
	}
	const first, last = 892, 1309
	ids := map[string]bool{}
	for _, r := range rows {
		ids[r[0]] = true
	}
	for id := first; id <= last; id++ {
		if !ids[strconv.Itoa(id)] {
			return Overlay{}, notThis("%s lacks passenger %d", titanicTest, id)
		}
	}
	if len(rows) != last-first+1 {
		return Overlay{}, notThis("%s has %d passengers, not %d", titanicTest, len(rows), last-first+1)
	}
	for _, name := range []string{titanicTrain, titanicTest} {
		if err := writeFile(in.files, name, bytes.NewReader(raw[name])); err != nil {
			return Overlay{}, fmt.Errorf("keep %s: %w", name, err)
		}
	}
	return Overlay{}, nil
}
