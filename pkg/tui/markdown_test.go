package tui

import (
	"io"
	"strings"
	"testing"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"
)

func themeOf(p termenv.Profile) *theme {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(p)
	r.SetHasDarkBackground(true)
	return newTheme(r)
}

const allMarkdown = `# A *title*

Words that are **bold**, ` + "`code here`" + `, ~~gone~~ and [a link](https://example.org/a).
Still the same paragraph &amp; \*no emphasis\*.  
A hard break <b>kept</b> https://example.org/plain <https://example.org/auto>

> Quoted words that go on
> for two lines

1. first
   - inner one
   - inner two
2. second

   with a paragraph

` + "```\nfor i in range(3):\n    print(i)\n```" + `

| split | rows |
|---|---|
| train | 891 |

---
![a picture](pic.png)
`

const allRendered = `A title

Words that are bold, code here, gone
and a link (https://example.org/a).
Still the same paragraph & *no
emphasis*.
A hard break <b>kept</b>
https://example.org/plain
https://example.org/auto

│ Quoted words that go on for two
│ lines

1. first

   • inner one
   • inner two

2. second

   with a paragraph

    for i in range(3):
        print(i)

 split │ rows
───────┼──────
 train │ 891

────────

a picture (pic.png)`

func TestMarkdown(t *testing.T) {
	t.Parallel()
	for _, p := range []termenv.Profile{termenv.Ascii, termenv.TrueColor} {
		var rows []string
		for _, row := range themeOf(p).markdown(allMarkdown, 36) {
			rows = append(rows, strings.TrimRight(ansi.Strip(row), " "))
		}
		if got := strings.Join(rows, "\n"); got != allRendered {
			t.Errorf("profile %v:\n%s\nwant\n%s", p, got, allRendered)
		}
	}
}

// TestMarkdownStaysInItsPlace: whatever a bundle's author wrote, no row carries
// a style out of its place or holds a control that is not ours.
func TestMarkdownStaysInItsPlace(t *testing.T) {
	t.Parallel()
	th := themeOf(termenv.TrueColor)
	for _, text := range []string{
		allMarkdown, "", "&#27;[31mred &#x9b;31m", "a\x1b]8;;x\x07b", "**" + strings.Repeat("x", 90) + "** `" + strings.Repeat("y z ", 40) + "`",
		strings.Repeat("> ", 30) + "deep", strings.Repeat("- ", 40) + "deep", "|a|b|\n|-|-|\n|" + strings.Repeat("long words ", 20) + "|c|",
		"```\n" + strings.Repeat("w", 200), "* ", "![](&#27;x)", "<script>\n&#27;",
	} {
		for _, row := range th.markdown(text, 40) {
			if rest := ansi.Strip(row); strings.ContainsFunc(rest, func(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }) {
				t.Errorf("%q: a control in %q", text, row)
			}
			if end := row[max(0, strings.LastIndex(row, "\x1b")):]; end != row && !strings.HasPrefix(end, "\x1b[0m") && !strings.HasPrefix(end, "\x1b[m") {
				t.Errorf("%q: the row leaves a style behind: %q", text, row)
			}
		}
	}
}
