package httpapi

import (
	_ "embed" // problems.txt
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

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
		all[f[0]] = meaning{Code: f[0], Title: fault.Title(f[0]), Meaning: f[1], ToDo: f[2]}
	}
	return all, nil
}

// html is a page small enough to need no style of its own.
func (m meaning) html() g.Node {
	return h.Doctype(h.HTML(h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width")),
			h.TitleEl(g.Text(m.Title+" - MedForge")),
		),
		h.Body(
			h.H1(g.Text(m.Title)),
			h.P(g.Text(m.Meaning)),
			h.P(h.Strong(g.Text("What to do:")), g.Text(" "+m.ToDo)),
			h.P(h.Code(g.Text(m.Code))),
		),
	))
}

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
		_ = m.html().Render(w) // the reader is gone
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(m)
	}
	return true
}
