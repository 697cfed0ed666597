package tui

import (
	"context"
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/termtext"
)

// gpus is the host at a glance: a card for each device.
type gpus struct {
	*hub
	grid  grid
	words string
	per   int // cards in a row; 0 is the table
	tall  int // lines of a card
}

func newGPUs(h *hub) *gpus { return &gpus{hub: h} }

func (g *gpus) name() string  { return "GPUs" }
func (g *gpus) editing() bool { return false }

func (g *gpus) shown() tea.Cmd { return g.loadHost() }

func (g *gpus) filter(text string) tea.Cmd { g.words = strings.ToLower(text); return nil }

func (g *gpus) rows() []api.GPU {
	if g.words == "" {
		return g.hub.gpus.rows
	}
	var some []api.GPU
	for _, d := range g.hub.gpus.rows {
		if strings.Contains(strings.ToLower(fmt.Sprintf("%d %s %s %s %s", d.Index, d.Name, d.Status, d.Reason, sessionOf(d))), g.words) {
			some = append(some, d)
		}
	}
	return some
}

func sessionOf(d api.GPU) string {
	if d.Session == nil {
		return ""
	}
	return clean(*d.Session)
}

func (g *gpus) bindings() []binding {
	b := []binding{{"enter", "go to its session", true}}
	if g.admin() {
		b = append(b, binding{"d", "disable", true}, binding{"e", "enable, end a quarantine", true})
	}
	return append(b, binding{"← → ↑ ↓, h j k l", "move", false}, binding{"r", "load anew", true})
}

func (g *gpus) commands() []command {
	var all []command
	if g.admin() {
		for _, d := range g.hub.gpus.rows {
			all = append(all, command{fmt.Sprintf("enable GPU %d", d.Index), func() tea.Cmd { return g.set(d, true) }},
				command{fmt.Sprintf("disable GPU %d", d.Index), func() tea.Cmd { g.askDisable(d); return nil }})
		}
	}
	return all
}

type gpuSetMsg struct {
	index int
	on    bool
	err   error
}

func (g *gpus) update(msg tea.Msg) tea.Cmd {
	if m, ok := msg.(gpuSetMsg); ok {
		if m.err != nil {
			g.grief(m.err)
			return nil
		}
		g.say("GPU %d is %s.", m.index, map[bool]string{true: "enabled", false: "disabled: it takes no new session"}[m.on])
		return g.loadGPUs()
	}
	return nil
}

func (g *gpus) set(d api.GPU, on bool) tea.Cmd {
	return call(g.hub, callTime, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, g.daemon.SetGPU(ctx, d.UUID, on)
	}, func(_ struct{}, err error) tea.Msg { return gpuSetMsg{d.Index, on, err} })
}

func (g *gpus) askDisable(d api.GPU) {
	g.ask(&confirm{fmt.Sprintf("Give GPU %d to no new session? One that has it keeps it.", d.Index), func() tea.Cmd { return g.set(d, false) }})
}

func (g *gpus) key(k tea.KeyMsg) tea.Cmd {
	rows := g.rows()
	n, step := len(rows), max(1, g.per)
	switch k.String() {
	case "down", "j":
		g.grid.move(g.grid.cursor+step, n)
	case "up", "k":
		g.grid.move(g.grid.cursor-step, n)
	case "right", "l":
		g.grid.move(g.grid.cursor+1, n)
	case "left", "h":
		g.grid.move(g.grid.cursor-1, n)
	case "r":
		return g.reload()
	default:
		if g.grid.key(k.String(), n) || n == 0 {
			return nil
		}
		d := rows[min(g.grid.cursor, n-1)]
		switch {
		case k.String() == "enter":
			return g.goToSession(d)
		case k.String() == "d" && g.admin():
			g.askDisable(d)
		case k.String() == "e" && g.admin():
			return g.set(d, true)
		}
	}
	return nil
}

// goToSession shows a device's session, if the caller may see it.
func (g *gpus) goToSession(d api.GPU) tea.Cmd {
	slug := sessionOf(d)
	if slug == "" {
		g.say("No session has GPU %d.", d.Index)
		return nil
	}
	for _, s := range g.hub.sessions.rows {
		if s.Slug == *d.Session {
			return g.goSession(s.ID)
		}
	}
	g.say("Session %s is not yours.", slug)
	return nil
}

