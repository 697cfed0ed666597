package httpapi_test

import (
	"bytes"
	"testing"

	"github.com/speakeasy-api/openapi/linter"
	"github.com/speakeasy-api/openapi/openapi"
	openapilinter "github.com/speakeasy-api/openapi/openapi/linter"

	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
)

// lint returns what a linter for OpenAPI has to say, and how often. It checks a
// document against the specification first, then by the rules that its makers
// recommend.
func lint(t *testing.T, doc []byte) (said string, n int) {
	t.Helper()
	parsed, invalid, err := openapi.Unmarshal(t.Context(), bytes.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	c := linter.NewConfig()
	c.Extends = []string{"recommended"}
	l, err := openapilinter.NewLinter(c)
	if err != nil {
		t.Fatal(err)
	}
	out, err := l.Lint(t.Context(), linter.NewDocumentInfo(parsed, "openapi.json"), invalid, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out.FormatText(), len(out.Results)
}

func TestTheDocumentIsLintClean(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{Competitions: true})
	doc := read(t, do(t, h.API.Public(), "GET", "/api/v1/openapi.json", ""))
	if said, n := lint(t, doc); n > 0 {
		t.Errorf("%s", said)
	}
	// The linter itself: a path without its parameter, an operation's id twice,
	// and what is no OpenAPI at all.
	for _, broken := range [][2]string{
		{`"/api/v1/sessions/{ref}"`, `"/api/v1/sessions/{other}"`},
		{`"get-me"`, `"get-sessions"`},
		{`"responses"`, `"answers"`},
	} {
		bad := bytes.ReplaceAll(doc, []byte(broken[0]), []byte(broken[1]))
		if _, n := lint(t, bad); n == 0 || bytes.Equal(bad, doc) {
			t.Errorf("the linter takes %s for %s", broken[1], broken[0])
		}
	}
}
