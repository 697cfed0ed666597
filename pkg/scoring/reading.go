package scoring

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/medforge/medforge/pkg/fault"
)

// reading is one pass over a file: a submission against known ids, or the
// holdout, whose ids become known as it is read.
type reading struct {
	p       *plan
	holdout bool
	ids     *ids
	find    finder
	first   []int32 // the row that each id first stood in; 0: none yet
	found   int
	values  *values
	wrong   *mistakes
	csv     *csvReader
	layout  layout
	cells   []cell
	names   []string // the columns' names, as cells
	boxes   *boxRows
}

// maxBadQuotes ends the reading of a file whose quotes are broken throughout:
// where records begin is a guess by then.
const maxBadQuotes = 20

// read takes a whole file in. Its ids are known ones, or new ones (known nil)
// when the file is the holdout. The error is a *fault.Error of kind Invalid
// that lists every mistake, or one that says why the file could not be read.
func (p *plan) read(ctx context.Context, src io.Reader, known *ids) (*values, *ids, error) {
	r := &reading{p: p, holdout: known == nil, ids: known, values: &values{}}
	if r.holdout {
		r.ids = newIDs(p.spec.Rows)
	}
	r.find.ids = r.ids
	r.first = make([]int32, len(r.ids.names))
	r.wrong = newMistakes(p.limits.MaxExamples, r.holdout)
	maxRecord := p.limits.MaxField*(len(p.columns(r.holdout))+1) + 4096
	csv, err := newCSVReader(ctx, src, p.limits.MaxBytes, maxRecord)
	if err == nil {
		r.csv = csv
		err = r.file()
	}
	if errors.Is(err, errTooLarge) {
		code := "competitions/submission-too-large"
		if r.holdout {
			code = codeHoldoutInvalid
		}
		return nil, nil, fault.New(fault.Invalid, code, "The file has more than the %d bytes that are taken.", p.limits.MaxBytes)
	}
	if err != nil {
		return nil, nil, err
	}
	if err := r.wrong.err(p); err != nil {
		return nil, nil, err
	}
	return r.values, r.ids, nil
}

// file reads the header and all rows.
func (r *reading) file() error {
	if what := otherThanText(r.csv.buf[r.csv.lo:r.csv.hi]); what != "" {
		r.wrong.add(entryKey{kind: NotUTF8, reason: what}, 0, nil, nil)
		return nil
	}
	line, state, err := r.csv.next()
	if err != nil {
		return err
	}
	switch {
	case state == recordEnd:
		r.wrong.add(entryKey{kind: EmptyFile}, 0, nil, nil)
		return nil
	case state == recordTooLong || r.csv.count > maxFields:
		r.wrong.add(entryKey{kind: FieldTooLong, reason: "in the header"}, line, nil, nil)
		return nil
	case state == recordBadQuotes:
		r.wrong.add(entryKey{kind: MalformedQuotes, reason: "in the header"}, line, nil, nil)
		return nil
	}
	header := make([][]byte, r.csv.stored)
	for k := range header {
		header[k] = r.csv.field(k)
	}
	r.layout = r.p.readHeader(header, r.csv.count, line, r.wrong, r.holdout)
	if r.layout.id < 0 {
		return nil // rows cannot be told apart
	}
	r.prepare()
	complete, err := r.rows()
	if err != nil {
		return err
	}
	r.finish(complete)
	return nil
}

// otherThanText says what a file is by its first bytes, where people send that
// for a CSV file by mistake. Empty: nothing of these.
func otherThanText(start []byte) string {
	for _, c := range []struct{ magic, what string }{
		{"\xff\xfe", "it is UTF-16"}, {"\xfe\xff", "it is UTF-16"},
		{"\x1f\x8b", "it is compressed by gzip: unpack it"},
		{"PK\x03\x04", "it is a zip archive or a spreadsheet: unpack or export it"},
	} {
		if bytes.HasPrefix(start, []byte(c.magic)) {
			return c.what
		}
	}
	if len(start) > 1 && (start[0] == 0) != (start[1] == 0) {
		return "it is UTF-16" // without a byte order mark: a letter has one zero byte
	}
	return ""
}

// prepare makes the columns' readers.
func (r *reading) prepare() {
	n := len(r.ids.names)
	columns := r.p.columns(r.holdout)
	if r.p.metric.Needs == NeedsBoxes {
		r.values.boxes.counts = make([]int32, n)
		most := columns[0].MaxBoxes
		if most == 0 {
			most = defaultMaxBoxes
		}
		r.boxes = newBoxRows(r, most)
		return
	}
	r.values.numbers = make([][]float64, len(columns))
	for i, c := range columns {
		r.cells = append(r.cells, r.values.cell(c, r.p.labelled(r.holdout), i, n))
		r.names = append(r.names, c.Name)
	}
}