func (g *gpus) mouse(m tea.MouseMsg) tea.Cmd {
	n := len(g.rows())
	switch {
	case wheel(m) != 0:
		g.grid.move(g.grid.cursor+sign(wheel(m))*max(1, g.per), n)
	case pressed(m) && g.per == 0:
		g.grid.click(m.Y-hostLines, n)
	case pressed(m) && m.Y >= hostLines && g.tall > 0:
		row := (m.Y - hostLines) / g.tall
		if i := (g.grid.top+row)*g.per + m.X*g.per/max(1, g.grid.height); row >= 0 && i < n {
			g.grid.cursor = i
		}
	}
	return nil
}

// hostLines are above the cards.
const hostLines = 3

func (g *gpus) view(columns, lines int) string {
	head := g.hostLines(columns)
	l, rows := &g.hub.gpus, g.rows()
	switch {
	case !l.loaded && l.err != nil && !g.lost(l.err):
		return head + "\n" + g.th.bad.Render(indent(wrap(why(l.err), columns-4)))
	case !l.loaded:
		return head + "\n" + g.th.muted.Render("  Loading the GPUs.")
	case len(rows) == 0 && g.words != "":
		return head + "\n" + g.th.muted.Render("  Nothing matches.")
	case len(rows) == 0:
		return head + "\n" + g.th.muted.Render(indent(wrap("This host has no GPU that MedForge sees. medforge doctor says why.", columns-4)))
	}
	lines -= hostLines
	per := min(4, len(rows), columns/38)
	if per < 1 || lines/((len(rows)+per-1)/per) < 4 {
		g.per = 0
		return head + "\n" + g.table(rows, columns, lines)
	}
	g.per = per
	g.tall = min(12, lines/((len(rows)+per-1)/per))
	g.grid.top, g.grid.height, g.grid.cursor = 0, columns, min(g.grid.cursor, len(rows)-1) // height holds the width, for the mouse
	w := columns / per
	var out []string
	for i := 0; i < len(rows); i += per {
		cards := make([][]string, 0, per)
		for j := i; j < min(len(rows), i+per); j++ {
			cards = append(cards, g.card(rows[j], j == g.grid.cursor, w, g.tall))
		}
		for line := range g.tall {
			var b strings.Builder
			for _, c := range cards {
				b.WriteString(pad(c[line], w))
			}
			out = append(out, b.String())
		}
	}
	return head + "\n" + strings.Join(out, "\n")
}

// card is one device in so many lines.
func (g *gpus) card(d api.GPU, chosen bool, columns, lines int) []string {
	th := g.th
	in := columns - 4
	left := " "
	if chosen {
		left = th.accent.Render("▌")
	}
	title := th.strong.Render(fmt.Sprintf("GPU %d", d.Index)) + " " + th.status(string(d.Status)).Render(words(string(d.Status))) + " "
	rows := []string{title + th.line.Render(strings.Repeat("─", max(0, in-width(title))))}
	who := th.muted.Render("-")
	switch {
	case d.Reason != "":
		who = th.bad.Render(clean(d.Reason))
	case d.Session != nil:
		who = g.whose(d)
	}
	rows = append(rows, spread(cut(who, in-13), th.muted.Render(fmt.Sprintf("%d °C %4d W", d.TemperatureC, (d.PowerMilliwatts+500)/1000)), in))
	tall := max(1, lines-3)
	if lines > 5 {
		tall = lines - 4
	}
	h := g.history[d.UUID]
	chart := strings.Split(area(h.last(in-7, use), in-7, tall), "\n")
	for i, c := range chart {
		label := ""
		if i == len(chart)-1 {
			label = fmt.Sprintf(" %4d %%", d.UtilisationPercent)
		} else if i == 0 && h.span(in-7) > 0 {
			label = padLeft(age(h.span(in-7)), 7)
		}
		rows = append(rows, th.accent.Render(c)+th.muted.Render(label))
	}
	p := 0.0
	if d.MemoryTotalBytes > 0 {
		p = 100 * float64(d.MemoryUsedBytes) / float64(d.MemoryTotalBytes)
	}
	text := fmt.Sprintf(" %s/%s GiB", gib(d.MemoryUsedBytes), gib(d.MemoryTotalBytes))
	rows = append(rows, th.bar(p, in-width(text))+th.muted.Render(text))
	rows = boxLines(strings.Join(rows, "\n"), in, lines)
	for i := range rows {
		rows[i] = left + " " + rows[i]
	}
	if lines > 5 {
		rows[lines-1] = ""
	}
	return rows
}

