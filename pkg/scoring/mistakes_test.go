package scoring

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/fault"
)

var (
	survival = Spec{IDColumn: "id", Metric: "accuracy", Rows: 3,
		Targets: []Column{{Name: "alive", Type: Int, Min: ptr(0), Max: ptr(1)}}}
	price = Spec{IDColumn: "id", Metric: "rmse",
		Targets: []Column{{Name: "price", Type: Float, Min: ptr(-5), Max: ptr(1000)}}}
	animal = Spec{IDColumn: "id", Metric: "accuracy",
		Targets: []Column{{Name: "kind", Type: Category, Classes: []string{"cat", "dog"}}}}
	mask = Spec{IDColumn: "id", Metric: "dice",
		Targets: []Column{{Name: "mask", Type: RLE, Width: 4, Height: 3}}}
	rsna = Spec{IDColumn: "id", Metric: "map_iou",
		Targets: []Column{{Name: "PredictionString", Type: Boxes, MaxBoxes: 2}}}
)

const (
	survivalTruth = "id,alive\na,0\nb,1\nc,1\n"
	priceTruth    = "id,price\na,10\nb,20\n"
	animalTruth   = "id,kind\na,cat\nb,dog\n"
	maskTruth     = "id,mask\na,1 3\nb,\n"
	rsnaTruth     = "id,x,y,width,height\na,0,0,10,10\nb,,,,\n"
)

