package tui

import (
	"context"
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/medforge/medforge/pkg/api"
)

// competitions lists them and shows the chosen one.
type competitions struct {
	*hub
	list   list[api.Competition]
	grid   grid
	words  string
	detail map[string]api.CompetitionDetail
	page   *pager // the description of page.of
	pageOf string
	pageW  int
	part   part
	wide   bool                      // list and description stand side by side
	board  func(slug string) tea.Cmd // shows its leaderboard
}

type (
	competitionsMsg struct {
		rows []api.Competition
		err  error
	}
	competitionMsg struct {
		slug   string
		detail api.CompetitionDetail
		err    error
	}
)

func newCompetitions(h *hub, board func(string) tea.Cmd) *competitions {
	return &competitions{hub: h, detail: map[string]api.CompetitionDetail{}, board: board}
}

func (c *competitions) name() string { return "Competitions" }

func (c *competitions) editing() bool { return c.part != nil && c.part.editing() }

func (c *competitions) filter(text string) tea.Cmd {
	if c.part != nil {
		return c.part.filter(text)
	}
	c.words = strings.ToLower(text)
	c.grid.cursor = 0
	return c.loadDetail()
}

func (c *competitions) shown() tea.Cmd { return c.load() }

func (c *competitions) load() tea.Cmd {
	if !c.list.begin() {
		return nil
	}
	return call(c.hub, callTime, c.daemon.Competitions, func(rows []api.Competition, err error) tea.Msg { return competitionsMsg{rows, err} })
}

// loadDetail asks for the chosen one, whose description is shown beside the
// list.
func (c *competitions) loadDetail() tea.Cmd {
	row, ok := c.current()
	if !ok {
		return nil
	}
	if _, known := c.detail[row.Slug]; known {
		return nil
	}
	slug := row.Slug
	return call(c.hub, callTime, func(ctx context.Context) (api.CompetitionDetail, error) { return c.daemon.Competition(ctx, slug) },
		func(d api.CompetitionDetail, err error) tea.Msg { return competitionMsg{slug, d, err} })
}

func (c *competitions) rows() []api.Competition {
	if c.words == "" {
		return c.list.rows
	}
	var some []api.Competition
	for _, r := range c.list.rows {
		if strings.Contains(strings.ToLower(r.Slug+" "+r.Title+" "+r.Metric), c.words) {
			some = append(some, r)
		}
	}
	return some
}

func (c *competitions) current() (api.Competition, bool) {
	rows := c.rows()
	if len(rows) == 0 {
		return api.Competition{}, false
	}
	c.grid.cursor = max(0, min(c.grid.cursor, len(rows)-1))
	return rows[c.grid.cursor], true
}

// choose puts the cursor on a competition.
func (c *competitions) choose(slug string) {
	for i, r := range c.rows() {
		if r.Slug == slug {
			c.grid.cursor = i
		}
	}
}

func (c *competitions) update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case competitionsMsg:
		if c.list.end(m.rows, m.err) {
			return c.load()
		}
		if m.err == nil {
			c.detail = map[string]api.CompetitionDetail{} // they may have changed as well
			return c.loadDetail()
		}
	case competitionMsg:
		if m.err != nil {
			c.grief(m.err)
			return nil
		}
		c.detail[m.slug] = m.detail
		c.pageOf = ""
	}
	if c.part != nil {
		return c.part.update(msg)
	}
	return nil
}

func (c *competitions) bindings() []binding {
	if c.part != nil {
		return c.part.bindings()
	}
	return []binding{{"enter", "read", true}, {"u", "submit", true}, {"b", "leaderboard", true}, {"m", "your submissions", true}, {"r", "load anew", false},
		{"J K", "scroll the description", false}}
}