// whose says which session has a device, and whether it is the caller's.
func (g *gpus) whose(d api.GPU) string {
	text := g.th.text.Render(sessionOf(d))
	for _, s := range g.hub.sessions.rows {
		if s.Slug == *d.Session {
			return text + g.th.muted.Render(" "+g.owner(s.UserID))
		}
	}
	return text
}

// words is a state as people write it.
func words(state string) string { return strings.ReplaceAll(clean(state), "_", " ") }

// table is for terminals without room for cards.
func (g *gpus) table(rows []api.GPU, columns, lines int) string {
	cols := []column{
		{title: "GPU", width: 3, right: true}, {title: "STATE", width: 11}, {title: "SESSION", width: 8, grow: 1, most: 40}, {title: "USE", width: 5, right: true},
		{title: "MEMORY", width: 11, right: true, drop: 2}, {title: "TEMP", width: 6, right: true, drop: 1}, {title: "POWER", width: 6, right: true, drop: 3},
	}
	return g.grid.view(g.th, cols, columns, lines, len(rows), func(i int) []cell {
		d := rows[i]
		who := cell{"-", g.th.muted}
		if d.Reason != "" {
			who = cell{clean(d.Reason), g.th.bad}
		} else if d.Session != nil {
			who = cell{sessionOf(d), g.th.text}
		}
		return []cell{{fmt.Sprint(d.Index), g.th.strong}, {words(string(d.Status)), g.th.status(string(d.Status))}, who,
			{fmt.Sprintf("%d %%", d.UtilisationPercent), g.th.accent}, {gib(d.MemoryUsedBytes) + "/" + gib(d.MemoryTotalBytes), g.th.text},
			{fmt.Sprintf("%d °C", d.TemperatureC), g.th.muted}, {fmt.Sprintf("%d W", (d.PowerMilliwatts+500)/1000), g.th.muted}}
	})
}

// hostLines are the host itself: slots, processors, memory, space.
func (g *gpus) hostLines(columns int) string {
	th, h := g.th, g.host
	free, total := h.SlotsFree, h.SlotsTotal
	slots := th.strong.Render(fmt.Sprintf("%d of %d slots free", free, total))
	switch {
	case !g.hosted && g.hostErr != nil && !g.lost(g.hostErr):
		return " " + th.muted.Render("The host's readings: not reported.") + "\n\n"
	case !g.hosted:
		return " " + th.muted.Render("Loading the host's readings.") + "\n\n"
	}
	w := max(3, min(20, (columns-69)/3))
	part := func(name string, p *float64, text string) string {
		if p == nil {
			return th.muted.Render(name + " not reported")
		}
		if columns < 76 {
			return th.muted.Render(name+" ") + th.load(*p).Render(fmt.Sprintf("%.0f %%", *p))
		}
		return th.muted.Render(name+" ") + th.bar(*p, w) + " " + text
	}
	cpu := ""
	if h.CPUPercent != nil {
		cpu = fmt.Sprintf("%.0f %% of %d", *h.CPUPercent, h.CPUs)
	}
	memory, memText := of(h.MemoryUsedBytes, h.MemoryTotalBytes)
	space, spaceText := of(h.PoolUsedBytes, h.PoolTotalBytes)
	line := part("CPU", h.CPUPercent, cpu) + "  " + part("memory", memory, memText) + "  " + part("space", space, spaceText)
	return " " + slots + "\n " + line + "\n"
}

// of is a share in percent and in words; nil when it is not known.
func of(used, total *int64) (*float64, string) {
	if used == nil || total == nil || *total <= 0 {
		return nil, ""
	}
	p := 100 * float64(*used) / float64(*total)
	return &p, fmt.Sprintf("%.0f %% of %s", p, termtext.Bytes(*total))
}
