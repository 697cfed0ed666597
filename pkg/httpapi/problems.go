package httpapi

import (
	_ "embed" // problems.txt
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

// problemsText has a line for every code: the code, what it means, and what to
// do, with " | " between them. A test holds it against the code.
//
//go:embed problems.txt
var problemsText string

// meaning is what a problem's type leads to.
type meaning struct {
	Code    string `json:"code"`
	Title   string `json:"title"`
	Meaning string `json:"meaning"`
	ToDo    string `json:"to_do"`
}

// readMeanings reads problems.txt.
func readMeanings(text string) (map[string]meaning, error) {
	all := map[string]meaning{}
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), " | ")
		if len(f) != 3 || f[1] == "" || f[2] == "" {
			return nil, fmt.Errorf("problems.txt: %q has not three parts", line)
		}
		if _, twice := all[f[0]]; twice {
			return nil, fmt.Errorf("problems.txt: %s stands there twice", f[0])
		}
		all[f[0]] = meaning{Code: f[0], Title: api.Title(f[0]), Meaning: f[1], ToDo: f[2]}
	}
	return all, nil
}

// problemPage is small enough to need no style of its own.
var problemPage = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Title}} - MedForge</title>
<h1>{{.Title}}</h1>
<p>{{.Meaning}}</p>
<p><strong>What to do:</strong> {{.ToDo}}</p>
<p><code>{{.Code}}</code></p>
</html>
`))

// problem explains a code at the address that is its type, to people and to
// programs. It reports whether the path is one of these.
func (s *Server) problem(w http.ResponseWriter, r *http.Request) bool {
	code, ok := strings.CutPrefix(r.URL.Path, api.PathProblems)
	if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	w.Header().Set("Content-Security-Policy", apiPolicy)
	w.Header().Set("Vary", "Accept")
	m, known := s.meanings[code]
	switch {
	case !known:
		s.writeProblem(w, r, fault.New(fault.NotFound, api.CodeUnknownPath, "There is no problem of this name. docs/problems.md lists them."))
	case strings.Contains(r.Header.Get("Accept"), "text/html"):
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = problemPage.Execute(w, m) // the reader is gone
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(m)
	}
	return true
}