func (c *competitions) commands() []command {
	var all []command
	for i, r := range c.list.rows {
		slug := clean(r.Slug)
		at := func(do func() tea.Cmd) func() tea.Cmd {
			return func() tea.Cmd {
				c.leave()
				c.words, c.grid.cursor = "", i
				return tea.Batch(c.show(c.name()), do())
			}
		}
		all = append(all,
			command{"submit to " + slug, at(c.submit)}, command{"leaderboard of " + slug, func() tea.Cmd { return c.board(r.Slug) }},
			command{"your submissions to " + slug, at(c.submissions)}, command{"read " + slug, at(c.read)})
	}
	return all
}

func (c *competitions) key(k tea.KeyMsg) tea.Cmd {
	if c.part != nil {
		cmd, done := c.part.key(k)
		if done {
			c.leave()
		}
		return cmd
	}
	if c.grid.key(k.String(), len(c.rows())) {
		return c.loadDetail()
	}
	row, ok := c.current()
	switch k.String() {
	case "r":
		return c.load()
	case "J":
		if c.page != nil {
			c.page.scroll(c.page.top + 3)
		}
	case "K":
		if c.page != nil {
			c.page.scroll(c.page.top - 3)
		}
	case "enter":
		return c.read()
	case "u":
		return c.submit()
	case "m":
		return c.submissions()
	case "b":
		if ok {
			return c.board(row.Slug)
		}
	}
	return nil
}

func (c *competitions) leave() {
	if c.part != nil {
		c.plain()
		c.part.close()
		c.part = nil
	}
}

func (c *competitions) enter(p part) {
	c.leave()
	row, _ := c.current()
	c.plain()
	c.choose(row.Slug)
	c.part = p
}

func (c *competitions) read() tea.Cmd {
	if row, ok := c.current(); ok {
		c.enter(&reader{competitions: c, slug: row.Slug})
		return c.loadDetail()
	}
	return nil
}

func (c *competitions) submit() tea.Cmd {
	row, ok := c.current()
	if !ok {
		return nil
	}
	p := newSubmit(c.hub, row, c.board)
	c.enter(p)
	return p.begin()
}

func (c *competitions) submissions() tea.Cmd {
	row, ok := c.current()
	if !ok {
		return nil
	}
	p := newMine(c.hub, row)
	c.enter(p)
	return p.load()
}

func (c *competitions) mouse(m tea.MouseMsg) tea.Cmd {
	if c.part != nil {
		return c.part.mouse(m)
	}
	n := len(c.rows())
	switch {
	case c.wide && m.X > c.listWidth(m.X+1) && c.page != nil:
		c.page.mouse(m)
	case wheel(m) != 0:
		c.grid.move(c.grid.cursor+wheel(m), n)
		return c.loadDetail()
	case pressed(m) && c.grid.click(m.Y, n):
		return c.loadDetail()
	}
	return nil
}

func (c *competitions) columns() []column {
	return []column{{title: "COMPETITION", width: 14, grow: 3, most: 34}, {title: "TITLE", width: 14, grow: 4, most: 50, drop: 4},
		{title: "METRIC", width: 10, grow: 2, most: 28, drop: 3}, {title: "BETTER", width: 6, drop: 2}, {title: "A DAY", width: 5, right: true, drop: 1}}
}

// listWidth is how wide the list is beside a description.
func (c *competitions) listWidth(int) int { return 44 }