// mistake is what one field of the error must say.
type want struct {
	kind  Mistake
	loc   string
	count int
	ids   string // examples, joined by blanks
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1100)
	for _, c := range []struct {
		name, file string
		spec       Spec
		truth      string
		want       []want
	}{
		{"empty file", "", survival, survivalTruth, []want{{EmptyFile, "file", 1, ""}}},
		{"only line ends", "\n\r\n\n", survival, survivalTruth, []want{{EmptyFile, "file", 1, ""}}},
		{"only a byte order mark", "\ufeff", survival, survivalTruth, []want{{EmptyFile, "file", 1, ""}}},
		{"header only", "id,alive\n", survival, survivalTruth, []want{{MissingID, "file", 3, ""}}},
		{"no header", "a,0\nb,1\nc,1\n", survival, survivalTruth, []want{{WrongHeader, "row 1", 1, ""}}},
		{"semicolons", "id;alive\na;0\n", survival, survivalTruth, []want{{WrongHeader, "row 1", 1, ""}}},
		{"CR only", "id,alive\ra,0\rb,1\rc,1\r", survival, survivalTruth, []want{{WrongHeader, "row 1", 1, ""}}},
		{"UTF-16", "\xff\xfei\x00d\x00,\x00", survival, survivalTruth, []want{{NotUTF8, "file", 1, ""}}},
		{"UTF-16 without its mark", "\x00i\x00d\x00,", survival, survivalTruth, []want{{NotUTF8, "file", 1, ""}}},
		{"gzip", "\x1f\x8b\x08\x00", survival, survivalTruth, []want{{NotUTF8, "file", 1, ""}}},
		{"zip", "PK\x03\x04\x14", survival, survivalTruth, []want{{NotUTF8, "file", 1, ""}}},
		{"id column missing", "alive\n0\n", survival, survivalTruth, []want{{MissingColumn, "row 1, column id", 1, ""}}},
		{"target missing", "id\na\nb\nc\n", survival, survivalTruth, []want{{MissingColumn, "row 1, column alive", 1, ""}}},
		{"other letter case", "id,Alive\na,0\nb,1\nc,1\n", survival, survivalTruth, []want{{MissingColumn, "row 1, column alive", 1, ""}}},
		{"column twice", "id,alive,alive\na,0,0\nb,1,1\nc,1,1\n", survival, survivalTruth, []want{{DuplicateColumn, "row 1, column alive", 1, ""}}},
		{"extra columns", "id,x,alive,y\na,,0,\nb,,1,\nc,,1,\n", survival, survivalTruth, []want{{ExtraColumn, "row 1, column x", 2, "x y"}}},
		{"header not UTF-8", "id,alive,\xe9\na,0,\nb,1,\nc,1,\n", survival, survivalTruth,
			[]want{{NotUTF8, "row 1", 1, ""}, {ExtraColumn, `row 1, column \xe9`, 1, `\xe9`}}},
		{"missing ids", "id,alive\nb,1\n", survival, survivalTruth, []want{{MissingID, "file", 2, ""}}},
		{"unknown ids", "id,alive\na,0\nz1,0\nb,1\nz2,1\nc,1\n", survival, survivalTruth, []want{{UnknownID, "row 3, column id", 2, "z1 z2"}}},
		{"duplicate ids", "id,alive\na,0\na,0\nb,1\nc,1\nb,0\na,1\n", survival, survivalTruth, []want{{DuplicateID, "row 3, column id", 3, "a b"}}},
		{"empty id", "id,alive\na,0\n,1\nb,1\nc,1\n", survival, survivalTruth, []want{{EmptyField, "row 3, column id", 1, ""}}},
		{"empty value", "id,alive\na,0\nb,\nc, \n", survival, survivalTruth, []want{{EmptyField, "row 3, column alive", 2, "b c"}}},
		{"text for a number", "id,alive\na,yes\nb,1\nc,0x1\n", survival, survivalTruth, []want{{NotANumber, "row 2, column alive", 2, "a c"}}},
		{"fraction for an int", "id,alive\na,0.5\nb,1\nc,1\n", survival, survivalTruth, []want{{NotAnInteger, "row 2, column alive", 1, "a"}}},
		{"out of range", "id,alive\na,0\nb,2\nc,-1\n", survival, survivalTruth, []want{{OutOfRange, "row 3, column alive", 2, "b c"}}},
		{"NaN", "id,alive\na,nan\nb,NaN\nc,-nan\n", survival, survivalTruth, []want{{NaN, "row 2, column alive", 3, "a b c"}}},
		{"infinite", "id,alive\na,inf\nb,-Infinity\nc,1e999\n", survival, survivalTruth, []want{{Infinite, "row 2, column alive", 3, "a b c"}}},
		{"value not UTF-8", "id,alive\na,\xff\nb,1\nc,1\n", survival, survivalTruth, []want{{NotUTF8, "row 2, column alive", 1, "a"}}},
		{"id not UTF-8", "id,alive\na\xff,0\na,0\nb,1\nc,1\n", survival, survivalTruth, []want{{NotUTF8, "row 2, column id", 1, `a\xff`}}},
		{"long value", "id,alive\na," + long + "\nb,1\nc,1\n", survival, survivalTruth, []want{{FieldTooLong, "row 2, column alive", 1, "a"}}},
		{"long id", "id,alive\n" + long + ",1\na,0\nb,1\nc,1\n", survival, survivalTruth, []want{{FieldTooLong, "row 2, column id", 1, ""}}},
		{"long row", "id,alive\na,0" + strings.Repeat(long, 200) + "\nb,1\nc,1\n", survival, survivalTruth,
			[]want{{FieldTooLong, "row 2", 1, ""}, {MissingID, "file", 1, ""}}},
		{"long header", "id,alive" + strings.Repeat(long, 200) + "\n", survival, survivalTruth, []want{{FieldTooLong, "row 1", 1, ""}}},
		{"too many columns", "id,alive" + strings.Repeat(",", 2000) + "\n", survival, survivalTruth, []want{{FieldTooLong, "row 1", 1, ""}}},
		{"wrong field counts", "id,alive\na\nb,1,2\nc,1\n", survival, survivalTruth, []want{{WrongFieldCount, "row 2", 2, "a b"}}},
		{"thousands of fields", "id,alive\na" + strings.Repeat(",", 5000) + "\nb,1\nc,1\n", survival, survivalTruth, []want{{WrongFieldCount, "row 2", 1, "a"}}},
		{"quote in a field", "id,alive\na,0\"\nb,1\nc,1\n", survival, survivalTruth, []want{{MalformedQuotes, "row 2", 1, ""}, {MissingID, "file", 1, ""}}},
		{"text behind a quote", "id,alive\n\"a\"a,0\nb,1\nc,1\n", survival, survivalTruth, []want{{MalformedQuotes, "row 2", 1, ""}, {MissingID, "file", 1, ""}}},
		{"quote not closed", "id,alive\n\"a,0\nb,1\nc,1\n", survival, survivalTruth, []want{{MalformedQuotes, "row 2", 1, ""}, {MissingID, "file", 1, ""}}},
		{"quote not closed in the last line", "id,alive\na,0\nb,1\nc,\"1", survival, survivalTruth, []want{{MalformedQuotes, "row 4", 1, ""}, {MissingID, "file", 1, ""}}},
		{"broken quotes in the header", "\"id,alive\n", survival, survivalTruth, []want{{MalformedQuotes, "row 1", 1, ""}}},
		{"broken quotes throughout", "id,alive\n" + strings.Repeat("a\",0\n", 30), survival, survivalTruth,
			[]want{{MalformedQuotes, "row 2", 20, ""}, {MalformedQuotes, "row 21", 1, ""}}},
		{"rows after a quoted line end", "id,alive\n\"a\nb\",0\nc,9\n", survival, survivalTruth,
			[]want{{UnknownID, "row 2, column id", 1, `a\nb`}, {OutOfRange, "row 4, column alive", 1, "c"}, {MissingID, "file", 2, ""}}},
		{"too many rows", "id,alive\n" + strings.Repeat("a,0\n", 1013), survival, survivalTruth,
			[]want{{DuplicateID, "row 3, column id", 1011, "a"}, {TooManyRows, "row 1014", 1, ""}}},
		{"several at once", "id,alive,note\na,7,\nq,no,\nb,nan,\nb,1,\n", survival, survivalTruth, []want{
			{ExtraColumn, "row 1, column note", 1, "note"}, {OutOfRange, "row 2, column alive", 1, "a"},
			{UnknownID, "row 3, column id", 1, "q"}, {NotANumber, "row 3, column alive", 1, "q"},
			{NaN, "row 4, column alive", 1, "b"}, {DuplicateID, "row 5, column id", 1, "b"}, {MissingID, "file", 1, ""}}},

		{"float out of range", "id,price\na,1000.1\nb,-5.5\n", price, priceTruth, []want{{OutOfRange, "row 2, column price", 2, "a b"}}},
		{"float with a comma", "id,price\na,\"1,5\"\nb,1_000\n", price, priceTruth, []want{{NotANumber, "row 2, column price", 2, "a b"}}},
		{"no class", "id,kind\na,Cat\nb,\n", animal, animalTruth, []want{{NotAClass, "row 2, column kind", 1, "a"}, {EmptyField, "row 3, column kind", 1, "b"}}},

		{"mask: odd", "id,mask\na,1 2 3\nb,\n", mask, maskTruth, []want{{BadMask, "row 2, column mask", 1, "a"}}},
		{"mask: text", "id,mask\na,1 x\nb,1.5 2\n", mask, maskTruth, []want{{BadMask, "row 2, column mask", 2, "a b"}}},
		{"mask: negative", "id,mask\na,1 -2\nb,\n", mask, maskTruth, []want{{BadMask, "row 2, column mask", 1, "a"}}},
		{"mask: pixel 0", "id,mask\na,0 2\nb,\n", mask, maskTruth, []want{{BadMask, "row 2, column mask", 1, "a"}}},
		{"mask: length 0", "id,mask\na,1 0\nb,\n", mask, maskTruth, []want{{BadMask, "row 2, column mask", 1, "a"}}},
		{"mask: start outside", "id,mask\na,13 1\nb,\n", mask, maskTruth, []want{{BadMask, "row 2, column mask", 1, "a"}}},
		{"mask: end outside", "id,mask\na,12 2\nb,\n", mask, maskTruth, []want{{BadMask, "row 2, column mask", 1, "a"}}},
		{"mask: overlap", "id,mask\na,1 3 3 1\nb,\n", mask, maskTruth, []want{{BadMask, "row 2, column mask", 1, "a"}}},
		{"mask: falling", "id,mask\na,5 1 1 1\nb,\n", mask, maskTruth, []want{{BadMask, "row 2, column mask", 1, "a"}}},
		{"mask: huge number", "id,mask\na,99999999999999999999 1\nb,\n", mask, maskTruth, []want{{BadMask, "row 2, column mask", 1, "a"}}},

		{"boxes: odd count", "id,PredictionString\na,0.5 1 1 2\nb,\n", rsna, rsnaTruth, []want{{BadBoxes, "row 2, column PredictionString", 1, "a"}}},
		{"boxes: text", "id,PredictionString\na,0.5 1 1 2 z\nb,\n", rsna, rsnaTruth, []want{{BadBoxes, "row 2, column PredictionString", 1, "a"}}},
		{"boxes: NaN", "id,PredictionString\na,nan 1 1 2 2\nb,\n", rsna, rsnaTruth, []want{{BadBoxes, "row 2, column PredictionString", 1, "a"}}},
		{"boxes: no width", "id,PredictionString\na,1 1 1 0 2\nb,\n", rsna, rsnaTruth, []want{{BadBoxes, "row 2, column PredictionString", 1, "a"}}},
		{"boxes: too many", "id,PredictionString\na,1 1 1 2 2 1 1 1 2 2 1 1 1 2 2\nb,\n", rsna, rsnaTruth, []want{{TooManyBoxes, "row 2, column PredictionString", 1, "a"}}},
		{"boxes: id twice", "id,PredictionString\na,\na,\nb,\n", rsna, rsnaTruth, []want{{DuplicateID, "row 3, column id", 1, "a"}}},
		{"box rows: missing", "id,confidence,x,y,width,height\na,1,1,1,2,2\n", rsna, rsnaTruth, []want{{MissingID, "file", 1, ""}}},
		{"box rows: half empty", "id,confidence,x,y,width,height\na,1,1,,2,2\nb,,,,,\n", rsna, rsnaTruth, []want{{EmptyField, "row 2, column y", 1, "a"}}},
		{"box rows: text", "id,confidence,x,y,width,height\na,high,1,1,2,2\nb,,,,,\n", rsna, rsnaTruth, []want{{NotANumber, "row 2, column confidence", 1, "a"}}},
		{"box rows: range", "id,confidence,x,y,width,height\na,1,1,1,2,-2\nb,1,1e300,1,1,1\n", rsna, rsnaTruth,
			[]want{{OutOfRange, "row 2, column height", 1, "a"}, {OutOfRange, "row 3, column x", 1, "b"}}},
		{"box rows: too many", "id,confidence,x,y,width,height\nb,,,,,\n" + strings.Repeat("a,1,1,1,2,2\n", 3), rsna, rsnaTruth, []want{{TooManyBoxes, "row 5", 1, "a"}}},
		{"box rows: none and one", "id,confidence,x,y,width,height\na,1,1,1,2,2\nb,,,,,\na,,,,,\n", rsna, rsnaTruth, []want{{DuplicateID, "row 4, column id", 1, "a"}}},
		{"box rows: a column missing", "id,confidence,x,y,width\na,1,1,1,2\nb,,,,\n", rsna, rsnaTruth, []want{{MissingColumn, "row 1, column height", 1, ""}}},
		{"boxes: neither form", "id,boxes\na,\nb,\n", rsna, rsnaTruth, []want{{MissingColumn, "row 1, column PredictionString", 1, ""}, {ExtraColumn, "row 1, column boxes", 1, "boxes"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := mustScorer(t, c.spec, c.truth)
			checkMistakes(t, s, c.file, c.want)
		})
	}
}

