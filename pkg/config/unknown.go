package config

import (
	"fmt"
	"slices"
	"strings"
)

// unknown finds keys and tables that no setting has.
func (d document) unknown(table []key) []mistake {
	var names, tables []string
	for _, k := range table {
		names = append(names, k.name)
		if i := strings.LastIndexByte(k.name, '.'); i > 0 && !slices.Contains(tables, k.name[:i]) {
			tables = append(tables, k.name[:i])
		}
	}
	var found []mistake
	wrong := map[string]bool{}
	for _, t := range d.tables {
		if slices.Contains(tables, t) || wrong[t] {
			continue
		}
		wrong[t] = true
		msg := "no table has this name" + didYouMean(t, tables)
		if slices.Contains(names, t) {
			msg = "is one value, not a table"
		}
		found = append(found, mistake{d.at(t), "unknown", msg})
	}
	for _, name := range d.order {
		parent := ""
		if i := strings.LastIndexByte(name, '.'); i > 0 {
			parent = name[:i]
		}
		switch {
		case slices.Contains(names, name), slices.Contains(names, parent):
		case slices.Contains(tables, name):
			found = append(found, mistake{d.at(name), "unknown", fmt.Sprintf("is a table, not one value; write [%s] and its keys below it", name)})
		case wrong[parent] && nearest(name, names) == "":
		default:
			found = append(found, mistake{d.at(name), "unknown", "no setting has this name" + didYouMean(name, names)})
		}
	}
	return found
}
