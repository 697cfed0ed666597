package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// document is a TOML file: its values by dotted key, and where each key and
// table stands.
type document struct {
	name   string
	values map[string]any
	lines  map[string]int
	order  []string // keys as they stand in the file
	tables []string // tables that are opened, whether anything is in them or not
}

// at is a key's place: "medforged.toml:12: session.per_user".
func (d document) at(key string) place {
	return place{fmt.Sprintf("%s:%d: %s", d.name, d.lines[key], key), d.lines[key], fromFile}
}

// parseFile reads a file. The mistake is one of syntax, with line and column.
func parseFile(name string, data []byte) (document, *mistake) {
	d := document{name: name, values: map[string]any{}, lines: map[string]int{}}
	tree := map[string]any{}
	if err := toml.Unmarshal(data, &tree); err != nil {
		return d, syntaxMistake(name, err)
	}
	var p unstable.Parser
	p.Reset(data)
	var table []string
	for p.NextExpression() {
		switch node := p.Expression(); node.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = d.note(&p, node, nil)
			d.tables = append(d.tables, strings.Join(table, "."))
		case unstable.KeyValue:
			d.noteValue(&p, node, table)
		}
	}
	for _, key := range d.order {
		d.values[key] = lookup(tree, key)
	}
	return d, nil
}

// note records the line of a node's key below a table and returns the whole key.
func (d *document) note(p *unstable.Parser, node *unstable.Node, table []string) []string {
	parts := append([]string(nil), table...)
	line := 0
	for it := node.Key(); it.Next(); {
		part := it.Node()
		parts = append(parts, string(part.Data))
		line = p.Shape(part.Raw).Start.Line
	}
	if key := strings.Join(parts, "."); d.lines[key] == 0 {
		d.lines[key] = line
	}
	return parts
}

// noteValue records a key, or the keys within it when it is an inline table.
func (d *document) noteValue(p *unstable.Parser, node *unstable.Node, table []string) {
	parts := d.note(p, node, table)
	value := node.Value()
	if value.Kind != unstable.InlineTable {
		d.order = append(d.order, strings.Join(parts, "."))
		return
	}
	d.tables = append(d.tables, strings.Join(parts, "."))
	for it := value.Children(); it.Next(); {
		if it.Node().Kind == unstable.KeyValue {
			d.noteValue(p, it.Node(), parts)
		}
	}
}

// lookup finds a dotted key. Below an array of tables there is nothing to find,
// and no setting stands there.
func lookup(tree map[string]any, key string) any {
	var at any = tree
	for part := range strings.SplitSeq(key, ".") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[part]
	}
	return at
}

// syntaxMistake never shows the line itself, which may hold a password.
func syntaxMistake(name string, err error) *mistake {
	m := &mistake{place{name, 0, fromFile}, "syntax", "this is not TOML"}
	var de *toml.DecodeError
	if errors.As(err, &de) {
		row, col := de.Position()
		m.at = place{fmt.Sprintf("%s:%d:%d", name, row, col), row, fromFile}
		m.msg = strings.TrimPrefix(de.Error(), "toml: ")
	}
	return m
}

// readFile reads at most a mebibyte; a missing file is fine when optional.
func readFile(path string, optional bool) (document, *mistake) {
	const most = 1 << 20
	data, err := os.ReadFile(path)
	switch {
	case err != nil && optional && errors.Is(err, os.ErrNotExist):
		return document{name: path}, nil
	case err != nil:
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return document{name: path}, &mistake{place{path, 0, fromFile}, "unreadable", fmt.Sprintf("cannot be read: %v", err)}
	case len(data) > most:
		return document{name: path}, &mistake{place{path, 0, fromFile}, "unreadable", "is larger than 1 MiB, which is no configuration"}
	}
	return parseFile(path, data)
}
