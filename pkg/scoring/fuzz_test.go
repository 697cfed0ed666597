package scoring

import (
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/medforge/medforge/pkg/fault"
)

// readAll takes a file apart with our reader; ok is false if a record did not
// fit.
func readAll(t *testing.T, src io.Reader) (rows [][]string, lines []int, ok bool) {
	r, err := newCSVReader(context.Background(), src, 1<<30, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	ok = true
	for last := 0; ; {
		line, state, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case state == recordEnd:
			return rows, lines, ok
		case line <= last:
			t.Fatalf("line %d after line %d", line, last)
		case state != recordOK || r.count > maxFields:
			ok = false
		default:
			var row []string
			for k := range r.stored {
				row = append(row, string(r.field(k)))
			}
			rows, lines = append(rows, row), append(lines, line)
		}
		last = line
	}
}

// FuzzCSV holds our reader to encoding/csv: what that takes, we take apart
// alike, on the same lines, however the bytes come in; what it refuses, we do.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"id,p\na,1\n", "\ufeffid,p\r\n\"a,\"\"b\"\"\",1\r\n\r\n", "a\r", "a,\"b\nc\",d\n\"\"\n", "\"a", "a\"b\n", "\"a\"b\n", ",,\n,", "\"a\"\r\n\"b\"\r"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, lines, ok := readAll(t, bytes.NewReader(data))
		again, _, okAgain := readAll(t, iotest.OneByteReader(bytes.NewReader(data)))
		if ok != okAgain || !slices.EqualFunc(rows, again, slices.Equal) {
			t.Fatalf("byte by byte it is %q (%v), at once %q (%v)", again, okAgain, rows, ok)
		}
		ref := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
		ref.FieldsPerRecord = -1
		for i := 0; ; i++ {
			row, err := ref.Read()
			if err == io.EOF {
				if ok && i != len(rows) {
					t.Fatalf("%d rows, encoding/csv has %d", len(rows), i)
				}
				return
			}
			if err != nil {
				if ok {
					t.Fatalf("encoding/csv refuses this: %v", err)
				}
				return
			}
			if !ok && i >= len(rows) {
				return
			}
			if line, _ := ref.FieldPos(0); ok && line != lines[i] {
				t.Fatalf("row %d is on line %d, encoding/csv has %d", i, lines[i], line)
			}
			for k := range row {
				// encoding/csv makes CRLF inside quotes LF; we keep it.
				if ok && row[k] != strings.ReplaceAll(rows[i][k], "\r\n", "\n") || ok && len(row) != len(rows[i]) {
					t.Fatalf("row %d is %q, encoding/csv has %q", i, rows[i], row)
				}
			}
		}
	})
}

// FuzzScore throws whole files at every kind of column: either there is a
// finite score or a bounded, clean error of ours.
func FuzzScore(f *testing.F) {
	scorers := []*Scorer{
		mustScorer(f, survival, survivalTruth), mustScorer(f, price, priceTruth), mustScorer(f, animal, animalTruth),
		mustScorer(f, mask, maskTruth), mustScorer(f, rsna, rsnaTruth), mustScorer(f, one1("log_loss", Float), "id,y\na,1\nb,0\n"),
		mustScorer(f, one1("spearman", Float), "id,y\na,1\nb,0\n"),
	}
	for i, s := range []string{survivalTruth, priceTruth, animalTruth, maskTruth,
		"id,PredictionString\na,0.5 1 1 8 8\nb,\n", "id,y\na,0.9\nb,1e-3\n", "id,y\na,inf\nb,nan\n", "id,confidence,x,y,width,height\na,0.5,1,1,8,8\nb,,,,,\n"} {
		f.Add(uint8(i), []byte(s))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		s := scorers[int(which)%len(scorers)]
		got, err := s.Score(context.Background(), bytes.NewReader(data))
		if err != nil {
			e := fault.As(err)
			if e == nil || e.Kind != fault.Invalid || e.Code != CodeInvalid || len(e.Fields) == 0 {
				t.Fatal(explain(err))
			}
			if text := explain(err); len(text) > 50_000 || strings.ContainsAny(text, "\x00\x1b\x7f\r") {
				t.Fatalf("%q", text)
			}
			return
		}
		for _, c := range got.Components {
			if math.IsNaN(c.Value) || math.IsInf(c.Value, 0) {
				t.Fatalf("%+v", got)
			}
		}
		// A byte order mark and CRLF change nothing.
		if !bytes.HasPrefix(data, []byte("\ufeff")) && !bytes.ContainsAny(data, "\r\"") {
			other := "\ufeff" + strings.ReplaceAll(string(data), "\n", "\r\n")
			if again, err := s.Score(context.Background(), strings.NewReader(other)); err != nil || again.Primary != got.Primary {
				t.Fatalf("%v, then %v, %v", got, again, err)
			}
		}
	})
}