func (c *competitions) view(columns, lines int) string {
	if c.part != nil {
		return c.part.view(columns, lines)
	}
	rows := c.rows()
	switch {
	case !c.list.loaded && c.list.err != nil && !c.lost(c.list.err):
		return "\n" + c.th.bad.Render(indent(wrap(why(c.list.err), columns-4)))
	case !c.list.loaded:
		return "\n" + c.th.muted.Render("  Loading the competitions.")
	case len(rows) == 0 && c.words != "":
		return "\n" + c.th.muted.Render("  Nothing matches.")
	case len(rows) == 0:
		return "\n" + c.th.muted.Render(indent(wrap("This host has no competitions. An admin adds one with: medforge admin competition add BUNDLE", columns-4)))
	}
	cell5 := func(i int) []cell {
		r := rows[i]
		better := "lower"
		if r.HigherIsBetter {
			better = "higher"
		}
		return []cell{{clean(r.Slug), c.th.strong}, {clean(r.Title), c.th.text}, {clean(r.Metric), c.th.muted}, {better, c.th.muted},
			{fmt.Sprint(r.SubmissionCapPerDay), c.th.muted}}
	}
	if c.wide = columns >= 110; c.wide {
		w := c.listWidth(columns)
		left := boxLines(c.grid.view(c.th, c.columns()[:1], w, lines, len(rows), cell5), w, lines)
		right := boxLines(c.description(columns-w-3, lines), columns-w-3, lines)
		for i := range left {
			left[i] = pad(left[i], w) + c.th.line.Render(" │ ") + right[i]
		}
		return strings.Join(left, "\n")
	}
	height := min(len(rows)+1, max(3, lines/2))
	out := c.grid.view(c.th, c.columns(), columns, height, len(rows), cell5)
	if rest := lines - height - 1; rest >= 3 {
		out += "\n" + c.th.line.Render(strings.Repeat("─", columns)) + "\n" + c.description(columns, rest)
	}
	return out
}

// description is the chosen competition in full: its rules, then its text.
func (c *competitions) description(columns, lines int) string {
	row, ok := c.current()
	d, known := c.detail[row.Slug]
	if !ok || !known {
		return c.th.muted.Render("  Loading " + clean(row.Slug) + ".")
	}
	if c.page == nil || c.pageOf != row.Slug || c.pageW != columns {
		top := 0
		if c.page != nil && c.pageOf == row.Slug {
			top = c.page.top
		}
		c.page, c.pageOf, c.pageW = &pager{lines: c.text(d, columns), hit: -1, top: top}, row.Slug, columns
	}
	return c.page.view(c.th, columns, lines)
}

// text is a competition as lines.
func (c *competitions) text(d api.CompetitionDetail, columns int) []string {
	th := c.th
	better := "lower is better"
	if d.HigherIsBetter {
		better = "higher is better"
	}
	fact := func(k, v string) string { return th.muted.Render(pad(k, 11)) + cut(v, columns-13) }
	var rows []string
	if !strings.HasPrefix(strings.TrimSpace(d.Description), "#") { // most begin with it
		rows = append(rows, th.strong.Render(cut(clean(d.Title), columns-2)), "")
	}
	rows = append(rows,
		fact("Metric", clean(d.Metric)+", "+better),
		fact("Submission", fmt.Sprintf("%s rows: %s", group(d.Rows), clean(strings.Join(d.Columns, ", ")))),
		fact("Limits", fmt.Sprintf("%d scored a day, %d tries a day", d.SubmissionCapPerDay, d.AttemptCapPerDay)),
		fact("Data", clean(d.DatasetTitle)+", medforge competition data "+clean(d.Slug)),
		fact("License", clean(d.License)), "")
	return append(rows, c.th.markdown(d.Description, columns-2)...)
}

// reader is the description on the whole screen.
type reader struct {
	*competitions
	slug string
}

func (r *reader) close()                 {}
func (r *reader) editing() bool          { return false }
func (r *reader) update(tea.Msg) tea.Cmd { return nil }
func (r *reader) filter(text string) tea.Cmd {
	if r.page != nil {
		r.page.search(text)
	}
	return nil
}

func (r *reader) mouse(m tea.MouseMsg) tea.Cmd {
	if r.page != nil {
		r.page.mouse(m)
	}
	return nil
}

func (r *reader) bindings() []binding {
	return []binding{{"esc", "back", true}, {"u", "submit", true}, {"b", "leaderboard", true}, {"/", "search", true}, {"n N", "next, previous hit", false}}
}

func (r *reader) key(k tea.KeyMsg) (tea.Cmd, bool) {
	switch k.String() {
	case "esc", "backspace":
		return nil, true
	case "u":
		return r.competitions.submit(), false
	case "m":
		return r.competitions.submissions(), false
	case "b":
		return r.board(r.slug), true
	}
	if r.page != nil {
		r.page.key(k.String())
	}
	return nil, false
}

func (r *reader) view(columns, lines int) string { return r.description(columns, lines) }
