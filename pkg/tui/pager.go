package tui

import (
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/charmbracelet/x/ansi"
)

// pager shows lines of which only those in sight are drawn, scrolls both ways
// and searches. Its lines are harmless already.
type pager struct {
	lines        []string
	top, left    int
	height       int
	words        string // searched for, in lower case
	hit          int    // line of the last hit; -1 is none
	follow, wrap bool
}

func (p *pager) scroll(to int) {
	p.top = max(0, min(to, len(p.lines)-p.height))
}

// key reports whether it was one of the pager's.
func (p *pager) key(k string) bool {
	page := max(1, p.height-1)
	p.follow = p.follow && (k == "n" || k == "N" || k == "left" || k == "right" || k == "h" || k == "l")
	switch k {
	case "down", "j", "enter":
		p.scroll(p.top + 1)
	case "up", "k":
		p.scroll(p.top - 1)
	case "pgdown", "ctrl+f", " ":
		p.scroll(p.top + page)
	case "pgup", "ctrl+b":
		p.scroll(p.top - page)
	case "ctrl+d":
		p.scroll(p.top + page/2)
	case "ctrl+u":
		p.scroll(p.top - page/2)
	case "home", "g":
		p.scroll(0)
	case "end", "G":
		p.scroll(len(p.lines))
	case "right", "l":
		p.left += 10
	case "left", "h":
		p.left = max(0, p.left-10)
	case "n":
		p.next(1)
	case "N":
		p.next(-1)
	default:
		return false
	}
	return true
}

func (p *pager) mouse(m tea.MouseMsg) {
	if w := wheel(m); w != 0 {
		p.follow = false
		p.scroll(p.top + w)
	}
}

// search looks for words from the first line in sight on.
func (p *pager) search(words string) {
	p.words, p.hit = strings.ToLower(words), p.top-1
	if p.words != "" {
		p.follow = false
		p.next(1)
	}
}

// next goes to the next line with the words, around the end.
func (p *pager) next(step int) {
	n := len(p.lines)
	if p.words == "" || n == 0 {
		return
	}
	for i := 1; i <= n; i++ {
		at := ((p.hit+i*step)%n + n) % n
		if strings.Contains(strings.ToLower(ansi.Strip(p.lines[at])), p.words) {
			p.hit = at
			if at < p.top || at >= p.top+p.height {
				p.scroll(at - p.height/2)
			}
			return
		}
	}
	p.hit = -1
}

// state says where one is, for the head of a view.
func (p *pager) state() string {
	if p.words != "" && p.hit < 0 {
		return "not found"
	}
	if len(p.lines) <= p.height {
		return ""
	}
	return fmt.Sprintf("%s of %s", group(min(len(p.lines), p.top+p.height)), group(len(p.lines)))
}

func (p *pager) view(th *theme, columns, lines int) string {
	p.height = max(1, lines)
	if p.follow {
		p.top = len(p.lines)
	}
	p.scroll(p.top)
	var b strings.Builder
	for i := p.top; i < p.top+p.height; i++ {
		if i > p.top {
			b.WriteByte('\n')
		}
		if i >= len(p.lines) {
			continue
		}
		text := p.lines[i]
		if p.left > 0 {
			text = ansi.TruncateLeft(text, p.left, "")
		}
		if i == p.hit && p.words != "" {
			b.WriteString(th.selected.Render("▌" + pad(ansi.Strip(text), columns-1)))
			continue
		}
		b.WriteString(" " + cut(text, columns-1))
	}
	return b.String()
}
