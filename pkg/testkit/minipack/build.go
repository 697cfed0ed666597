package minipack

import (
	"os"
	"sync"
	"testing"

	"github.com/medforge/medforge/pkg/testkit/gobuild"
)

// IDEPackage is the stand-in's main package.
const IDEPackage = "github.com/medforge/medforge/pkg/testkit/minipack/ide"

// build makes the archive once per test binary: the result is the same.
var build = sync.OnceValues(func() ([]byte, error) {
	path, err := gobuild.Build(IDEPackage)
	if err != nil {
		return nil, err
	}
	ide, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Archive("minipack", ide)
})

// Build returns the archive of the Pack "minipack". The bytes are shared: do
// not change them.
func Build(tb testing.TB) []byte {
	tb.Helper()
	archive, err := build()
	if err != nil {
		tb.Fatal(err)
	}
	return archive
}
