package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/termtext"
)

// stageNames are the steps as people call them, in their order.
var stageNames = []struct{ key, name string }{
	{"workspace", "Workspace"}, {"sockets", "Sockets"}, {"gpu", "GPU"}, {"container", "Container"}, {"task", "Process"}, {"ide", "VS Code"},
}

func stageName(key string) string {
	for _, n := range stageNames {
		if n.key == key {
			return n.name
		}
	}
	if key == "" {
		return "Stage"
	}
	return strings.ToUpper(key[:1]) + clean(key[1:])
}

// detail is all about one session, in so many lines.
func (s *sessions) detail(r api.Session, columns, lines int) string {
	rows := []string{s.th.line.Render("── ") + s.th.strong.Render(clean(r.Slug)) + " " + s.th.line.Render(strings.Repeat("─", max(0, columns-width(clean(r.Slug))-4)))}
	add := func(k, v string) {
		rows = append(rows, "  "+s.th.muted.Render(pad(k, 10))+" "+cut(v, columns-13))
	}
	if r.ErrorMessage != "" {
		for i, line := range strings.Split(wrap(clean(r.ErrorMessage), columns-13), "\n") {
			if i < 3 {
				add(map[bool]string{true: "Error"}[i == 0], s.th.bad.Render(line))
			}
		}
	}
	if stages := s.stages[r.ID]; r.Status == api.SessionStarting || r.Status == api.SessionStopping || len(stages) > 0 && (r.Status.Terminal() || s.fresh(r)) {
		rows = append(rows, s.stageRows(r, stages, columns)...)
	}
	if !r.Status.Terminal() {
		add("Address", clean(r.URL))
	}
	if u, ok := s.usage[r.ID]; ok {
		text := termtext.Bytes(u.UsedBytes)
		if u.QuotaBytes > 0 {
			p := 100 * float64(u.UsedBytes) / float64(u.QuotaBytes)
			text = fmt.Sprintf("%s  %s of %s (%.0f %%)", s.th.bar(p, max(4, min(24, columns-50))), text, termtext.Bytes(u.QuotaBytes), p)
		}
		add("Workspace", text)
	}
	if g, ok := s.gpu(r); ok && !r.Status.Terminal() {
		add("GPU", fmt.Sprintf("%d  %s  %d °C  %d W", g.Index, clean(g.Name), g.TemperatureC, (g.PowerMilliwatts+500)/1000))
	}
	add("Times", s.times(r))
	add("Pack", clean(r.PackID)+"  "+short(r.PackDigest))
	if r.WorkspaceZFS != "" {
		add("Dataset", clean(r.WorkspaceZFS))
	}
	if s.all || r.UserID != s.me.UserID && s.me.UserID != "" {
		add("Owner", s.owner(r.UserID))
	}
	return box(strings.Join(rows, "\n"), columns, lines)
}

// fresh is a session whose start is still of interest.
func (s *sessions) fresh(r api.Session) bool {
	return r.StartedAt != nil && s.now().Sub(*r.StartedAt) < 30*time.Second
}

func (s *sessions) times(r api.Session) string {
	text := "created " + stamp(r.CreatedAt, s.now())
	if r.StartedAt != nil {
		text += ", ready after " + termtext.Duration(r.StartedAt.Sub(r.CreatedAt))
	}
	if r.StoppedAt != nil {
		text += ", ended " + stamp(*r.StoppedAt, s.now())
	}
	return text
}

// stageRows lists the steps that are done with their durations, two in a line
// where there is room, and the one that is under way.
func (s *sessions) stageRows(r api.Session, stages []stage, columns int) []string {
	var cells []string
	done := map[string]bool{}
	var failed []string
	for _, st := range stages {
		done[st.name] = true
		if st.err != "" {
			cells = append(cells, s.th.bad.Render(pad("× "+stageName(st.name), 12)+padLeft(termtext.Duration(st.took), 9)))
			failed = append(failed, "  "+s.th.bad.Render(cut(stageName(st.name)+": "+clean(st.err), columns-4)))
			continue
		}
		cells = append(cells, s.th.good.Render("✓ ")+pad(stageName(st.name), 10)+s.th.muted.Render(padLeft(termtext.Duration(st.took), 9)))
	}
	if next := s.underWay(r, done); next != "" {
		cells = append(cells, s.th.warn.Render("· "+pad(next, 19)))
	}
	per := max(1, min(3, (columns-2)/25))
	var rows []string
	for i := 0; i < len(cells); i += per {
		rows = append(rows, "  "+strings.Join(cells[i:min(len(cells), i+per)], "    "))
	}
	return append(rows, failed...)
}

// underWay is the first step that has not ended.
func (s *sessions) underWay(r api.Session, done map[string]bool) string {
	switch r.Status {
	case api.SessionStarting:
		for _, n := range stageNames {
			if !done[n.key] {
				return n.name
			}
		}
	case api.SessionStopping:
		if !done["snapshot"] {
			return "Stopping"
		}
	}
	return ""
}
