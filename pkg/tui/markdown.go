package tui

import (
	"slices"
	"strconv"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/lipgloss/table"
	"github.com/charmbracelet/x/ansi"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/medforge/medforge/pkg/termtext"
)

// markdown renders a description as lines. What it says was written by whoever
// made the bundle: it is harmless before it is read, and again where it is
// shown, for a reference such as &#27; stands for a character. (glamour does the
// same, but every start of the program would read all of its highlighter's
// languages and styles, which takes longer than most commands.)
func (th *theme) markdown(description string, columns int) []string {
	source := []byte(strings.ReplaceAll(termtext.Text(description), "\t", "    "))
	parser := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough)).Parser()
	return page{th, source}.blocks(parser.Parse(text.NewReader(source)), max(20, columns), true)
}

// page is a text that is being rendered.
type page struct {
	th     *theme
	source []byte
}

// blocks renders what is below a node, with empty lines between when apart.
func (p page) blocks(parent ast.Node, columns int, apart bool) []string {
	var rows []string
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		if apart && len(rows) > 0 {
			rows = append(rows, "")
		}
		rows = append(rows, p.block(n, columns)...)
	}
	return rows
}

func (p page) block(n ast.Node, columns int) []string {
	switch n := n.(type) {
	case *ast.Heading:
		return broken(p.inline(n, p.th.tabOn), columns)
	case *ast.ThematicBreak:
		return []string{p.th.line.Render(strings.Repeat("─", min(8, columns)))}
	case *ast.Blockquote:
		return hang(p.blocks(n, max(10, columns-2), true), p.th.line.Render("│")+" ", "")
	case *ast.List:
		return p.list(n, columns)
	case *east.Table:
		return p.table(n, columns)
	case *ast.CodeBlock, *ast.FencedCodeBlock, *ast.HTMLBlock:
		var rows []string
		for _, line := range n.Lines().Sliced(0, n.Lines().Len()) {
			rows = append(rows, strings.Split(ansi.Hardwrap(clean(strings.TrimRight(string(line.Value(p.source)), "\n")), max(10, columns-4), true), "\n")...)
		}
		return hang(rows, "    ", "")
	}
	return broken(p.inline(n, p.th.text), columns)
}

func (p page) list(n *ast.List, columns int) []string {
	var rows []string
	number := n.Start
	for item := n.FirstChild(); item != nil; item = item.NextSibling() {
		if !n.IsTight && len(rows) > 0 {
			rows = append(rows, "")
		}
		mark := "• "
		if n.IsOrdered() {
			mark = strconv.Itoa(number) + ". "
			number++
		}
		width := ansi.StringWidth(mark)
		rows = append(rows, hang(p.blocks(item, max(10, columns-width), !n.IsTight), strings.Repeat(" ", width), mark)...)
	}
	return rows
}

func (p page) table(n *east.Table, columns int) []string {
	t := table.New().Border(lipgloss.NormalBorder()).BorderStyle(p.th.line).BorderTop(false).BorderBottom(false).
		BorderLeft(false).BorderRight(false).StyleFunc(func(int, int) lipgloss.Style { return p.th.r.NewStyle().Padding(0, 1) })
	for row := n.FirstChild(); row != nil; row = row.NextSibling() {
		var cells []string
		style := p.th.text
		if row.Kind() == east.KindTableHeader {
			style = p.th.strong
		}
		for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
			cells = append(cells, p.inline(cell, style))
		}
		if row.Kind() == east.KindTableHeader {
			t.Headers(cells...)
		} else {
			t.Row(cells...)
		}
	}
	out := t.Render()
	if lipgloss.Width(out) > columns {
		out = t.Width(columns).Render()
	}
	return strings.Split(out, "\n")
}

// inline renders the text below a node.
func (p page) inline(parent ast.Node, style lipgloss.Style) string {
	var b strings.Builder
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.Text:
			b.WriteString(styled(plain(n.Value(p.source)), style))
			if n.HardLineBreak() {
				b.WriteByte('\n')
			} else if n.SoftLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.WriteString(styled(clean(string(n.Value)), style))
		case *ast.CodeSpan:
			for c := n.FirstChild(); c != nil; c = c.NextSibling() {
				b.WriteString(styled(clean(strings.ReplaceAll(string(c.(*ast.Text).Value(p.source)), "\n", " ")), style.Inherit(p.th.accent)))
			}
		case *ast.Emphasis:
			b.WriteString(p.inline(n, emphasis(style, n.Level)))
		case *east.Strikethrough:
			b.WriteString(p.inline(n, style.Strikethrough(true)))
		case *ast.Link:
			b.WriteString(withAddress(p.inline(n, style), plain(n.Destination)))
		case *ast.Image:
			b.WriteString(withAddress(p.inline(n, style), plain(n.Destination)))
		case *ast.AutoLink:
			b.WriteString(clean(string(n.URL(p.source))))
		case *ast.RawHTML:
			b.WriteString(clean(string(n.Segments.Value(p.source))))
		default:
			b.WriteString(p.inline(n, style))
		}
	}
	return b.String()
}

func emphasis(style lipgloss.Style, level int) lipgloss.Style {
	if level == 1 {
		return style.Italic(true)
	}
	return style.Bold(true)
}

func withAddress(shown, address string) string {
	switch ansi.Strip(shown) {
	case "":
		return address
	case address:
		return shown
	}
	return shown + " (" + address + ")"
}

// plain is text with its escapes and references resolved.
func plain(raw []byte) string {
	return clean(string(util.UnescapePunctuations(util.ResolveEntityNames(util.ResolveNumericReferences(raw)))))
}

// styled styles each word by itself, so that a line may break between any two.
func styled(s string, style lipgloss.Style) string {
	parts := strings.Split(s, " ")
	for i, w := range parts {
		if w != "" {
			parts[i] = style.Render(w)
		}
	}
	return strings.Join(parts, " ")
}

// broken breaks into lines. A styled word longer than a line is styled only to
// that line's end: no style may reach what stands beside.
func broken(s string, columns int) []string {
	rows := strings.Split(ansi.Wrap(s, columns, ""), "\n")
	for i, row := range rows {
		if row = strings.TrimRight(row, " "); strings.Contains(row, "\x1b") && !strings.HasSuffix(row, ansi.ResetStyle) {
			row += ansi.ResetStyle
		}
		rows[i] = row
	}
	return rows
}

// hang puts prefix before every row; first, if any, before the first.
func hang(rows []string, prefix, first string) []string {
	rows = slices.Clone(rows)
	for i := range rows {
		lead := prefix
		if i == 0 && first != "" {
			lead = first
		}
		rows[i] = strings.TrimRight(lead+rows[i], " ")
	}
	if len(rows) == 0 && first != "" {
		return []string{strings.TrimRight(first, " ")}
	}
	return rows
}
