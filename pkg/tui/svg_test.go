package tui

import (
	"fmt"
	"html"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/rivo/uniseg"
)

// A terminal's cell in a picture, in pixels.
const cellWidth, cellHeight, fontSize = 8.4, 18.0, 14

// look is how a run of characters is drawn.
type look struct {
	fg, bg string
	bold   bool
}

// svg draws a frame with its colours (SGR 38;2 and 48;2, bold, reset).
func svg(frame string, columns, lines int, fg, bg string) string {
	var b strings.Builder
	w, h := float64(columns)*cellWidth+24, float64(lines)*cellHeight+24
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace" font-size="%d" fill="%s">`, w, h, w, h, fontSize, fg)
	fmt.Fprintf(&b, "\n<rect width=\"100%%\" height=\"100%%\" rx=\"8\" fill=\"%s\"/>\n", bg)
	for y, row := range strings.Split(frame, "\n") {
		x := 0
		for _, r := range runs(row) {
			n := ansi.StringWidth(r.text)
			px, py := 12+float64(x)*cellWidth, 12+float64(y)*cellHeight
			if r.look.bg != "" {
				fmt.Fprintf(&b, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", px, py, float64(n)*cellWidth, cellHeight, r.look.bg)
			}
			for _, word := range pieces(r.text) {
				if strings.TrimSpace(word.text) == "" {
					continue
				}
				attrs := ""
				if r.look.fg != "" {
					attrs += ` fill="` + r.look.fg + `"`
				}
				if r.look.bold {
					attrs += ` font-weight="bold"`
				}
				fmt.Fprintf(&b, "<text x=\"%.1f\" y=\"%.1f\" textLength=\"%.1f\" lengthAdjust=\"spacingAndGlyphs\"%s>%s</text>\n",
					px+float64(word.at)*cellWidth, py+13.5, float64(ansi.StringWidth(word.text))*cellWidth, attrs, html.EscapeString(word.text))
			}
			x += n
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

type run struct {
	text string
	look look
}

// runs parts a line where its look changes.
func runs(row string) []run {
	var out []run
	var now look
	for row != "" {
		i := strings.IndexByte(row, 0x1b)
		if i < 0 {
			i = len(row)
		}
		if i > 0 {
			out = append(out, run{row[:i], now})
		}
		row = row[i:]
		if row == "" {
			break
		}
		end := strings.IndexByte(row, 'm')
		now = sgr(now, row[2:end])
		row = row[end+1:]
	}
	return out
}

func sgr(l look, params string) look {
	p := strings.Split(params, ";")
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case "0", "":
			l = look{}
		case "1":
			l.bold = true
		case "38", "48":
			if i+4 >= len(p) || p[i+1] != "2" {
				return l
			}
			hex := "#"
			for _, s := range p[i+2 : i+5] {
				n, _ := strconv.Atoi(s)
				hex += fmt.Sprintf("%02x", n)
			}
			if p[i] == "38" {
				l.fg = hex
			} else {
				l.bg = hex
			}
			i += 4
		}
	}
	return l
}

// word is text with the column it begins at.
type word struct {
	text string
	at   int
}

// pieces parts text at two blanks and more, and around wide characters, so that
// each part stands on its column whatever font draws it.
func pieces(text string) []word {
	var out []word
	var cur word
	at, blanks := 0, 0
	flush := func() {
		if strings.TrimSpace(cur.text) != "" {
			out = append(out, word{strings.TrimRight(cur.text, " "), cur.at})
		}
		cur = word{at: at}
	}
	for g := uniseg.NewGraphemes(text); g.Next(); {
		c := g.Str()
		w := ansi.StringWidth(c)
		if c == " " {
			blanks++
		} else {
			if blanks > 1 || w != 1 || cur.text == "" {
				flush()
			}
			blanks = 0
		}
		if c != " " || cur.text != "" {
			cur.text += c
		}
		at += w
		if w != 1 {
			flush()
		}
		if cur.text == "" {
			cur.at = at
		}
	}
	flush()
	return out
}
