package httpapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
)

var update = flag.Bool("update", false, "write web/openapi.json anew")

// TestTheWebPagesDocumentIsCurrent: the web page's types are made from
// web/openapi.json, so it must be what the daemon serves.
func TestTheWebPagesDocumentIsCurrent(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{Competitions: true})
	var now bytes.Buffer
	if err := json.Indent(&now, read(t, do(t, h.API.Public(), "GET", "/api/v1/openapi.json", "")), "", "  "); err != nil {
		t.Fatal(err)
	}
	now.WriteByte('\n')
	path := filepath.Join("..", "..", "web", "openapi.json")
	if *update {
		if err := os.WriteFile(path, now.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, now.Bytes()) {
		t.Error("web/openapi.json is not the API's document any more: run go test ./pkg/httpapi -run WebPagesDocument -update")
	}
}
