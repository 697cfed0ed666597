package scoring

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"

	"github.com/medforge/medforge/pkg/fault"
)

// TestHoldoutIsNeverShown: no message names an id that only the holdout has,
// and a holdout does not print its labels, whatever prints it.
func TestHoldoutIsNeverShown(t *testing.T) {
	t.Parallel()
	const truth = "id,kind\nsecret-id-1,cat\nsecret-id-2,dog\nsecret-id-3,dog\n"
	s := mustScorer(t, animal, truth)
	for _, file := range []string{
		"", "id,kind\n", "id,kind\nwrong,cat\n", "id,kind\nsecret-id-1,cow\n", "kind\ncat\n",
		"id,kind\nsecret-id-1,cat,\n\"\n",
	} {
		_, err := s.Score(context.Background(), strings.NewReader(file))
		text := explain(err)
		for _, id := range []string{"secret-id-1", "secret-id-2", "secret-id-3"} {
			if strings.Contains(text, id) && !strings.Contains(file, id) {
				t.Errorf("the answer to %q names %s:\n%s", file, id, text)
			}
		}
	}
	var log bytes.Buffer
	h := s.Holdout()
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "holdout", h, "scorer", s)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "holdout", h, "scorer", s)
	data, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	text := log.String() + string(data) + fmt.Sprintf("%v %+v %#v %s %v %+v", h, h, h, h, s, s)
	if strings.Contains(text, "secret") || strings.Contains(text, "labels") {
		t.Errorf("the holdout shows: %s", text)
	}
	if !strings.Contains(text, h.SHA256()) || len(h.SHA256()) != 64 {
		t.Errorf("no digest in %s", text)
	}
}

// TestHoldoutMistakes: a bad holdout is refused by row and column, and the
// error, which ends in logs, quotes nothing of it.
func TestHoldoutMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file string
		spec       Spec
		kind       Mistake
		loc        string
	}{
		{"empty", "", survival, EmptyFile, "file"},
		{"no rows", "id,alive\n", survival, MissingID, "file"},
		{"fewer rows than the spec", "id,alive\na,0\nb,1\n", survival, MissingID, "file"},
		{"more rows than the spec", survivalTruth + "d,1\n", survival, MissingID, "file"},
		{"id twice", "id,alive\nqq,0\nqq,0\nb,1\nc,1\n", survival, DuplicateID, "row 3, column id"},
		{"no id", "id,alive\n,0\nqq,0\nb,1\nc,1\n", survival, EmptyField, "row 2, column id"},
		{"id not UTF-8", "id,alive\n\xff,0\nqq,0\nb,1\nc,1\n", survival, NotUTF8, "row 2, column id"},
		{"label out of range", "id,alive\nqq,0\nb,7\nc,1\n", survival, OutOfRange, "row 3, column alive"},
		{"no label", "id,alive\nqq,\nb,1\nc,1\n", survival, EmptyField, "row 2, column alive"},
		{"long label, then more rows", "id,alive\nqq," + strings.Repeat("1", 2000) + "\nb,1\nc,1\n", survival, FieldTooLong, "row 2, column alive"},
		{"no class", "id,kind\nqq,zz\n", animal, NotAClass, "row 2, column kind"},
		{"no mask", "id,mask\nqq,zz\n", mask, BadMask, "row 2, column mask"},
		{"half a box", "id,x,y,width,height\nqq,1,1,1,\n", rsna, EmptyField, "row 2, column height"},
		{"a box for a target of 0", "id,x,y,width,height,Target\nqq,1,1,1,1,0\n", rsna, OutOfRange, "row 2, column Target"},
		{"no box for a target of 1", "id,x,y,width,height,Target\nqq,,,,,1\n", rsna, OutOfRange, "row 2, column Target"},
		{"confidence in the holdout", "id,confidence,x,y,width,height\nqq,1,1,1,1,1\n", rsna, ExtraColumn, "row 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, err := LoadHoldout(context.Background(), c.spec, strings.NewReader(c.file))
			f := fault.As(err)
			if f == nil || f.Kind != fault.Invalid || f.Code != codeHoldoutInvalid {
				t.Fatalf("got %v, %s", h, explain(err))
			}
			if f.Fields[0].Type != string(c.kind) || f.Fields[0].Loc != c.loc {
				t.Errorf("got %s", explain(err))
			}
			if text := explain(err); strings.Contains(text, "qq") || strings.Contains(text, "zz") || strings.Contains(text, "7") && c.kind == OutOfRange {
				t.Errorf("the error quotes the holdout: %s", text)
			}
		})
	}
}

