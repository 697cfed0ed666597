package httpapi_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
)

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	resp := do(t, h.API.Public(), "GET", "/api/v1/openapi.json", "")
	raw := read(t, resp)
	var doc struct {
		OpenAPI    string
		Components struct{ Schemas map[string]any }
		Paths      map[string]map[string]struct {
			OperationID string
			Summary     string
			Tags        []string
			Security    []any
			Responses   map[string]struct{ Content map[string]any }
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || resp.Header.Get("Content-Type") != "application/openapi+json" {
		t.Errorf("version %q, type %q", doc.OpenAPI, resp.Header.Get("Content-Type"))
	}
	ids := map[string]bool{}
	for _, r := range h.API.Routes() {
		op, ok := doc.Paths[r.Path][strings.ToLower(r.Method)]
		if !ok {
			t.Errorf("%s %s is not documented", r.Method, r.Path)
			continue
		}
		if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" || len(op.Tags) != 1 {
			t.Errorf("%s %s: id %q, summary %q, tags %v", r.Method, r.Path, op.OperationID, op.Summary, op.Tags)
		}
		ids[op.OperationID] = true
		for status, answer := range op.Responses {
			if strings.HasPrefix(status, "4") && answer.Content["application/problem+json"] == nil {
				t.Errorf("%s %s: %s is no problem", r.Method, r.Path, status)
			}
		}
	}
	for _, m := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllSubmatch(raw, -1) {
		if _, ok := doc.Components.Schemas[string(m[1])]; !ok {
			t.Errorf("schema %s is used and not there", m[1])
		}
	}
	for name := range doc.Components.Schemas {
		if !regexp.MustCompile(`^[A-Za-z0-9._-]+$`).MatchString(name) {
			t.Errorf("schema name %q is not allowed", name)
		}
	}
}
