package scoring

// box is a rectangle with its upper left corner at x, y. The truth's boxes
// have no confidence.
type box struct{ confidence, x, y, width, height float64 }

// boxes are boxes of many ids. They come in file order; group sorts them by
// id and keeps that order within each.
type boxes struct {
	all    []box
	owners []int32 // each box's id, until group
	counts []int32 // how many each id has
	starts []int   // where each id's boxes begin, and the end; after group
}

func (b *boxes) of(i int) []box { return b.all[b.starts[i]:b.starts[i+1]] }

func (b *boxes) add(i int, x box) {
	b.all = append(b.all, x)
	b.owners = append(b.owners, int32(i))
	b.counts[i]++
}

// group is a counting sort, so it is stable.
func (b *boxes) group(n int) {
	b.starts = make([]int, n+1)
	for i := range n {
		b.starts[i+1] = b.starts[i] + int(b.counts[i])
	}
	next := append([]int(nil), b.starts[:n]...)
	sorted := make([]box, len(b.all))
	for k, owner := range b.owners {
		sorted[next[owner]] = b.all[k]
		next[owner]++
	}
	b.all, b.owners = sorted, nil
}

// maxCoordinate bounds a box's numbers, so that no area overflows; no image is
// near it.
const maxCoordinate = 1e6

// minSide keeps a box's area above zero in float64.
const minSide = 1e-6

// badNumber says which field of the box is not one that can be scored, as an
// index into boxFields, or -1.
func (x box) badNumber() int {
	for i, v := range [...]float64{x.x, x.y} {
		if v < -maxCoordinate || v > maxCoordinate {
			return 1 + i
		}
	}
	for i, v := range [...]float64{x.width, x.height} {
		if v < minSide || v > maxCoordinate {
			return 3 + i
		}
	}
	return -1
}

// boxFields are the columns of the form with one row a box.
var boxFields = [...]string{"confidence", "x", "y", "width", "height"}

func describeBoxField(name string) string {
	switch name {
	case "confidence":
		return "a number"
	case "x", "y":
		return "a number of pixels within 1000000"
	case "width", "height":
		return "a number of pixels above 0 and within 1000000"
	case targetField:
		return "1 for a box and 0 for none"
	}
	return "a value"
}

// readList takes a field that lists boxes, each of which has perBox numbers:
// 5 with a confidence, 4 in the truth.
func (b *boxes) readList(i int, field []byte, perBox, most int) (Mistake, string) {
	var numbers [5]float64
	at := 5 - perBox
	for {
		for len(field) > 0 && (field[0] == ' ' || field[0] == '\t') {
			field = field[1:]
		}
		if len(field) == 0 {
			break
		}
		end := 0
		for end < len(field) && field[end] != ' ' && field[end] != '\t' {
			end++
		}
		v, mistake := parseFloat(field[:end])
		if mistake != "" {
			return BadBoxes, "the list of boxes has something that is not a finite number"
		}
		numbers[at], field = v, field[end:]
		if at++; at < 5 {
			continue
		}
		at = 5 - perBox
		x := box{numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]}
		if bad := x.badNumber(); bad >= 0 {
			return BadBoxes, "a box's " + boxFields[bad] + " is out of range"
		}
		if int(b.counts[i]) == most {
			return TooManyBoxes, "there are more boxes for one id than are taken"
		}
		b.add(i, x)
	}
	if at != 5-perBox {
		return BadBoxes, "the count of numbers is not a whole number of boxes"
	}
	return "", ""
}
