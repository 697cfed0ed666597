package scoring

// ids are the holdout's ids in its order, with an index. Every id is a piece
// of one string, so that a million of them cost little more than their text
// and the map. (An open hash table of our own over the same text was tried: it
// was no faster than the map.)
type ids struct {
	names []string
	index map[string]int32
}

func newIDs(hint int) *ids { return &ids{index: make(map[string]int32, hint)} }

// add appends an id that is not there yet.
func (d *ids) add(name string) {
	d.index[name] = int32(len(d.names))
	d.names = append(d.names, name)
}

// pack moves all ids into one string and lets go of the pieces they came in.
func (d *ids) pack() *ids {
	size := 0
	for _, name := range d.names {
		size += len(name)
	}
	all := make([]byte, 0, size)
	for _, name := range d.names {
		all = append(all, name...)
	}
	text := string(all)
	packed := &ids{names: make([]string, len(d.names)), index: make(map[string]int32, len(d.names))}
	for i, name := range d.names {
		packed.names[i], text = text[:len(name)], text[len(name):]
		packed.index[packed.names[i]] = int32(i)
	}
	return packed
}

// finder looks ids up for one reading of a file. Most files keep the order of
// sample_submission.csv, so it first tries the id after the last one found,
// which spares the map.
type finder struct {
	ids  *ids
	next int // the place after the id found last
}

// find returns an id's place, or -1. Blanks around an id do not count.
func (f *finder) find(id []byte) int {
	names := f.ids.names
	if f.next < len(names) && names[f.next] == string(id) {
		f.next++
		return f.next - 1
	}
	i, ok := f.ids.index[string(id)]
	if !ok {
		if i, ok = f.ids.index[string(trim(id))]; !ok {
			return -1
		}
	}
	f.next = int(i) + 1
	return int(i)
}
