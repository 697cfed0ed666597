package scoring

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/fault"
)

// explain writes an error with its fields.
func explain(err error) string {
	f := fault.As(err)
	if f == nil {
		return fmt.Sprint(err)
	}
	lines := []string{fmt.Sprintf("%s %s: %s", f.Kind, f.Code, f.Message)}
	for _, x := range f.Fields {
		lines = append(lines, fmt.Sprintf("  %s | %s | %s | %v", x.Loc, x.Type, x.Msg, x.Ctx))
	}
	return strings.Join(lines, "\n")
}

func ptr(v float64) *float64 { return &v }

// sharedFile is a file of the real data that may not be carried by the
// project. It lies beside the checkout, or where MEDFORGE_SHARED says.
func sharedFile(t testing.TB, parts ...string) string {
	t.Helper()
	root := os.Getenv("MEDFORGE_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	path := filepath.Join(append([]string{root, "data"}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not there: this test needs Kaggle's own file, which the project may not carry (set MEDFORGE_SHARED)", filepath.Join(parts...))
	}
	return path
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
