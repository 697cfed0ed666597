package tui

import (
	"strings"

	"github.com/charmbracelet/lipgloss"
)

// column is one of a grid's.
type column struct {
	title string
	width int // columns of the terminal; the least, when it grows
	grow  int // its share of what is left over; 0 stays at width
	most  int // it grows no wider; 0 is no limit
	right bool
	drop  int // the highest goes first when the terminal is narrow; 0 stays
}

// cell is one field of a row. style is left out on the chosen row, which has
// its own.
type cell struct {
	text  string
	style lipgloss.Style
}

// gap stands between two columns, and mark at the left of each row.
const gap, mark = 2, 2

// fitColumns returns the widths that columns get; 0 is dropped.
func fitColumns(cols []column, columns int) []int {
	widths := make([]int, len(cols))
	for i, c := range cols {
		widths[i] = c.width
	}
	left := func() int {
		sum := mark - gap
		for _, w := range widths {
			if w > 0 {
				sum += w + gap
			}
		}
		return columns - sum
	}
	for left() < 0 {
		worst := -1
		for i, c := range cols {
			if widths[i] > 0 && c.drop > 0 && (worst < 0 || c.drop > cols[worst].drop) {
				worst = i
			}
		}
		if worst < 0 {
			break
		}
		widths[worst] = 0
	}
	share(cols, widths, left())
	return widths
}

// share hands what is left over, or what is missing, to the columns that grow.
func share(cols []column, widths []int, left int) {
	for left > 0 {
		sum := 0
		for i, c := range cols {
			if widths[i] > 0 && c.grow > 0 && (c.most == 0 || widths[i] < c.most) {
				sum += c.grow
			}
		}
		if sum == 0 {
			return
		}
		given := 0
		for i, c := range cols {
			if widths[i] == 0 || c.grow == 0 || c.most > 0 && widths[i] >= c.most {
				continue
			}
			n := max(1, left*c.grow/sum)
			if c.most > 0 {
				n = min(n, c.most-widths[i])
			}
			n = min(n, left-given)
			widths[i] += n
			given += n
		}
		left -= given
	}
	for i := range cols { // too narrow even for what stays: the growing ones give
		if left < 0 && widths[i] > 0 && cols[i].grow > 0 {
			n := min(-left, widths[i]-4)
			if n > 0 {
				widths[i] -= n
				left += n
			}
		}
	}
}

// grid is a table of which only the rows in sight are made.
type grid struct {
	cursor, top, height int
}

// move sets the cursor within n rows and keeps it in sight.
func (g *grid) move(to, n int) {
	g.cursor = max(0, min(to, n-1))
	g.see(n)
}

func (g *grid) see(n int) {
	h := max(1, g.height)
	if g.cursor < g.top {
		g.top = g.cursor
	}
	if g.cursor >= g.top+h {
		g.top = g.cursor - h + 1
	}
	g.top = max(0, min(g.top, n-h))
}

// key moves by the keys that every list has, and reports whether it was one.
func (g *grid) key(k string, n int) bool {
	page := max(1, g.height-1)
	switch k {
	case "down", "j":
		g.move(g.cursor+1, n)
	case "up", "k":
		g.move(g.cursor-1, n)
	case "pgdown", "ctrl+f", " ":
		g.move(g.cursor+page, n)
	case "pgup", "ctrl+b":
		g.move(g.cursor-page, n)
	case "ctrl+d":
		g.move(g.cursor+page/2, n)
	case "ctrl+u":
		g.move(g.cursor-page/2, n)
	case "home", "g":
		g.move(0, n)
	case "end", "G":
		g.move(n-1, n)
	default:
		return false
	}
	return true
}

// click chooses the row at a line of the grid, counted from its head.
func (g *grid) click(line, n int) bool {
	row := g.top + line - 1
	if line < 1 || line > g.height || row >= n {
		return false
	}
	g.move(row, n)
	return true
}

// view draws the head and the rows in sight, exactly lines high.
func (g *grid) view(th *theme, cols []column, columns, lines, n int, row func(i int) []cell) string {
	g.height = max(1, lines-1)
	g.move(g.cursor, n)
	widths := fitColumns(cols, columns)
	var b strings.Builder
	b.WriteString(th.head.Render(g.line(cols, widths, columns, func(i int) string { return cols[i].title }, nil)))
	for i := g.top; i < g.top+g.height; i++ {
		b.WriteByte('\n')
		if i >= n {
			continue
		}
		cells := row(i)
		if i == g.cursor {
			s := g.line(cols, widths, columns, func(c int) string { return cells[c].text }, nil)
			b.WriteString(th.selected.Render("▌" + s[1:] + strings.Repeat(" ", max(0, columns-width(s)))))
			continue
		}
		b.WriteString(g.line(cols, widths, columns, func(c int) string { return cells[c].text }, func(c int) lipgloss.Style { return cells[c].style }))
	}
	return b.String()
}

func (g *grid) line(cols []column, widths []int, columns int, text func(int) string, style func(int) lipgloss.Style) string {
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", mark))
	first := true
	for i, c := range cols {
		if widths[i] == 0 {
			continue
		}
		if !first {
			b.WriteString(strings.Repeat(" ", gap))
		}
		first = false
		s := text(i)
		if c.right {
			s = padLeft(s, widths[i])
		} else {
			s = pad(s, widths[i])
		}
		if style != nil {
			s = style(i).Render(s)
		}
		b.WriteString(s)
	}
	return cut(b.String(), columns)
}
