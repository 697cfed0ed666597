//go:build webpage

// Package web carries the web page's export, as scripts/web builds it.
package web

import (
	"embed"
	"io/fs"
)

// all: the export has names that begin with an underscore.
//
//go:embed all:out
var out embed.FS

// Files is the export, or nil in a program that was built without the tag
// "webpage", as by Go alone.
func Files() fs.FS {
	files, err := fs.Sub(out, "out")
	if err != nil {
		panic(err) // the name is a constant and valid
	}
	return files
}