// TestHostileText: nothing of a file reaches a terminal or a page as it is.
func TestHostileText(t *testing.T) {
	t.Parallel()
	s := mustScorer(t, survival, survivalTruth)
	nasty := "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u0000\u200b\u2028\U000e0041\xff\xfe" + strings.Repeat("A", 500)
	for _, file := range []string{
		nasty, nasty + ",x\n", "id,alive," + nasty + "\na,0,\n", "id,alive\n" + nasty + ",0\n", "id,alive\na," + nasty + "\n",
		"id,alive\n\"" + nasty + "\",\"" + nasty + "\"\n", "alive," + nasty + "\n" + nasty,
	} {
		_, err := s.Score(context.Background(), strings.NewReader(file))
		f := fault.As(err)
		if f == nil {
			t.Fatalf("%q: %v", file, err)
		}
		checkText := func(where, text string, most int) {
			if len(text) > most || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%s of the answer to %.60q: %q", where, file, text)
			}
		}
		checkText("message", f.Message, 2000)
		for _, x := range f.Fields {
			checkText("loc", x.Loc, 600)
			checkText("msg", x.Msg, 3000)
			checkText("ctx", fmt.Sprintf("%q", x.Ctx["examples"]), 3000)
		}
	}
}

// TestBoundedAnswer: a million mistakes make a small answer with exact counts.
func TestBoundedAnswer(t *testing.T) {
	t.Parallel()
	spec := survival
	spec.Limits = Limits{MaxRows: 300_000, MaxExamples: 3}
	s := mustScorer(t, spec, survivalTruth)
	var file strings.Builder
	file.WriteString("id,alive\n")
	for i := range 200_000 {
		fmt.Fprintf(&file, "unknown%d,%d\n", i, i+2)
	}
	_, err := s.Score(context.Background(), strings.NewReader(file.String()))
	f := fault.As(err)
	if f == nil || len(f.Fields) != 3 {
		t.Fatal(explain(err))
	}
	for _, x := range f.Fields[:2] {
		if x.Ctx["count"] != 200_000 || len(x.Ctx["examples"].([]string)) != 3 || len(x.Ctx["rows"].([]int)) != 3 {
			t.Errorf("got %+v", x)
		}
	}
	if n := len(explain(err)); n > 3000 {
		t.Errorf("the answer has %d bytes", n)
	}
}

// TestBrokenQuotesEnd: an opened quote is not looked for through the whole
// file, and a file that goes on like this is given up.
func TestBrokenQuotesEnd(t *testing.T) {
	t.Parallel()
	s := mustScorer(t, mask, maskTruth) // fields of up to a mebibyte
	src := &counter{r: strings.NewReader("id,mask\n\"\n" + strings.Repeat("a\"\"\n", 4<<20))}
	_, err := s.Score(context.Background(), src)
	f := fault.As(err)
	if f == nil || f.Fields[0].Type != string(MalformedQuotes) || f.Fields[0].Ctx["count"] != maxBadQuotes {
		t.Fatal(explain(err))
	}
	if src.n > 8<<20 {
		t.Errorf("%d bytes were read", src.n)
	}
}

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	spec := survival
	spec.Limits.MaxBytes = 100_000
	s := mustScorer(t, spec, survivalTruth)
	src := &counter{r: strings.NewReader("id,alive\n" + strings.Repeat("a", 10<<20))}
	_, err := s.Score(context.Background(), src)
	if !fault.Is(err, fault.Invalid) || fault.CodeOf(err) != "competitions/submission-too-large" {
		t.Errorf("got %s", explain(err))
	}
	if src.n > 300_000 {
		t.Errorf("%d bytes were read to find out", src.n)
	}
	if _, err := LoadHoldout(context.Background(), spec, strings.NewReader(strings.Repeat("a", 1<<20))); fault.CodeOf(err) != codeHoldoutInvalid {
		t.Errorf("holdout: %s", explain(err))
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	s := mustScorer(t, survival, survivalTruth)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Score(ctx, strings.NewReader(survivalTruth)); !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %s", explain(err))
	}
	late, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	if _, err := s.Score(late, strings.NewReader(survivalTruth)); !fault.Is(err, fault.Timeout) {
		t.Errorf("late: %s", explain(err))
	}
	broken := io.MultiReader(strings.NewReader("id,alive\na,0\n"), iotest.ErrReader(errors.New("disk on fire")))
	_, err := s.Score(context.Background(), broken)
	if f := fault.As(err); f == nil || f.Kind != fault.Unavailable || strings.Contains(f.Message, "fire") {
		t.Errorf("broken: %s", explain(err))
	}
	if _, err := s.Score(context.Background(), stuck{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("stuck: %s", explain(err))
	}
}

// stuck reads nothing, for ever.
type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// TestConcurrent: one scorer, many submissions; the race detector watches.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	s := mustScorer(t, labelSpec, string(benchLabels(500, 1)))
	var wait sync.WaitGroup
	for seed := range uint64(16) {
		wait.Go(func() {
			file := benchLabels(500, seed)
			first, err := s.Score(context.Background(), bytes.NewReader(file))
			if err != nil {
				t.Error(explain(err))
				return
			}
			again, err := s.Score(context.Background(), iotest.OneByteReader(bytes.NewReader(shuffleRows(file))))
			if err != nil || again.Primary != first.Primary || seed == 1 && first.Primary != 1 {
				t.Errorf("%v, then %v, %v", first, again, err)
			}
		})
	}
	wait.Wait()
}
