package tui

import (
	"cmp"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/medforge/medforge/pkg/termtext"
)

// picker chooses a file. Bubbles has one too, which draws the names of files
// as they are: in a shared folder a stranger's file could so draw on this
// screen.
type picker struct {
	*hub
	dir    string
	rows   []entry
	loaded bool
	err    error
	hidden bool
	words  string
	back   string // the folder that one came out of: the cursor stands on it
	grid   grid
}

type entry struct {
	name string
	dir  bool
	size int64
	at   time.Time
}

type dirMsg struct {
	dir  string
	rows []entry
	err  error
}

// maxEntries of a folder are listed.
const maxEntries = 20_000

func newPicker(h *hub, dir string) *picker { return &picker{hub: h, dir: dir} }

func (p *picker) read() tea.Cmd {
	dir := p.dir
	p.loaded = false
	return func() tea.Msg {
		rows, err := readDir(dir)
		return dirMsg{dir, rows, err}
	}
}

// readDir lists a folder, folders first.
func readDir(dir string) ([]entry, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := f.ReadDir(maxEntries)
	if err != nil && len(all) == 0 && !isEnd(err) {
		return nil, err
	}
	var rows []entry
	for _, d := range all {
		e := entry{name: d.Name(), dir: d.IsDir()}
		info, err := os.Stat(filepath.Join(dir, d.Name())) // what a link leads to
		if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
			continue
		}
		e.dir, e.size, e.at = info.IsDir(), info.Size(), info.ModTime()
		rows = append(rows, e)
	}
	slices.SortFunc(rows, func(a, b entry) int {
		if a.dir != b.dir {
			if a.dir {
				return -1
			}
			return 1
		}
		return cmp.Compare(strings.ToLower(a.name), strings.ToLower(b.name))
	})
	return rows, nil
}

func isEnd(err error) bool { return errors.Is(err, io.EOF) }

func (p *picker) update(msg tea.Msg) {
	m, ok := msg.(dirMsg)
	if !ok || m.dir != p.dir {
		return
	}
	p.rows, p.err, p.loaded, p.grid = m.rows, m.err, true, grid{}
	for i, e := range p.listed() {
		if e.name == p.back {
			p.grid.cursor = i
		}
	}
}

func (p *picker) listed() []entry {
	var some []entry
	for _, e := range p.rows {
		if (p.hidden || !strings.HasPrefix(e.name, ".")) && strings.Contains(strings.ToLower(e.name), p.words) {
			some = append(some, e)
		}
	}
	return some
}

// key returns the file that was chosen, or none.
func (p *picker) key(k string) (file string, cmd tea.Cmd) {
	rows := p.listed()
	switch k {
	case "enter", "right", "l":
		if len(rows) == 0 {
			return "", nil
		}
		e := rows[min(p.grid.cursor, len(rows)-1)]
		if !e.dir {
			if k == "enter" {
				return filepath.Join(p.dir, e.name), nil
			}
			return "", nil
		}
		p.dir, p.back, p.words = filepath.Join(p.dir, e.name), "", ""
		return "", p.read()
	case "left", "h", "backspace":
		p.back, p.words = filepath.Base(p.dir), ""
		p.dir = filepath.Dir(p.dir)
		return "", p.read()
	case ".":
		p.hidden = !p.hidden
		return "", nil
	case "~":
		if home, err := os.UserHomeDir(); err == nil {
			p.dir, p.words = home, ""
			return "", p.read()
		}
	}
	p.grid.key(k, len(rows))
	return "", nil
}

func (p *picker) view(columns, lines int) string {
	head := p.th.muted.Render("  in ") + p.th.text.Render(cut(clean(p.dir), columns-6))
	rows := p.listed()
	switch {
	case p.err != nil:
		return head + "\n\n" + p.th.bad.Render(indent(wrap(clean(p.err.Error()), columns-4)))
	case !p.loaded:
		return head + "\n\n" + p.th.muted.Render("  Reading the folder.")
	case len(rows) == 0:
		return head + "\n\n" + p.th.muted.Render("  Nothing here. h goes up, . shows hidden files.")
	}
	cols := []column{{title: "NAME", width: 16, grow: 1}, {title: "SIZE", width: 10, right: true, drop: 1}, {title: "CHANGED", width: 16, drop: 2}}
	return head + "\n" + p.grid.view(p.th, cols, columns, lines-1, len(rows), func(i int) []cell {
		e := rows[i]
		if e.dir {
			return []cell{{clean(e.name) + "/", p.th.accent}, {"", p.th.muted}, {"", p.th.muted}}
		}
		return []cell{{clean(e.name), p.th.text}, {termtext.Bytes(e.size), p.th.muted}, {stamp(e.at, p.now()), p.th.muted}}
	})
}
