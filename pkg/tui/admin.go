package tui

import (
	"context"
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/medforge/medforge/pkg/api"
)

// The sections of the admins' screen.
const (
	secUsers = iota
	secPacks
	secQueue
	secHealth
)

var sections = []string{"Users", "Packs", "Queue", "Health"}

// admin is the screen for admins.
type admin struct {
	*hub
	section    int
	grids      [4]grid
	users      list[api.User]
	packs      list[api.Pack]
	checks     list[api.Check]
	queue      list[api.ScoringQueue]
	reconciled *api.Reconciled
	running    bool // a reconciliation
	words      string
}

type (
	usersMsg struct {
		rows []api.User
		err  error
	}
	packsMsg struct {
		rows []api.Pack
		err  error
	}
	checksMsg struct {
		rows []api.Check
		err  error
	}
	queueMsg struct {
		rows []api.ScoringQueue
		err  error
	}
	doneMsg struct {
		what  string
		again func() tea.Cmd
		err   error
	}
	reconciledMsg struct {
		report api.Reconciled
		err    error
	}
)

func newAdmin(h *hub) *admin { return &admin{hub: h} }

func (a *admin) name() string  { return "Admin" }
func (a *admin) editing() bool { return false }

func (a *admin) filter(text string) tea.Cmd {
	a.words = strings.ToLower(text)
	a.grids[a.section] = grid{}
	return nil
}

func (a *admin) shown() tea.Cmd { return tea.Batch(a.loadUsers(), a.load(a.section)) }

// load loads a section's rows.
func (a *admin) load(section int) tea.Cmd {
	switch {
	case section == secUsers:
		return a.loadUsers()
	case section == secPacks && a.packs.begin():
		return call(a.hub, callTime, a.daemon.Packs, func(rows []api.Pack, err error) tea.Msg { return packsMsg{rows, err} })
	case section == secQueue && a.queue.begin():
		return call(a.hub, callTime, a.daemon.ScoringQueue, func(q api.ScoringQueue, err error) tea.Msg { return queueMsg{[]api.ScoringQueue{q}, err} })
	case section == secHealth && a.checks.begin():
		return tea.Batch(a.loadHealth(), call(a.hub, startTime, a.daemon.Doctor, func(rows []api.Check, err error) tea.Msg { return checksMsg{rows, err} }))
	}
	return nil
}

func (a *admin) loadUsers() tea.Cmd {
	if !a.users.begin() {
		return nil
	}
	return call(a.hub, callTime, a.daemon.Users, func(rows []api.User, err error) tea.Msg { return usersMsg{rows, err} })
}

func (a *admin) update(msg tea.Msg) tea.Cmd {
	again := false
	switch m := msg.(type) {
	case usersMsg:
		again = a.users.end(m.rows, m.err)
		if m.err == nil {
			a.names = map[string]string{}
			for _, u := range m.rows {
				a.names[u.UserID] = userName(u)
			}
		}
	case packsMsg:
		again = a.packs.end(m.rows, m.err)
	case checksMsg:
		again = a.checks.end(m.rows, m.err)
	case queueMsg:
		again = a.queue.end(m.rows, m.err)
	case doneMsg:
		if m.err != nil {
			a.grief(m.err)
			return nil
		}
		a.say("%s", m.what)
		return m.again()
	case reconciledMsg:
		a.running = false
		if m.err != nil {
			a.grief(m.err)
			return nil
		}
		a.reconciled = &m.report
		a.say("Looked at %s: %s.", plural(m.report.Active, "active session"), plural(len(m.report.Orphans), "orphan"))
	case feedMsg:
		return a.events(m)
	}
	if again {
		return a.load(a.section)
	}
	return nil
}

// events reloads the section that an event is about, if it is in front.
func (a *admin) events(m feedMsg) tea.Cmd {
	if !a.admin() || !a.users.loaded { // never shown yet
		return nil
	}
	var want [4]bool
	for _, e := range m.events {
		switch e.Type {
		case "account.created", "account.changed":
			want[secUsers] = true
		case "pack.imported", "pack.used":
			want[secPacks] = true
		case "submission.created", api.EventScored:
			want[secQueue] = true
		case "daemon.degraded", "daemon.recovered":
			want[secHealth] = true
		}
	}
	var cmds []tea.Cmd
	for i, w := range want {
		if w {
			cmds = append(cmds, a.load(i))
		}
	}
	return tea.Batch(cmds...)
}

func userName(u api.User) string {
	for _, n := range []string{u.Name, u.UnixName, u.Email} {
		if n != "" {
			return clean(n)
		}
	}
	return clean(u.UserID)
}

