package webpage

import "strings"

// wild is the segment in the export that stands for any: a static export
// cannot know the slugs there will be, so each page that has one is exported
// once, for this, and reads the real one from the address.
const wild = "_"

// node is a folder of the export, or the file at its path, or both.
type node struct {
	below map[string]*node
	file  *file
}

func newNode() *node { return &node{below: map[string]*node{}} }

func (n *node) add(segments []string, f *file) {
	for _, s := range segments {
		next := n.below[s]
		if next == nil {
			next = newNode()
			n.below[s] = next
		}
		n = next
	}
	n.file = f
}

// find returns the file at a path, or nil. A segment's own name goes before
// the wild one.
func (n *node) find(segments []string) *file {
	if len(segments) == 0 {
		return n.file
	}
	name, rest := segments[0], segments[1:]
	if next := n.below[name]; next != nil {
		if f := next.find(rest); f != nil {
			return f
		}
	}
	if name == "" {
		return nil
	}
	// The router's data of a page stands beside it: "_.txt".
	form := wild
	if len(rest) == 0 && strings.HasSuffix(name, ".txt") {
		form += ".txt"
	}
	if next := n.below[form]; next != nil {
		return next.find(rest)
	}
	return nil
}
