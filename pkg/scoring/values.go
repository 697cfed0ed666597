package scoring

// values are the contents of a file's columns by id, in the holdout's order.
// Which of them are used depends on the metric.
type values struct {
	labels  []int32     // class numbers
	numbers [][]float64 // one slice a target column
	masks   masks
	boxes   boxes
}

// cell reads the fields of one column into values.
type cell interface {
	// read takes the field of the id with number i, which is at most one more
	// than was read before. A mistake has a fixed reason, or none.
	read(i int, field []byte) (kind Mistake, reason string)
}

// cell makes the reader of one column, which is target number nth of a file
// about n ids (0 when that is not known yet). v.numbers has room for it.
func (v *values) cell(c Column, labelled bool, nth, n int) cell {
	switch {
	case c.Type == Category:
		v.labels = make([]int32, n)
		codes := make(map[string]int32, len(c.Classes))
		for i, name := range c.Classes {
			codes[name] = int32(i)
		}
		return &categoryCell{codes: codes, out: &v.labels}
	case c.Type == Int && labelled:
		v.labels = make([]int32, n)
		return &labelCell{low: int64(*c.Min), high: int64(*c.Max), out: &v.labels}
	case c.Type == RLE:
		v.masks.spans = make([]span, n)
		return &maskCell{pixels: int64(c.Width) * int64(c.Height), out: &v.masks}
	}
	v.numbers[nth] = make([]float64, n)
	return &numberCell{column: c, out: &v.numbers[nth]}
}

// set puts a value at i; what lies between the end and i, where a mistake was
// found, becomes zero.
func set[T any](s *[]T, i int, v T) {
	if i < len(*s) {
		(*s)[i] = v
		return
	}
	var none T
	for len(*s) < i {
		*s = append(*s, none)
	}
	*s = append(*s, v)
}

// labelCell reads whole-number labels; class 0 is low.
type labelCell struct {
	low, high int64
	out       *[]int32
}

func (c *labelCell) read(i int, field []byte) (Mistake, string) {
	v, mistake := parseWhole(field)
	if mistake == "" && (v < c.low || v > c.high) {
		mistake = OutOfRange
	}
	if mistake != "" {
		v = c.low
	}
	set(c.out, i, int32(v-c.low))
	return mistake, ""
}

// categoryCell reads labels that are words.
type categoryCell struct {
	codes map[string]int32
	out   *[]int32
}

func (c *categoryCell) read(i int, field []byte) (mistake Mistake, reason string) {
	code, ok := c.codes[string(field)]
	if !ok {
		field = trim(field)
		if code, ok = c.codes[string(field)]; !ok {
			mistake = NotAClass
			if len(field) == 0 {
				mistake = EmptyField
			}
		}
	}
	set(c.out, i, code)
	return mistake, ""
}

// numberCell reads numbers.
type numberCell struct {
	column Column
	out    *[]float64
}

func (c *numberCell) read(i int, field []byte) (Mistake, string) {
	v, mistake := 0.0, Mistake("")
	if c.column.Type == Int {
		var whole int64
		whole, mistake = parseWhole(field)
		v = float64(whole)
	} else {
		v, mistake = parseFloat(field)
	}
	if mistake == "" && (c.column.Min != nil && v < *c.column.Min || c.column.Max != nil && v > *c.column.Max) {
		mistake = OutOfRange
	}
	set(c.out, i, v)
	return mistake, ""
}
