package tui

import (
	"fmt"
	"strings"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/termtext"
)

func (a *admin) view(columns, lines int) string {
	if !a.admin() {
		return "\n" + a.th.muted.Render(indent(wrap("This is for admins. An admin makes you one with: medforge admin user set "+clean(a.me.UnixName)+" --role admin", columns-4)))
	}
	out := cut(a.th.choice(sections, a.section), columns) + "\n"
	switch a.section {
	case secUsers:
		return out + a.viewUsers(columns, lines-1)
	case secPacks:
		return out + a.viewPacks(columns, lines-1)
	case secQueue:
		return out + a.viewQueue(columns)
	}
	return out + a.viewHealth(columns, lines-1)
}

// state is what stands in place of rows: an error, loading, or none.
func listState[T any](h *hub, l *list[T], none string, columns int) (string, bool) {
	switch {
	case !l.loaded && l.err != nil && !h.lost(l.err):
		return "\n" + h.th.bad.Render(indent(wrap(why(l.err), columns-4))), true
	case !l.loaded:
		return "\n" + h.th.muted.Render("  Loading."), true
	case len(l.rows) == 0:
		return "\n" + h.th.muted.Render(indent(wrap(none, columns-4))), true
	}
	return "", false
}

func (a *admin) viewUsers(columns, lines int) string {
	if s, done := listState(a.hub, &a.users, "No accounts yet.", columns); done {
		return s
	}
	rows := a.listedUsers()
	if len(rows) == 0 {
		return "\n" + a.th.muted.Render("  Nothing matches.")
	}
	cols := []column{{title: "NAME", width: 12, grow: 2, most: 30}, {title: "UNIX USER", width: 9, grow: 1, most: 20, drop: 3}, {title: "EMAIL", width: 12, grow: 3, most: 36, drop: 4},
		{title: "ROLE", width: 5, drop: 1}, {title: "SESSIONS", width: 8, right: true, drop: 2}, {title: "STATE", width: 8}, {title: "CREATED", width: 16, drop: 5}}
	live := map[string]int{}
	for _, s := range a.hub.sessions.rows {
		if !s.Status.Terminal() {
			live[s.UserID]++
		}
	}
	return a.grids[secUsers].view(a.th, cols, columns, lines, len(rows), func(i int) []cell {
		u := rows[i]
		state, style := "enabled", a.th.good
		if u.Disabled {
			state, style = "disabled", a.th.warn
		}
		role := a.th.muted
		if u.Role == "admin" {
			role = a.th.accent
		}
		limit := "host's"
		if u.SessionLimit > 0 {
			limit = fmt.Sprint(u.SessionLimit)
		}
		if a.all {
			limit = fmt.Sprintf("%d/%s", live[u.UserID], limit)
		}
		return []cell{{userName(u), a.th.text}, {clean(u.UnixName), a.th.muted}, {clean(u.Email), a.th.muted}, {clean(u.Role), role}, {limit, a.th.muted},
			{state, style}, {stamp(u.CreatedAt, a.now()), a.th.muted}}
	})
}

func (a *admin) viewPacks(columns, lines int) string {
	if s, done := listState(a.hub, &a.packs, "No Pack is imported, so no session can start. Import one: medforge admin pack import FILE", columns); done {
		return s
	}
	cols := []column{{title: "PACK", width: 10, grow: 1, most: 24}, {title: "IN USE", width: 6}, {title: "SIZE", width: 10, right: true, drop: 2}, {title: "IMPORTED", width: 16, drop: 3}, {title: "DIGEST", width: 19, grow: 1, drop: 1}}
	return a.grids[secPacks].view(a.th, cols, columns, lines, len(a.packs.rows), func(i int) []cell {
		p := a.packs.rows[i]
		in := cell{"-", a.th.muted}
		if p.InUse {
			in = cell{"yes", a.th.good}
		}
		return []cell{{clean(p.ID), a.th.text}, in, {termtext.Bytes(p.SizeBytes), a.th.muted}, {stamp(p.ImportedAt, a.now()), a.th.muted}, {short(p.Digest), a.th.muted}}
	})
}

func (a *admin) viewQueue(columns int) string {
	if s, done := listState(a.hub, &a.queue, "", columns); done {
		return s
	}
	n := a.queue.rows[0].Waiting
	text := a.th.good.Render("Nothing waits for its score.")
	if n > 0 {
		text = a.th.warn.Render(plural(n, "submission")) + " waiting for a score or being scored."
	}
	return "\n  " + text
}

// viewHealth is what is not well, what a reconciliation found, and each
// prerequisite of the host.
func (a *admin) viewHealth(columns, lines int) string {
	rows := []string{""}
	h := a.hub.health
	rows = append(rows, "  "+a.th.status(h.Status).Render(words(h.Status)))
	for _, p := range h.Parts {
		rows = append(rows, "  "+a.th.strong.Render(clean(p.Part))+" "+cut(clean(p.Why), columns-30)+a.th.muted.Render("  since "+stamp(p.Since, a.now())))
	}
	if a.running {
		rows = append(rows, "  "+a.th.warn.Render("Reconciling."))
	}
	if r := a.reconciled; r != nil {
		rows = append(rows, "  "+a.th.muted.Render(fmt.Sprintf("Reconciled %s: %s, %s", stamp(r.At, a.now()), plural(r.Active, "active session"), plural(len(r.Orphans), "orphan"))))
		for _, o := range r.Orphans {
			rows = append(rows, "  "+a.orphan(o))
		}
	}
	if len(rows) > lines/2 {
		rows = append(rows[:lines/2], a.th.muted.Render("  and more"))
	}
	rows = append(rows, "")
	rest := lines - len(rows)
	out := strings.Join(rows, "\n") + "\n"
	if s, done := listState(a.hub, &a.checks, "The daemon checked nothing.", columns); done {
		return out + s
	}
	cols := []column{{title: "CHECK", width: 12, grow: 1, most: 24}, {title: "STATE", width: 5}, {title: "FOUND", width: 12, grow: 5}}
	detail := ""
	if c := a.checks.rows[min(a.grids[secHealth].cursor, len(a.checks.rows)-1)]; c.Fix != "" && rest > 5 {
		detail = "\n" + a.th.muted.Render("  Fix: ") + cut(clean(c.Fix), columns-8)
		rest--
	}
	return out + a.grids[secHealth].view(a.th, cols, columns, min(rest, len(a.checks.rows)+1), len(a.checks.rows), func(i int) []cell {
		c := a.checks.rows[i]
		return []cell{{clean(c.Name), a.th.text}, {string(c.Status), a.th.status(string(c.Status))}, {clean(c.Detail), a.th.muted}}
	}) + detail
}

func (a *admin) orphan(o api.Orphan) string {
	did := a.th.warn.Render("kept")
	if o.Removed {
		did = a.th.good.Render("removed")
	}
	return did + " " + clean(o.Kind) + " " + clean(o.Name) + a.th.muted.Render(": "+clean(o.Why))
}
