package scoring

import (
	"slices"
	"strings"
)

// Mistake is a kind of mistake in a file: a stable word, which is the Type of
// the fault.Field that reports it.
type Mistake string

// The kinds of mistake.
const (
	EmptyFile       Mistake = "empty_file"        // no header, no rows
	NotUTF8         Mistake = "not_utf8"          // bytes that are not UTF-8
	WrongHeader     Mistake = "wrong_header"      // the header lacks every expected column
	MissingColumn   Mistake = "missing_column"    // the header lacks a column
	ExtraColumn     Mistake = "extra_column"      // the header has a column nobody asked for
	DuplicateColumn Mistake = "duplicate_column"  // the header has a column twice
	WrongFieldCount Mistake = "wrong_field_count" // a row has more or fewer fields than the header
	MalformedQuotes Mistake = "malformed_quotes"  // quotes do not fit
	FieldTooLong    Mistake = "field_too_long"    // a field or row is longer than is taken
	TooManyRows     Mistake = "too_many_rows"     // more rows than are read
	EmptyField      Mistake = "empty"             // nothing where a value must stand
	NotANumber      Mistake = "not_a_number"      // text where a number must stand
	NotAnInteger    Mistake = "not_an_integer"    // a fraction where a whole number must stand
	NaN             Mistake = "nan"               // not-a-number, written out
	Infinite        Mistake = "infinite"          // an infinity, or too large for a float64
	OutOfRange      Mistake = "out_of_range"      // beyond the column's range
	NotAClass       Mistake = "not_a_class"       // not one of the column's classes
	BadMask         Mistake = "bad_mask"          // not a run-length mask
	BadBoxes        Mistake = "bad_boxes"         // not a list of boxes
	TooManyBoxes    Mistake = "too_many_boxes"    // more boxes for one id than are taken
	UnknownID       Mistake = "unknown_id"        // an id that is not asked for
	DuplicateID     Mistake = "duplicate_id"      // an id that has a row already
	MissingID       Mistake = "missing_id"        // ids without a row
	UndefinedScore  Mistake = "undefined_score"   // all in order, and the metric has no value
)

// mistakes collects what is wrong with a file, in bounded memory: one entry a
// kind, column and reason, each with a count and a few examples.
type mistakes struct {
	keep    int  // examples an entry keeps
	private bool // the file holds labels: keep rows only, nothing of its text
	entries []*entry
	index   map[entryKey]*entry
}

type entryKey struct {
	kind   Mistake
	column string
	reason string // from the code's own fixed texts, never from the file
}

type entry struct {
	entryKey
	count int
	rows  []int    // the first few; 0 where a mistake has no row
	ids   []string // the submitter's ids in those rows, cleaned
	value string   // the first one's text, cleaned
}

func newMistakes(keep int, private bool) *mistakes {
	return &mistakes{keep: keep, private: private, index: map[entryKey]*entry{}}
}

// add notes one mistake; id and value may be nil.
func (m *mistakes) add(key entryKey, row int, id, value []byte) {
	e := m.index[key]
	if e == nil {
		e = &entry{entryKey: key}
		if value != nil && !m.private {
			e.value = clean(value)
		}
		m.index[key] = e
		m.entries = append(m.entries, e)
	}
	e.count++
	if row > 0 && len(e.rows) < m.keep {
		e.rows = append(e.rows, row)
		if id != nil && !m.private {
			if s := clean(id); !slices.Contains(e.ids, s) {
				e.ids = append(e.ids, s)
			}
		}
	}
}

func (m *mistakes) none() bool { return len(m.entries) == 0 }

// maxShown is how much of a stranger's text an error shows, in characters.
const maxShown = 40

// clean makes text from a file fit to show: what is not printable (control
// characters, escape sequences, bidirectional overrides, broken UTF-8) becomes
// its escape, and the rest is cut.
func clean(text []byte) string {
	var b strings.Builder
	shown := 0
	for len(text) > 0 {
		if shown == maxShown {
			b.WriteString("...")
			break
		}
		n := writeClean(&b, text)
		text = text[n:]
		shown++
	}
	return b.String()
}
