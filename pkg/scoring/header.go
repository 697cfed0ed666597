package scoring

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// targetField is the column that Kaggle's RSNA labels have beside a box.
const targetField = "Target"

// form is one way to lay a file out.
type form struct {
	columns  []string // beside the id, all needed
	optional string   // a column that may be there
	boxRows  bool     // one row a box
}

// columns are those of the holdout or of a submission.
func (p *plan) columns(holdout bool) []Column {
	if holdout {
		return p.truth
	}
	return p.targets
}

// forms lists the ways a file may be laid out, the one to name first first.
func (p *plan) forms(holdout bool) []form {
	list := form{columns: targetNames(p.columns(holdout))}
	if p.metric.Needs != NeedsBoxes {
		return []form{list}
	}
	rows := form{columns: boxFields[:], boxRows: true}
	if holdout {
		return []form{{columns: boxFields[1:], optional: targetField, boxRows: true}, list}
	}
	return []form{list, rows}
}

// header is what the first row should say.
func (p *plan) header(holdout bool) string {
	var all []string
	for _, f := range p.forms(holdout) {
		all = append(all, strings.Join(append([]string{p.spec.IDColumn}, f.columns...), ","))
	}
	return strings.Join(all, " or ")
}

// layout says where in a row things stand.
type layout struct {
	form
	width int   // fields in a row
	id    int   // -1: nowhere
	at    []int // each of form.columns, -1: nowhere
	extra int   // form.optional, -1: nowhere
}

// readHeader works out the layout from the header's fields and notes what is
// wrong with it.
func (p *plan) readHeader(fields [][]byte, count, line int, m *mistakes, holdout bool) layout {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = string(bytes.TrimSpace(f))
		if !utf8.Valid(f) {
			m.add(entryKey{kind: NotUTF8}, line, nil, nil)
		}
	}
	forms := p.forms(holdout)
	best := forms[0]
	for _, f := range forms[1:] {
		if overlap(f.columns, names) > overlap(best.columns, names) {
			best = f
		}
	}
	l := layout{form: best, width: count, id: slices.Index(names, p.spec.IDColumn), extra: -1}
	for _, want := range best.columns {
		l.at = append(l.at, slices.Index(names, want))
	}
	if best.optional != "" {
		l.extra = slices.Index(names, best.optional)
	}
	whole := bytes.Join(fields, []byte{','})
	if l.id < 0 && overlap(best.columns, names) == 0 || bytes.ContainsRune(whole, '\r') {
		hint := headerHint(whole)
		if hint == "" && slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, p.spec.IDColumn) }) {
			hint = "capital letters count"
		}
		m.add(entryKey{kind: WrongHeader, reason: hint}, line, nil, whole)
		l.id = -1
		return l
	}
	wanted := append([]string{p.spec.IDColumn}, best.columns...)
	near := map[string]bool{} // names already blamed on a missing column
	for _, want := range wanted {
		if slices.Contains(names, want) {
			continue
		}
		var instead []byte
		if i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, want) }); i >= 0 {
			instead, near[names[i]] = fields[i], true
		}
		m.add(entryKey{kind: MissingColumn, column: want}, line, nil, instead)
	}
	seen := map[string]bool{}
	for i, name := range names {
		known := slices.Contains(wanted, name) || name != "" && name == best.optional
		switch {
		case known && seen[name]:
			m.add(entryKey{kind: DuplicateColumn, column: name}, line, nil, nil)
		case !known && !near[name]:
			m.add(entryKey{kind: ExtraColumn}, line, fields[i], fields[i])
		}
		seen[name] = true
	}
	return l
}

func overlap(columns, names []string) int {
	n := 0
	for _, c := range columns {
		if slices.Contains(names, c) {
			n++
		}
	}
	return n
}

// headerHint guesses why no column was found.
func headerHint(whole []byte) string {
	switch {
	case bytes.ContainsRune(whole, '\r'):
		return "lines must end in LF or CRLF, not in CR alone"
	case !bytes.ContainsRune(whole, ',') && bytes.ContainsAny(whole, ";\t|"):
		return "fields must be separated by commas"
	}
	return ""
}
