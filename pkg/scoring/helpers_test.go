package scoring

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/testkit/promised"
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

func sharedFile(t testing.TB, parts ...string) string {
	t.Helper()
	return promised.Shared(t, "../..", parts...)
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
