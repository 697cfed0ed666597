package scoring

import "bytes"

// masks are run-length masks, all their runs in one slice.
type masks struct {
	runs  []run
	spans []span
}

// run is the pixels from start up to but not including end, numbered from 0
// down the columns.
type run struct{ start, end uint32 }

// span is where one id's runs lie.
type span struct{ from, to int }

func (m *masks) of(i int) []run { return m.runs[m.spans[i].from:m.spans[i].to] }

// maskCell reads masks as Kaggle writes them: pairs of start and length,
// separated by blanks, pixels counted from 1, top to bottom and then left to
// right, runs in rising order and apart from each other. An empty field, or
// "-1" as in SIIM-ACR, is a mask without a pixel.
// Source: the evaluation pages of Kaggle's Carvana and Airbus competitions.
type maskCell struct {
	pixels int64
	out    *masks
}

func (c *maskCell) read(i int, field []byte) (Mistake, string) {
	from := len(c.out.runs)
	runs, reason := appendRuns(c.out.runs, field, c.pixels)
	mistake := Mistake("")
	if reason != "" {
		runs, mistake = runs[:from], BadMask
	}
	c.out.runs = runs
	set(&c.out.spans, i, span{from, len(runs)})
	return mistake, reason
}

// appendRuns adds a mask's runs; the reason says why it is not a mask.
func appendRuns(runs []run, field []byte, pixels int64) (_ []run, reason string) {
	if text := trim(field); len(text) == 0 || bytes.Equal(text, []byte("-1")) {
		return runs, ""
	}
	before := int64(1) // the first pixel that the next run may start with
	for {
		start, rest, reason := nextWhole(field)
		if reason == noMore {
			return runs, ""
		}
		if reason != "" {
			return runs, reason
		}
		length, rest, reason := nextWhole(rest)
		switch {
		case reason == noMore:
			return runs, "the mask has an odd count of numbers"
		case reason != "":
			return runs, reason
		case start < 1 || start > pixels:
			return runs, "a run starts outside the image"
		case length < 1:
			return runs, "a run is shorter than one pixel"
		case start < before:
			return runs, "the runs overlap or are not in rising order"
		case length > pixels-start+1:
			return runs, "a run ends outside the image"
		}
		runs = append(runs, run{uint32(start - 1), uint32(start - 1 + length)})
		before = start + length
		field = rest
	}
}

const noMore = "no more numbers"

// nextWhole reads the next number of a mask, digits only.
func nextWhole(text []byte) (v int64, rest []byte, reason string) {
	i := 0
	for i < len(text) && (text[i] == ' ' || text[i] == '\t') {
		i++
	}
	if i == len(text) {
		return 0, nil, noMore
	}
	first := i
	for i < len(text) && text[i] >= '0' && text[i] <= '9' {
		if i-first == 12 {
			return 0, nil, "a number in the mask is too large"
		}
		v = v*10 + int64(text[i]-'0')
		i++
	}
	if i == first || i < len(text) && text[i] != ' ' && text[i] != '\t' {
		return 0, nil, "the mask has something other than whole numbers and blanks"
	}
	return v, text[i:], ""
}
