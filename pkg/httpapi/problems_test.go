package httpapi_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
)

// notServed are rooms whose codes never leave a program of the client's side,
// or are of tests.
var notServed = []string{"cli", "client", "config", "tui", "termtext", "porttest", "testkit", "httpapitest", "storetest", "packs"}

// codes reads every code in the tree: what fault.New and fault.Wrap are given,
// and every other text of that form whose first half is one of theirs, since
// some stand in variables. It returns the kinds that each comes with.
func codes(t *testing.T) map[string][]fault.Kind {
	t.Helper()
	found, texts, internal := map[string][]fault.Kind{}, map[string]bool{}, map[string]bool{}
	var calls []*ast.CallExpr
	named := map[string]string{} // constants with a code, by name
	set := token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(notServed, d.Name()):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ImportSpec:
				return false
			case *ast.BasicLit:
				if code, err := strconv.Unquote(n.Value); err == nil && isCode.MatchString(code) {
					texts[code] = true
				}
			case *ast.CallExpr:
				calls = append(calls, n)
			case *ast.ValueSpec:
				for i, value := range n.Values {
					if l, ok := value.(*ast.BasicLit); ok {
						named[n.Names[i].Name], _ = strconv.Unquote(l.Value)
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range calls {
		switch kind, code := faultOf(c, named); {
		case !isCode.MatchString(code):
		case kind == "Internal": // told as internal/unexpected
			internal[code] = true
		default:
			found[code] = append(found[code], kinds[kind])
		}
	}
	rooms := map[string]bool{}
	for code := range found {
		room, _, _ := strings.Cut(code, "/")
		rooms[room] = true
	}
	found[api.CodeInternal] = nil
	for code := range texts {
		room, _, _ := strings.Cut(code, "/")
		if rooms[room] && found[code] == nil && !internal[code] {
			found[code] = nil
		}
	}
	return found
}

var isCode = regexp.MustCompile(`^[a-z]+/[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// faultOf is the kind and the code of a call of fault.New or fault.Wrap, or of
// a room's own invalid(field, code, message).
func faultOf(c *ast.CallExpr, named map[string]string) (kind, code string) {
	if f, ok := c.Fun.(*ast.Ident); ok && f.Name == "invalid" && len(c.Args) == 3 {
		return "Invalid", textOf(c.Args[1], named)
	}
	f, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	at := map[string]int{"New": 0, "Wrap": 1}
	i, ok := at[f.Sel.Name]
	if x, isName := f.X.(*ast.Ident); !ok || !isName || x.Name != "fault" || len(c.Args) < i+2 {
		return "", ""
	}
	if k, ok := c.Args[i].(*ast.SelectorExpr); ok {
		kind = k.Sel.Name
	}
	return kind, textOf(c.Args[i+1], named)
}

// textOf is a text, or what a constant of that name holds.
func textOf(e ast.Expr, named map[string]string) (text string) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ = strconv.Unquote(e.Value)
	case *ast.Ident:
		text = named[e.Name]
	case *ast.SelectorExpr:
		text = named[e.Sel.Name]
	}
	return text
}

// kinds are fault's, by the names of their constants.
var kinds = map[string]fault.Kind{
	"Invalid": fault.Invalid, "Unauthenticated": fault.Unauthenticated, "Denied": fault.Denied, "NotFound": fault.NotFound,
	"Conflict": fault.Conflict, "LimitReached": fault.LimitReached, "TooMany": fault.TooMany, "TooLarge": fault.TooLarge,
	"Unavailable": fault.Unavailable, "Timeout": fault.Timeout, "NotImplemented": fault.NotImplemented, "OutOfSpace": fault.OutOfSpace,
	"Exists": fault.Exists, "Busy": fault.Busy, "Misdirected": fault.Misdirected,
}

// explained asks the daemon about a code.
func explained(t *testing.T, h *httpapitest.Host, code string) (m struct{ Code, Title, Meaning, ToDo string }, status int) {
	t.Helper()
	resp := do(t, h.API.Public(), "GET", api.PathProblems+code, "")
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(read(t, resp)), `"to_do"`, `"todo"`)), &m); err != nil {
		t.Fatal(err)
	}
	return m, resp.StatusCode
}

// TestEveryProblemIsExplained: each code of the tree has a meaning and what to
// do at the address that is its type, and docs/problems.md lists them all.
func TestEveryProblemIsExplained(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	all := codes(t)
	if len(all) < 150 {
		t.Fatalf("only %d codes were found", len(all))
	}
	var doc strings.Builder
	doc.WriteString("# Problems\n\nEvery failure is a problem (RFC 9457) with a code. This list is made from the code\n" +
		"(`go test ./pkg/httpapi -run EveryProblem -update`); a problem's `type` leads to its entry\n" +
		"on your own host: `https://medforge.<domain>/problems/<code>`. A status in brackets is of\n" +
		"problems that mostly stand in a session's `error_message` or in the output of a program.\n")
	room := ""
	for _, code := range slices.Sorted(maps.Keys(all)) {
		m, status := explained(t, h, code)
		if status != 200 || m.Code != code {
			t.Errorf("%s has no line in problems.txt", code)
			continue
		}
		if r, _, _ := strings.Cut(code, "/"); r != room {
			room = r
			fmt.Fprintf(&doc, "\n## %s\n\n| code | status | meaning | what to do |\n|---|---|---|---|\n", room)
		}
		fmt.Fprintf(&doc, "| `%s` | %s | %s | %s |\n", code, statuses(code, all[code]), m.Meaning, m.ToDo)
	}
	text, err := os.ReadFile("problems.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if code, _, _ := strings.Cut(line, " | "); !has(all, code) {
			t.Errorf("problems.txt explains %s, which nothing says", code)
		}
	}
	compare(t, filepath.Join("..", "..", "docs", "problems.md"), doc.String())
}

func has(m map[string][]fault.Kind, code string) bool { _, ok := m[code]; return ok }

// statuses are those that a code comes with.
func statuses(code string, of []fault.Kind) string {
	var all []int
	for _, k := range of {
		if k != "" {
			all = append(all, api.StatusOf(k, code))
		}
	}
	if code == api.CodeInternal {
		all = []int{500}
	}
	slices.Sort(all)
	var words []string
	for _, s := range slices.Compact(all) {
		words = append(words, strconv.Itoa(s))
	}
	text := strings.Join(words, ", ")
	if text == "" {
		return "-" // its kind stands in a variable
	}
	room, _, _ := strings.Cut(code, "/")
	if slices.Contains([]string{"daemon", "database", "containerd", "runtime", "sockets", "workspaces", "store", "backup"}, room) {
		return "(" + text + ")"
	}
	return text
}

func compare(t *testing.T, path, now string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil || string(kept) != now {
		t.Errorf("%s is not current (%v): run go test ./pkg/httpapi -run EveryProblem -update", path, err)
	}
}

// TestAProblemsPage: a browser gets a page, whoever asks for something that is
// none gets a problem, and the address is the type of a real one.
func TestAProblemsPage(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{})
	p := wantProblem(t, do(t, h.API.Public(), "GET", "/api/v1/me", ""), 401, "auth/not-signed-in")
	resp := do(t, h.API.Public(), "GET", strings.TrimPrefix(p.Type, base), "", "Accept", "text/html,*/*")
	if body := string(read(t, resp)); resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") ||
		!strings.Contains(body, "<h1>Not signed in</h1>") || !strings.Contains(body, "medforge login URL") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	wantProblem(t, do(t, h.API.Public(), "GET", "/problems/no/such<script>", "", "Accept", "text/html"), 404, api.CodeUnknownPath)
}
