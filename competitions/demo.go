//go:build ignore

// Makes the small generated splits, marked demo-v1, that CIFAR-100 and RSNA
// start on, and the sample submissions. The same files every time:
//
//	go generate ./competitions
package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

func main() {
	titanic()
	cifar(rand.New(rand.NewPCG(100, 1)))
	rsna(rand.New(rand.NewPCG(4, 2)))
}

func write(folder, name string, b *bytes.Buffer) {
	path := filepath.Join(folder, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, b.Bytes(), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func titanic() {
	sample := bytes.NewBufferString("PassengerId,Survived\n")
	for id := 892; id <= 1309; id++ {
		fmt.Fprintf(sample, "%d,0\n", id)
	}
	write("titanic-survival", "sample_submission.csv", sample)
}

// cifar makes 100 clouds of points in eight dimensions, one a label: something
// to learn, and nothing to do with the real images.
func cifar(r *rand.Rand) {
	const classes, dims, train, test = 100, 8, 2000, 500
	var centres [classes][dims]float64
	for c := range centres {
		for d := range centres[c] {
			centres[c][d] = r.NormFloat64()
		}
	}
	point := func(b *bytes.Buffer, c int) {
		for d := range dims {
			fmt.Fprintf(b, ",%.4f", centres[c][d]+0.35*r.NormFloat64())
		}
		b.WriteByte('\n')
	}
	head := ",x0,x1,x2,x3,x4,x5,x6,x7\n"
	learn := bytes.NewBufferString("label" + head)
	for range train {
		c := r.IntN(classes)
		fmt.Fprint(learn, c)
		point(learn, c)
	}
	points, holdout, sample := bytes.NewBufferString("id"+head), bytes.NewBufferString("id,label\n"), bytes.NewBufferString("id,label\n")
	for id := range test {
		c := r.IntN(classes)
		fmt.Fprint(points, id)
		point(points, c)
		fmt.Fprintf(holdout, "%d,%d\n", id, c)
		fmt.Fprintf(sample, "%d,0\n", id)
	}
	const folder = "cifar-100-classification"
	write(folder, "data/train.csv", learn)
	write(folder, "data/test.csv", points)
	write(folder, "holdout.csv", holdout)
	write(folder, "sample_submission.csv", sample)
}

// rsna makes boxes as large and as frequent as those of the real labels; about
// a quarter of the images have any.
func rsna(r *rand.Rand) {
	holdout := bytes.NewBufferString("patientId,x,y,width,height,Target\n")
	sample := bytes.NewBufferString("patientId,PredictionString\n")
	for id := range 120 {
		name := fmt.Sprintf("demo-%04d", id)
		fmt.Fprintf(sample, "%s,\n", name)
		if r.IntN(4) > 0 {
			fmt.Fprintf(holdout, "%s,,,,,0\n", name)
			continue
		}
		for side := range 1 + r.IntN(2) {
			w, h := 120+r.IntN(180), 150+r.IntN(350)
			fmt.Fprintf(holdout, "%s,%d,%d,%d,%d,1\n", name, 100+450*side+r.IntN(100), 150+r.IntN(300), w, h)
		}
	}
	const folder = "rsna-pneumonia-detection"
	write(folder, "holdout.csv", holdout)
	write(folder, "sample_submission.csv", sample)
}