// checkMistakes wants exactly these fields in the error, from Score and Check
// alike, and scores nothing.
func checkMistakes(t *testing.T, s *Scorer, file string, wanted []want) {
	t.Helper()
	got, err := s.Score(context.Background(), strings.NewReader(file))
	f := fault.As(err)
	if f == nil || f.Kind != fault.Invalid || f.Code != CodeInvalid {
		t.Fatalf("got score %+v, error %s", got, explain(err))
	}
	if again := s.Check(context.Background(), strings.NewReader(file)); explain(again) != explain(err) {
		t.Errorf("Check says something else:\n%s", explain(again))
	}
	var have []want
	for _, x := range f.Fields {
		ids, _ := x.Ctx["examples"].([]string)
		have = append(have, want{Mistake(x.Type), x.Loc, x.Ctx["count"].(int), strings.Join(ids, " ")})
		if x.Msg == "" || strings.Contains(x.Msg, "%!") {
			t.Errorf("message %q", x.Msg)
		}
		if row, ok := x.Ctx["row"]; ok && !strings.HasPrefix(x.Loc, fmt.Sprintf("row %d", row)) {
			t.Errorf("loc %q but row %v", x.Loc, row)
		}
	}
	if !slices.Equal(have, wanted) {
		t.Errorf("got\n%v\nwant\n%v\n%s", have, wanted, explain(err))
	}
	if !strings.Contains(f.Message, "predictions") || strings.Contains(f.Message, "%!") {
		t.Errorf("message %q", f.Message)
	}
}