func (a *admin) bindings() []binding {
	b := []binding{{"← →, h l", "section", true}}
	switch a.section {
	case secUsers:
		b = append(b, binding{"d", "disable", true}, binding{"e", "enable", true})
	case secPacks:
		b = append(b, binding{"enter", "use for new sessions", true})
	case secHealth:
		b = append(b, binding{"R", "reconcile", true})
	}
	return append(b, binding{"r", "load anew", true})
}

func (a *admin) commands() []command {
	if !a.admin() {
		return nil
	}
	all := []command{{"reconcile", func() tea.Cmd { a.section = secHealth; a.askReconcile(); return a.show(a.name()) }}}
	for i, s := range sections {
		all = append(all, command{"admin: " + strings.ToLower(s), func() tea.Cmd { a.section = i; return a.show(a.name()) }})
	}
	return all
}

func (a *admin) turn(step int) tea.Cmd {
	a.section = (a.section + step + len(sections)) % len(sections)
	a.plain()
	return a.load(a.section)
}

func (a *admin) key(k tea.KeyMsg) tea.Cmd {
	key := k.String()
	switch key {
	case "right", "l":
		return a.turn(1)
	case "left", "h":
		return a.turn(-1)
	case "r":
		return a.load(a.section)
	case "R":
		if a.section == secHealth {
			a.askReconcile()
		}
		return nil
	}
	g := &a.grids[a.section]
	if g.key(key, a.count()) {
		return nil
	}
	switch {
	case a.section == secUsers && (key == "d" || key == "e"):
		return a.setUser(key == "d")
	case a.section == secPacks && key == "enter":
		a.askPack()
	}
	return nil
}

func (a *admin) mouse(m tea.MouseMsg) tea.Cmd {
	g := &a.grids[a.section]
	switch {
	case wheel(m) != 0:
		g.move(g.cursor+wheel(m), a.count())
	case pressed(m) && m.Y == 0:
		x := 1
		for i, s := range sections {
			if m.X >= x && m.X < x+len(s)+2 {
				return a.turn(i - a.section)
			}
			x += len(s) + 2
		}
	case pressed(m):
		g.click(m.Y-1, a.count())
	}
	return nil
}

// count is how many rows the section lists.
func (a *admin) count() int {
	switch a.section {
	case secUsers:
		return len(a.listedUsers())
	case secPacks:
		return len(a.packs.rows)
	case secHealth:
		return len(a.checks.rows)
	}
	return 0
}

func (a *admin) listedUsers() []api.User {
	if a.words == "" {
		return a.users.rows
	}
	var some []api.User
	for _, u := range a.users.rows {
		if strings.Contains(strings.ToLower(u.Name+" "+u.UnixName+" "+u.Email+" "+u.Role), a.words) {
			some = append(some, u)
		}
	}
	return some
}

func (a *admin) setUser(disabled bool) tea.Cmd {
	rows := a.listedUsers()
	if len(rows) == 0 {
		return nil
	}
	u := rows[min(a.grids[secUsers].cursor, len(rows)-1)]
	do := func() tea.Cmd {
		what := fmt.Sprintf("%s is enabled.", userName(u))
		if disabled {
			what = fmt.Sprintf("%s is disabled and signed out everywhere.", userName(u))
		}
		return call(a.hub, callTime, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, a.daemon.SetUser(ctx, u.UserID, api.UserChange{Disabled: &disabled})
		}, func(_ struct{}, err error) tea.Msg { return doneMsg{what, a.loadUsers, err} })
	}
	if !disabled {
		return do()
	}
	a.ask(&confirm{fmt.Sprintf("Disable %s? The account is signed out everywhere at once.", userName(u)), do})
	return nil
}

func (a *admin) askPack() {
	if len(a.packs.rows) == 0 {
		return
	}
	p := a.packs.rows[min(a.grids[secPacks].cursor, len(a.packs.rows)-1)]
	a.ask(&confirm{fmt.Sprintf("Have new sessions run %s %s? Sessions that run keep theirs.", clean(p.ID), short(p.Digest)), func() tea.Cmd {
		return call(a.hub, callTime, func(ctx context.Context) (struct{}, error) { return struct{}{}, a.daemon.UsePack(ctx, p.Digest) },
			func(_ struct{}, err error) tea.Msg {
				return doneMsg{"New sessions run this Pack.", func() tea.Cmd { return a.load(secPacks) }, err}
			})
	}})
}

func (a *admin) askReconcile() {
	a.ask(&confirm{"Bring rows and reality together now? Nothing with files in it is removed.", func() tea.Cmd {
		a.running = true
		return call(a.hub, startTime, a.daemon.Reconcile, func(r api.Reconciled, err error) tea.Msg { return reconciledMsg{r, err} })
	}})
}
