// Package competitions carries the built-in bundles: a folder each.
package competitions

import "embed"

//go:generate go run demo.go

// FS holds a bundle a folder, named by its slug.
//
//go:embed titanic-survival cifar-100-classification rsna-pneumonia-detection
var FS embed.FS
