package tui

import (
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/medforge/medforge/pkg/api"
)

// part is what takes a screen's place for a while: logs, snapshots, a file
// picker. It ends when done is true.
type part interface {
	update(msg tea.Msg) tea.Cmd
	key(k tea.KeyMsg) (cmd tea.Cmd, done bool)
	mouse(m tea.MouseMsg) tea.Cmd
	view(columns, lines int) string
	bindings() []binding
	filter(text string) tea.Cmd
	editing() bool
	close() // frees what it holds
}

// sessions is the screen with the caller's sessions, or everybody's.
type sessions struct {
	*hub
	grid   grid
	chosen string // id of the row under the cursor: it stays chosen when rows move
	words  string // what the rows are filtered by
	part   part
}

func newSessions(h *hub) *sessions { return &sessions{hub: h} }

func (s *sessions) name() string { return "Sessions" }

func (s *sessions) shown() tea.Cmd { return nil } // the hub loads what is shown here

func (s *sessions) editing() bool { return s.part != nil && s.part.editing() }

func (s *sessions) filter(text string) tea.Cmd {
	if s.part != nil {
		return s.part.filter(text)
	}
	s.words = strings.ToLower(text)
	return nil
}

// listed are the sessions that match the filter.
func (s *sessions) listed() []api.Session {
	if s.words == "" {
		return s.hub.sessions.rows
	}
	var some []api.Session
	for _, r := range s.hub.sessions.rows {
		if strings.Contains(strings.ToLower(r.Slug+" "+string(r.Status)+" "+r.PackID+" "+s.owner(r.UserID)), s.words) {
			some = append(some, r)
		}
	}
	return some
}

// rows is listed, with the cursor on the chosen one wherever it is now.
func (s *sessions) rows() []api.Session {
	rows := s.listed()
	for i, r := range rows {
		if r.ID == s.chosen {
			s.grid.cursor = i
			return rows
		}
	}
	s.grid.cursor = max(0, min(s.grid.cursor, len(rows)-1))
	if s.chosen == "" && len(rows) > 0 { // one that was just started may not be listed yet
		s.chosen = rows[s.grid.cursor].ID
	}
	return rows
}

// current is the session under the cursor.
func (s *sessions) current() (api.Session, bool) {
	rows := s.rows()
	if len(rows) == 0 {
		return api.Session{}, false
	}
	return rows[s.grid.cursor], true
}

// choose keeps what the cursor stands on.
func (s *sessions) choose() {
	if rows := s.listed(); s.grid.cursor < len(rows) {
		s.chosen = rows[s.grid.cursor].ID
	}
}

func (s *sessions) bindings() []binding {
	if s.part != nil {
		return s.part.bindings()
	}
	b := []binding{
		{"s", "start", true}, {"enter", "open", true}, {"x", "stop", true}, {"l", "logs", true}, {"n", "snapshots", true},
		{"f", "start with this one's files", false}, {"y", "copy the address", false},
	}
	if s.admin() {
		b = append(b, binding{"a", "everybody's or yours", true})
	}
	return append(b, binding{"r", "load anew", false})
}

func (s *sessions) commands() []command {
	all := []command{{"start a session", func() tea.Cmd { return tea.Batch(s.show(s.name()), s.start("")) }}}
	for _, row := range s.hub.sessions.rows {
		slug := clean(row.Slug)
		if !row.Status.Terminal() {
			all = append(all, command{"stop " + slug, func() tea.Cmd { s.askStop(row); return s.show(s.name()) }})
		}
		if row.Status == api.SessionRunning {
			all = append(all, command{"open " + slug, func() tea.Cmd { return tea.Batch(s.show(s.name()), s.open(row)) }})
		}
		all = append(all, command{"logs " + slug, func() tea.Cmd { return tea.Batch(s.show(s.name()), s.logs(row)) }})
		if len(all) > 60 {
			break
		}
	}
	if s.admin() {
		all = append(all, command{"everybody's sessions or yours", func() tea.Cmd { return tea.Batch(s.show(s.name()), s.everybody()) }})
	}
	return all
}

func (s *sessions) key(k tea.KeyMsg) tea.Cmd {
	if s.part != nil {
		cmd, done := s.part.key(k)
		if done {
			s.leave()
		}
		return cmd
	}
	rows := s.rows()
	if s.grid.key(k.String(), len(rows)) {
		s.choose()
		return nil
	}
	switch k.String() {
	case "s":
		return s.start("")
	case "a":
		if s.admin() {
			return s.everybody()
		}
		return nil
	case "r":
		return s.reload()
	}
	row, ok := s.current()
	if !ok {
		return nil
	}
	switch k.String() {
	case "enter", "o":
		return s.open(row)
	case "x":
		s.askStop(row)
	case "l":
		return s.logs(row)
	case "n":
		return s.snapshots(row)
	case "f":
		return s.start(row.Slug)
	case "y":
		s.out.Copy(row.URL)
		s.say("The address of %s is in the clipboard, if this terminal allows it.", row.Slug)
	}
	return nil
}

// leave goes back to the list.
func (s *sessions) leave() {
	if s.part != nil {
		s.plain()
		s.part.close()
		s.part = nil
	}
}

func (s *sessions) enter(p part) {
	s.leave()
	s.plain()
	s.part = p
}

func (s *sessions) mouse(m tea.MouseMsg) tea.Cmd {
	if s.part != nil {
		return s.part.mouse(m)
	}
	n := len(s.rows())
	switch {
	case wheel(m) != 0:
		s.grid.move(s.grid.cursor+wheel(m), n)
	case pressed(m):
		s.grid.click(m.Y-1, n)
	default:
		return nil
	}
	s.choose()
	return nil
}

