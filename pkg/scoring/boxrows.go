package scoring

// boxRows reads rows of boxes, in either form: one row an id with a list of
// boxes, or one row a box with empty fields for none.
type boxRows struct {
	r      *reading
	out    *boxes
	perBox int     // numbers a box has: 5, or 4 in the holdout
	most   int     // boxes one id may have
	none   []int32 // by id: the row that said there is no box; 0: no row did
}

func newBoxRows(r *reading, most int) *boxRows {
	b := &boxRows{r: r, out: &r.values.boxes, perBox: 5, most: most, none: make([]int32, len(r.ids.names))}
	if r.holdout {
		b.perBox = 4
	}
	return b
}

// grow makes room for one more id.
func (b *boxRows) grow() {
	b.out.counts = append(b.out.counts, 0)
	b.none = append(b.none, 0)
}

func (b *boxRows) row(i, line int, id []byte) {
	for k, at := range b.r.layout.at {
		if at < 0 {
			return // said with the header
		}
		if len(b.r.csv.field(at)) > b.r.p.limits.MaxField {
			b.r.wrong.add(entryKey{kind: FieldTooLong, column: b.r.layout.columns[k]}, line, id, nil)
			return
		}
	}
	if b.r.layout.boxRows {
		b.oneBox(i, line, id)
		return
	}
	field := b.r.csv.field(b.r.layout.at[0])
	if kind, reason := b.out.readList(i, field, b.perBox, b.most); kind != "" {
		b.r.badField(kind, reason, b.r.layout.columns[0], line, id, field)
	}
}

// oneBox reads the form with one row a box.
func (b *boxRows) oneBox(i, line int, id []byte) {
	l := b.r.layout
	filled := 0
	for _, at := range l.at {
		if len(trim(b.r.csv.field(at))) > 0 {
			filled++
		}
	}
	if l.extra >= 0 {
		want := "0"
		if filled > 0 {
			want = "1"
		}
		if string(trim(b.r.csv.field(l.extra))) != want {
			b.r.wrong.add(entryKey{kind: OutOfRange, column: targetField}, line, id, nil)
		}
	}
	if filled == 0 {
		b.none[i] = int32(min(line, 1<<31-1))
		return
	}
	var numbers [5]float64
	fine := true
	for k, at := range l.at {
		v, kind := parseFloat(b.r.csv.field(at))
		if kind != "" {
			fine = false
			b.r.badField(kind, "", l.columns[k], line, id, b.r.csv.field(at))
		}
		numbers[5-b.perBox+k] = v
	}
	if !fine {
		return
	}
	x := box{numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]}
	if bad := x.badNumber(); bad >= 0 {
		b.r.badField(OutOfRange, "", boxFields[bad], line, id, b.r.csv.field(l.at[bad-(5-b.perBox)]))
		return
	}
	if int(b.out.counts[i]) == b.most {
		b.r.wrong.add(entryKey{kind: TooManyBoxes, reason: "there are more boxes for one id than are taken"}, line, id, nil)
		return
	}
	b.out.add(i, x)
}

// finish sorts the boxes by id and looks for ids that have both boxes and a
// row that says there are none.
func (b *boxRows) finish(n int) {
	for i, row := range b.none {
		if row != 0 && b.out.counts[i] > 0 {
			id := []byte(b.r.ids.names[i]) // the submitter's too: it stands in that row
			b.r.wrong.add(entryKey{kind: DuplicateID, column: b.r.p.spec.IDColumn,
				reason: "one row says there is no box, another gives one"}, int(row), id, id)
		}
	}
	b.out.group(n)
}