// FuzzRLE checks run-length masks against masks drawn pixel by pixel.
func FuzzRLE(f *testing.F) {
	f.Add("1 3 7 2", "2 2")
	f.Add("", "-1")
	f.Add("1 12", "12 1")
	f.Add("3 1 2 1", "1 99999999999999999999")
	f.Fuzz(func(t *testing.T, a, b string) {
		const pixels = 60
		var sets [2][]run
		var drawn [2][pixels]bool
		for k, text := range []string{a, b} {
			runs, reason := appendRuns(nil, []byte(text), pixels)
			if reason != "" {
				if !validReason(reason) {
					t.Fatalf("reason %q", reason)
				}
				return
			}
			sets[k] = runs
			for _, r := range runs {
				for p := r.start; p < r.end; p++ {
					if drawn[k][p] {
						t.Fatalf("%q marks pixel %d twice", text, p)
					}
					drawn[k][p] = true
				}
			}
		}
		var both, first int64
		for p := range pixels {
			if drawn[0][p] {
				first++
				if drawn[1][p] {
					both++
				}
			}
		}
		if area(sets[0]) != first || shared(sets[0], sets[1]) != both || shared(sets[1], sets[0]) != both {
			t.Fatalf("%q and %q: area %d, shared %d; pixel by pixel %d and %d", a, b, area(sets[0]), shared(sets[0], sets[1]), first, both)
		}
	})
}

// validReason: a reason is one of the code's texts, not a piece of the file.
func validReason(reason string) bool {
	return strings.HasPrefix(reason, "the ") || strings.HasPrefix(reason, "a ")
}

// FuzzBoxes reads lists of boxes and holds an image's score to what any such
// score obeys.
func FuzzBoxes(f *testing.F) {
	f.Add("0.9 0 0 10 10", "0 0 10 10")
	f.Add("", "")
	f.Add("0.5 1 1 8 8 0.5 0 0 4 4", "0 0 10 10 5 5 1 1")
	f.Add("nan 1 1 1 1", "1e300 0 1 1")
	f.Fuzz(func(t *testing.T, pred, truth string) {
		v := [2]*values{{}, {}}
		for k, text := range []string{truth, pred} {
			b := &v[k].boxes
			b.counts = make([]int32, 1)
			if kind, reason := b.readList(0, []byte(text), 4+k, 20); kind != "" {
				if !validReason(reason) {
					t.Fatalf("reason %q", reason)
				}
				return
			}
			b.group(1)
		}
		score, parts, err := mapIoU(&problem{n: 1, truth: v[0], pred: v[1]})
		if err != nil || !(score >= 0 && score <= 1) {
			t.Fatalf("score %v, %v", score, err)
		}
		for i := 2; i < len(parts); i++ {
			if parts[i].Value > parts[i-1].Value+1e-15 && len(v[0].boxes.all) < 2 {
				t.Fatalf("one true box, and a stricter threshold hits more: %v", parts)
			}
		}
		for _, a := range v[0].boxes.all {
			for _, b := range v[1].boxes.all {
				if o := a.iou(b); !(o >= 0 && o <= 1+1e-9) || o != b.iou(a) && math.Abs(o-b.iou(a)) > 1e-12 {
					t.Fatalf("%v and %v overlap by %v and %v", a, b, o, b.iou(a))
				}
			}
		}
	})
}

// FuzzNumber holds both fast ways to read a number to strconv.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "1.5", ".5", "5.", "-0", "1e5", "123456789012345", "0.1234567890123456", "nan", "-inf", "0x1p4", "1_0", "+3", "9007199254740993", " 7 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, err := strconv.ParseFloat(strings.Trim(text, " \t"), 64)
		got, kind := parseFloat([]byte(text))
		if kind == "" && (err != nil || got != want) {
			t.Fatalf("%q is read as %v; strconv: %v, %v", text, got, want, err)
		}
		if kind != "" && err == nil && !math.IsNaN(want) && !math.IsInf(want, 0) && !strings.ContainsAny(text, "xX_") {
			t.Fatalf("%q is refused as %s; strconv has %v", text, kind, want)
		}
		if whole, kind := parseWhole([]byte(text)); kind == "" && float64(whole) != want {
			t.Fatalf("%q is read as %d; strconv has %v", text, whole, want)
		}
	})
}
