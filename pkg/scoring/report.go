package scoring

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/medforge/medforge/pkg/fault"
)

// CodeInvalid is the code of the error that lists the mistakes in a
// submission.
const CodeInvalid = "competitions/submission-validation-failed"

const codeHoldoutInvalid = "competitions/holdout-invalid"

// err turns the mistakes into one error, or nil when there are none. The
// fields stand in the order of the file, what concerns all of it last.
func (m *mistakes) err(p *plan) error {
	if m.none() {
		return nil
	}
	slices.SortStableFunc(m.entries, func(a, b *entry) int { return a.order() - b.order() })
	total := 0
	fields := make([]fault.Field, 0, len(m.entries))
	for _, e := range m.entries {
		total += e.count
		fields = append(fields, m.field(p, e))
	}
	file, code, next := "predictions", CodeInvalid, "Nothing was scored; put them right and submit again."
	if m.private {
		file, code, next = "holdout", codeHoldoutInvalid, "Put them right and load it again."
	}
	return fault.New(fault.Invalid, code, "The %s have %s of %s: %s. %s", file,
		plural(total, "mistake"), plural(len(m.entries), "kind"), fields[0].Msg, next).With(fields...)
}

func (e *entry) order() int {
	if len(e.rows) == 0 {
		return int(^uint(0) >> 1)
	}
	return e.rows[0]
}

func (m *mistakes) field(p *plan, e *entry) fault.Field {
	f := fault.Field{Loc: "file", Type: string(e.kind), Ctx: map[string]any{"count": e.count}}
	var where []string
	if len(e.rows) > 0 {
		where = append(where, "row "+strconv.Itoa(e.rows[0]))
		f.Ctx["row"] = e.rows[0]
		f.Ctx["rows"] = e.rows
	}
	column := e.column
	if e.kind == ExtraColumn {
		column = e.value
	}
	if column != "" {
		where = append(where, "column "+column)
		f.Ctx["column"] = column
	}
	if len(where) > 0 {
		f.Loc = strings.Join(where, ", ")
	}
	if len(e.ids) > 0 {
		f.Ctx["examples"] = e.ids
	}
	f.Msg = m.message(p, e)
	if len(e.rows) > 0 && e.count > 1 {
		switch {
		case e.kind == ExtraColumn || e.kind == DuplicateColumn:
			f.Msg += "; this happens " + strconv.Itoa(e.count) + " times"
		case len(e.ids) > 1:
			f.Msg += fmt.Sprintf("; %d rows have this, the first with the ids %s", e.count, strings.Join(e.ids, ", "))
		default:
			f.Msg += fmt.Sprintf("; %d rows have this", e.count)
		}
	}
	return f
}

// message says what is wrong and what was expected, in one sentence.
func (m *mistakes) message(p *plan, e *entry) string {
	what := "the value"
	if e.value != "" {
		what = `"` + e.value + `"`
	}
	switch e.kind {
	case EmptyFile:
		return "the file is empty; expected the header " + p.header(m.private)
	case NotUTF8:
		return "the text is not UTF-8" + e.because() + "; save the file as CSV in UTF-8"
	case WrongHeader:
		return fmt.Sprintf("the first row is %s, which is not the header; expected %s%s", what, p.header(m.private), e.because())
	case MissingColumn:
		if e.value != "" {
			return "the header has " + what + " instead, and capital letters and blanks count; expected " + p.header(m.private)
		}
		return "the header lacks this column; expected " + p.header(m.private)
	case ExtraColumn:
		if e.value == "" && !m.private {
			what = "without a name"
		}
		return fmt.Sprintf("the header has the column %s, which is not asked for; expected only %s", what, p.header(m.private))
	case DuplicateColumn:
		return "the header has this column more than once"
	case WrongFieldCount:
		if e.value != "" {
			return "the row has " + e.value + " fields, another number than the header"
		}
		return "the row has another number of fields than the header"
	case MalformedQuotes:
		return "the quotes do not fit: a quote stands inside a field or is never closed; a field that holds a comma or a quote is put in quotes, and a quote in it is doubled" + e.because()
	case FieldTooLong:
		return fmt.Sprintf("there are more than %d bytes", p.limits.MaxField) + e.because()
	case TooManyRows:
		return "there are more rows than are read" + e.because() + "; the rest was not looked at"
	case EmptyField:
		return "the field is empty; " + e.expected(p, m.private)
	case NotANumber, NotAnInteger, NaN, Infinite, OutOfRange, NotAClass:
		return what + " " + phrases[e.kind] + "; " + e.expected(p, m.private)
	case BadMask, BadBoxes, TooManyBoxes:
		return e.reason + "; " + e.expected(p, m.private)
	case UnknownID:
		return "the id " + what + " is not one that this competition asks for; the ids are those of sample_submission.csv"
	case DuplicateID:
		return "the id " + what + " is given more than once" + e.because()
	case MissingID:
		if m.private {
			return e.reason
		}
		return fmt.Sprintf("%s of this competition %s no row; give every id of sample_submission.csv", plural(e.count, "id"), either(e.count == 1, "has", "have"))
	}
	return string(e.kind) + e.because()
}

var phrases = map[Mistake]string{
	NotANumber:   "is not a number",
	NotAnInteger: "is not a whole number",
	NaN:          "is not a value that can be scored",
	Infinite:     "is infinite or too large",
	OutOfRange:   "is out of range",
	NotAClass:    "is not one of the classes",
}

func (e *entry) because() string {
	if e.reason == "" {
		return ""
	}
	return " (" + e.reason + ")"
}

// expected says what belongs in the entry's column.
func (e *entry) expected(p *plan, private bool) string {
	for _, c := range p.columns(private) {
		if c.Name == e.column {
			return "expected " + c.describe()
		}
	}
	return "expected " + describeBoxField(e.column)
}

func (c Column) describe() string {
	switch c.Type {
	case Category:
		const few = 10
		var shown []string
		for _, name := range c.Classes[:min(few, len(c.Classes))] {
			shown = append(shown, clean([]byte(name)))
		}
		list := strings.Join(shown, ", ")
		if len(c.Classes) > few {
			list += fmt.Sprintf(", ... (%d classes)", len(c.Classes))
		}
		return "one of " + list
	case RLE:
		return fmt.Sprintf("pairs of start and length over %d by %d pixels, counted from 1 down the columns, in rising order, or nothing for no mask", c.Width, c.Height)
	case Boxes:
		return `boxes as "confidence x y width height", separated by blanks, or nothing for no box`
	}
	word := "a number"
	if c.Type == Int {
		word = "a whole number"
	}
	format := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	switch {
	case c.Min != nil && c.Max != nil:
		return fmt.Sprintf("%s from %s to %s", word, format(*c.Min), format(*c.Max))
	case c.Min != nil:
		return fmt.Sprintf("%s not below %s", word, format(*c.Min))
	case c.Max != nil:
		return fmt.Sprintf("%s not above %s", word, format(*c.Max))
	}
	return word
}

func either(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}

// writeClean writes text's first character, or its escape, and returns how
// many bytes that took.
func writeClean(b *strings.Builder, text []byte) int {
	r, n := utf8.DecodeRune(text)
	switch {
	case r == utf8.RuneError && n == 1:
		fmt.Fprintf(b, `\x%02x`, text[0])
	case unicode.IsPrint(r):
		b.WriteRune(r)
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\r':
		b.WriteString(`\r`)
	case r == '\t':
		b.WriteString(`\t`)
	case r < 0x10000:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
	return n
}
