package tui

import (
	"strings"

	"github.com/charmbracelet/glamour"
	glamouransi "github.com/charmbracelet/glamour/ansi"
	"github.com/charmbracelet/glamour/styles"
	"github.com/muesli/termenv"

	"github.com/medforge/medforge/pkg/termtext"
)

// markdown renders a description as lines. What it says was written by
// whoever made the bundle, so it is harmless before it is rendered, and text
// that cannot be rendered is shown as it is.
func (th *theme) markdown(text string, columns int) []string {
	text = strings.ReplaceAll(termtext.Text(text), "\t", "    ")
	style := styles.DarkStyleConfig
	switch {
	case th.profile == termenv.Ascii:
		style = styles.ASCIIStyleConfig
	case !th.dark:
		style = styles.LightStyleConfig
	}
	head := "#0f6b83"
	if th.dark {
		head = "#7cc4d8"
	}
	out, err := render(text, style, th.profile, head, columns)
	if err != nil {
		out = text
	}
	rows := strings.Split(strings.Trim(out, "\n"), "\n")
	for i := range rows {
		rows[i] = strings.TrimRight(rows[i], " ")
	}
	return rows
}

func render(text string, style glamouransi.StyleConfig, profile termenv.Profile, head string, columns int) (string, error) {
	none := uint(0)
	style.Document.Margin = &none
	style.Document.BlockPrefix, style.Document.BlockSuffix = "", ""
	style.Document.Color, style.Text.Color = nil, nil // the terminal's own
	bold := true
	for _, h := range []*glamouransi.StyleBlock{&style.H1, &style.H2, &style.H3, &style.H4, &style.H5, &style.H6} {
		h.Prefix, h.Suffix, h.BackgroundColor, h.Color, h.Bold = "", "", nil, nil, nil
		if profile != termenv.Ascii {
			h.Color, h.Bold = &head, &bold
		}
	}
	style.Code.Prefix, style.Code.Suffix, style.Code.BackgroundColor, style.Code.Color = "", "", nil, nil
	if profile != termenv.Ascii {
		style.Code.Color = &head
	}
	style.Strong.BlockPrefix, style.Strong.BlockSuffix, style.Emph.BlockPrefix, style.Emph.BlockSuffix = "", "", "", ""
	r, err := glamour.NewTermRenderer(glamour.WithStyles(style), glamour.WithColorProfile(profile), glamour.WithWordWrap(max(20, columns)))
	if err != nil {
		return "", err
	}
	return r.Render(text)
}