// wheel is how many rows a turn of the wheel moves.
func wheel(m tea.MouseMsg) int {
	switch {
	case m.Action != tea.MouseActionPress:
	case m.Button == tea.MouseButtonWheelDown:
		return 3
	case m.Button == tea.MouseButtonWheelUp:
		return -3
	}
	return 0
}

func pressed(m tea.MouseMsg) bool {
	return m.Action == tea.MouseActionPress && m.Button == tea.MouseButtonLeft
}

func (s *sessions) columns() []column {
	cols := []column{
		{title: "SESSION", width: 8}, {title: "STATE", width: 8}, {title: "GPU", width: 3, right: true, drop: 4},
		{title: "AGE", width: 6, right: true, drop: 3}, {title: "USE", width: 14, grow: 1, most: 40, drop: 2},
		{title: "MEMORY", width: 17, grow: 1, most: 40, drop: 5}, {title: "SPACE GiB", width: 9, right: true, drop: 6},
	}
	if s.all {
		cols = append(cols, column{title: "OWNER", width: 8, grow: 1, most: 24, drop: 1})
	}
	return cols
}

func (s *sessions) view(columns, lines int) string {
	if s.part != nil {
		return s.part.view(columns, lines)
	}
	rows := s.rows()
	top := s.summary(columns)
	l := &s.hub.sessions
	switch {
	case !l.loaded && l.err != nil && !s.lost(l.err):
		return top + "\n\n" + s.th.bad.Render(indent(wrap(why(l.err), columns-4)))
	case !l.loaded:
		return top + "\n\n" + s.th.muted.Render("  Loading the sessions.")
	case len(rows) == 0 && s.words != "":
		return top + "\n\n" + s.th.muted.Render("  Nothing matches.")
	case len(rows) == 0:
		return top + "\n\n  No sessions yet.\n\n" + s.th.muted.Render(indent(wrap("Press s to start one: VS Code in the browser, with a terminal, your files and one GPU.", columns-4)))
	}
	detail := 0
	if lines >= 14 {
		detail = min(11, lines/2)
	}
	list := lines - 1 - detail
	if detail > 0 { // the list takes no more than it needs
		list = min(list, len(rows)+1)
		detail = lines - 1 - list
	}
	cols := s.columns()
	widths := fitColumns(cols, columns)
	out := top + "\n" + s.grid.view(s.th, cols, columns, list, len(rows), func(i int) []cell { return s.row(rows[i], widths) })
	if detail > 0 {
		out += "\n" + s.detail(rows[s.grid.cursor], columns, detail)
	}
	return out
}

// summary counts what there is.
func (s *sessions) summary(columns int) string {
	live, ended := 0, 0
	for _, r := range s.hub.sessions.rows {
		if r.Status.Terminal() {
			ended++
		} else {
			live++
		}
	}
	whose := "Your sessions"
	if s.all {
		whose = "Everybody's sessions"
	}
	left := " " + s.th.strong.Render(whose)
	if s.hub.sessions.loaded { // before, nobody knows
		left += "  " + s.th.muted.Render(fmt.Sprintf("%d live, %d ended", live, ended))
	}
	right := ""
	if s.hub.gpus.loaded {
		free := 0
		for _, g := range s.hub.gpus.rows {
			if g.Status == api.GPUFree {
				free++
			}
		}
		right = s.th.muted.Render(fmt.Sprintf("%d of %d GPUs free ", free, len(s.hub.gpus.rows)))
	}
	if width(left)+width(right) > columns {
		right = ""
	}
	return spread(left, right, columns)
}

func (s *sessions) row(r api.Session, widths []int) []cell {
	th := s.th
	age0 := age(s.now().Sub(r.CreatedAt))
	cells := []cell{{clean(r.Slug), th.strong}, {clean(string(r.Status)), th.status(string(r.Status))}}
	if r.Status.Terminal() {
		cells = append(cells, cell{"-", th.muted}, cell{age0, th.muted}, cell{"", th.muted}, cell{"", th.muted}, cell{"", th.muted})
	} else {
		useText, memText := "not reported", "not reported"
		if g, ok := s.gpu(r); ok {
			h := s.history[g.UUID]
			useText = fmt.Sprintf("%s %3d %%", spark(h.last(widths[4]-6, use), max(0, widths[4]-6)), g.UtilisationPercent)
			memText = fmt.Sprintf("%s %4s GiB", spark(h.last(widths[5]-9, mem), max(0, widths[5]-9)), gib(g.MemoryUsedBytes))
		}
		cells = append(cells, cell{fmt.Sprint(r.GPUID), th.text}, cell{age0, th.text}, cell{useText, th.accent}, cell{memText, th.accent}, s.spaceCell(r))
	}
	if s.all {
		cells = append(cells, cell{s.owner(r.UserID), th.muted})
	}
	return cells
}

func (s *sessions) spaceCell(r api.Session) cell {
	u, ok := s.usage[r.ID]
	if !ok {
		return cell{"-", s.th.muted}
	}
	if u.QuotaBytes <= 0 {
		return cell{gib(u.UsedBytes), s.th.text}
	}
	return cell{gib(u.UsedBytes) + "/" + gib(u.QuotaBytes), s.th.load(100 * float64(u.UsedBytes) / float64(u.QuotaBytes))}
}

// owner names a user as well as is known here.
func (h *hub) owner(id string) string {
	if id == h.me.UserID {
		return "you"
	}
	if name := h.names[id]; name != "" {
		return name
	}
	return clean(id[:min(8, len(id))])
}

func indent(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }
