//go:build !webpage

// Package web carries the web page's export, as scripts/web builds it.
package web

import "io/fs"

// Files is the export, or nil in a program that was built without the tag
// "webpage", as by Go alone.
func Files() fs.FS { return nil }