// TestEveryMistakeIsTested keeps the table above whole.
func TestEveryMistakeIsTested(t *testing.T) {
	t.Parallel()
	source := readFile(t, "mistakes_test.go") + readFile(t, "metrics_test.go")
	constants := readFile(t, "mistakes.go")
	for _, line := range strings.Split(constants, "\n") {
		name, _, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || !strings.Contains(line, ` Mistake = "`) {
			continue
		}
		if !strings.Contains(source, "{"+name+",") && !strings.Contains(source, "string("+name+")") {
			t.Errorf("no test for the mistake %s", name)
		}
	}
}

// TestMistakesInWords: what people most often send for a CSV file is named.
func TestMistakesInWords(t *testing.T) {
	t.Parallel()
	s := mustScorer(t, survival, survivalTruth)
	for file, word := range map[string]string{
		"\x1f\x8b\x08\x00":              "compressed by gzip",
		"PK\x03\x04\x14":                "zip archive",
		"i\x00d\x00,\x00":               "UTF-16",
		"ID,ALIVE\na,0\nb,1\nc,1\n":     "capital letters count",
		"id,alive,\na,0,\nb,1,\nc,1,\n": "the column without a name",
		"id,alive\na,0,7\nb,1\nc,1\n":   "has 3 fields",
	} {
		if _, err := s.Score(context.Background(), strings.NewReader(file)); !strings.Contains(explain(err), word) {
			t.Errorf("%q: no %q in %s", file, word, explain(err))
		}
	}
}