// rows reads all rows; complete says whether none was left out.
func (r *reading) rows() (complete bool, err error) {
	limit, badQuotes := maxIDs, 0
	if !r.holdout {
		perID := 1
		if r.boxes != nil && r.layout.boxRows {
			perID = r.boxes.most
		}
		limit = r.p.limits.rowLimit(len(r.ids.names), perID)
	}
	for n := 0; ; n++ {
		line, state, err := r.csv.next()
		if err != nil {
			return false, err
		}
		if state == recordEnd {
			return true, nil
		}
		if n == limit {
			r.wrong.add(entryKey{kind: TooManyRows}, line, nil, nil)
			return false, nil
		}
		switch state {
		case recordTooLong:
			r.wrong.add(entryKey{kind: FieldTooLong}, line, nil, nil)
		case recordBadQuotes:
			r.wrong.add(entryKey{kind: MalformedQuotes}, line, nil, nil)
			if badQuotes++; badQuotes == maxBadQuotes {
				r.wrong.add(entryKey{kind: MalformedQuotes, reason: "the rest was not looked at"}, line, nil, nil)
				return false, nil
			}
		default:
			r.row(line)
		}
	}
}

// row takes one record in.
func (r *reading) row(line int) {
	if r.csv.count != r.layout.width {
		r.oddRow(line)
		return
	}
	id := r.csv.field(r.layout.id)
	i, known := r.place(id, line)
	if r.boxes != nil {
		if known {
			r.boxes.row(i, line, id)
		}
		return
	}
	for k, cell := range r.cells {
		at := r.layout.at[k]
		if at < 0 {
			continue
		}
		field := r.csv.field(at)
		if len(field) > r.p.limits.MaxField {
			r.wrong.add(entryKey{kind: FieldTooLong, column: r.names[k]}, line, id, nil)
			continue
		}
		if kind, reason := cell.read(i, field); kind != "" {
			r.badField(kind, reason, r.names[k], line, id, field)
		}
	}
}

// oddRow notes a row with another number of fields than the header. Its id, if
// there is one, is at least not missing.
func (r *reading) oddRow(line int) {
	if !r.csv.validText() {
		r.wrong.add(entryKey{kind: NotUTF8}, line, nil, nil)
	}
	var id []byte
	if r.layout.id < r.csv.stored {
		id = r.csv.field(r.layout.id)
		if i := r.find.find(id); i >= 0 {
			r.mark(i, line)
		}
	}
	r.wrong.add(entryKey{kind: WrongFieldCount}, line, id, strconv.AppendInt(nil, int64(r.csv.count), 10))
}

// badField notes a field that could not be read. Only here is its text checked
// to be UTF-8: what was read as a number, a class or a known id is.
func (r *reading) badField(kind Mistake, reason, column string, line int, id, field []byte) {
	if !utf8.Valid(field) {
		kind, reason, field = NotUTF8, "", nil
	}
	r.wrong.add(entryKey{kind: kind, column: column, reason: reason}, line, id, field)
}

// place finds an id's number and marks it as seen. An id that is not known
// gets number 0, so that the rest of its row is still checked; nothing is
// scored then anyway.
func (r *reading) place(id []byte, line int) (i int, known bool) {
	i = r.find.find(id)
	if i < 0 && r.holdout {
		i = r.newID(id)
	}
	if i < 0 {
		r.strangeID(id, line)
		return 0, false
	}
	if r.first[i] != 0 && !(r.boxes != nil && r.layout.boxRows) {
		r.wrong.add(entryKey{kind: DuplicateID, column: r.p.spec.IDColumn}, line, id, id)
	}
	r.mark(i, line)
	return i, true
}

// newID takes up an id of the holdout, or returns -1 if it cannot be one.
func (r *reading) newID(id []byte) int {
	if len(id) > r.p.limits.MaxField || len(trim(id)) == 0 || !utf8.Valid(id) {
		return -1
	}
	r.ids.add(string(trim(id)))
	r.first = append(r.first, 0)
	if r.boxes != nil {
		r.boxes.grow()
	}
	return len(r.ids.names) - 1
}

// strangeID notes an id that is not one of the competition's.
func (r *reading) strangeID(id []byte, line int) {
	column := r.p.spec.IDColumn
	switch {
	case len(id) > r.p.limits.MaxField:
		r.wrong.add(entryKey{kind: FieldTooLong, column: column}, line, nil, nil)
	case len(trim(id)) == 0:
		r.wrong.add(entryKey{kind: EmptyField, column: column}, line, nil, nil)
	default:
		r.badField(UnknownID, "", column, line, id, id)
	}
}

func (r *reading) mark(i, line int) {
	if r.first[i] == 0 {
		r.first[i] = int32(min(line, 1<<31-1))
		r.found++
	}
}

// finish looks at the file as a whole.
func (r *reading) finish(complete bool) {
	n := len(r.ids.names)
	if r.boxes != nil {
		r.boxes.finish(n)
	}
	switch {
	case !complete:
	case r.holdout && n == 0:
		r.wrong.add(entryKey{kind: MissingID, reason: "there are no rows"}, 0, nil, nil)
	case r.holdout && r.p.spec.Rows > 0 && r.p.spec.Rows != n:
		r.wrong.add(entryKey{kind: MissingID, reason: "the count of ids is not the spec's rows"}, 0, nil, nil)
	case r.found < n:
		r.wrong.add(entryKey{kind: MissingID}, 0, nil, nil)
		r.wrong.entries[len(r.wrong.entries)-1].count = n - r.found
	}
}
