package tui

import (
	"context"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/medforge/medforge/pkg/api"
)

// How a board is read.
const (
	pageRows    = api.MaxLimit
	ahead       = 2 * pageRows     // rows that are loaded below what is in sight
	refreshRows = 20 * pageRows    // that many are read anew at most when a board has changed
	refreshWait = 2 * time.Second  // after a change, before it is read anew
	markTime    = 90 * time.Second // a new best stays marked
	maxChanges  = 200              // of one message are applied one by one; with more, the board is read anew
	boardName   = "Leaderboard"
)

// board is a competition's leaderboard, live.
type board struct {
	*hub
	all     []api.Competition // to choose from
	slug    string
	info    api.Leaderboard // of the last page: metric, total, the caller's row
	st      *standings
	cursor  string // of the page after st; empty at the end
	loaded  bool
	loading bool
	err     error
	turn    int // counts the boards that were opened: an answer for another one is dropped
	grid    grid
	chosen  string     // user under the cursor
	next    *standings // being read anew
	dirty   bool
	changed time.Time
	words   string
	hunting bool // pages are loaded until the words are found
	toEnd   bool // pages are loaded until the last one
	panel   bool // the score history is shown
	past    map[string]past
}

type (
	boardMsg struct {
		turn  int
		page  api.LeaderboardPage
		err   error
		fresh bool // belongs to a reading anew
	}
	boardsMsg struct {
		rows []api.Competition
		err  error
	}
)

func newBoard(h *hub) *board { return &board{hub: h, st: newStandings(), past: map[string]past{}} }

func (b *board) name() string  { return boardName }
func (b *board) editing() bool { return false }

// shown loads what is missing. Without a competition it is the first one.
func (b *board) shown() tea.Cmd {
	if b.slug == "" {
		return b.loadAll()
	}
	if b.err != nil || !b.loaded {
		b.loading, b.err = false, nil
		return b.more()
	}
	b.dirty, b.changed = true, time.Time{} // away for a while, or the daemon was
	return b.refresh()
}

func (b *board) loadAll() tea.Cmd {
	return call(b.hub, callTime, b.daemon.Competitions, func(rows []api.Competition, err error) tea.Msg { return boardsMsg{rows, err} })
}

// open shows the board of a competition.
func (b *board) open(slug string) tea.Cmd {
	if slug != b.slug || !b.loaded {
		*b = board{hub: b.hub, all: b.all, slug: slug, st: newStandings(), turn: b.turn + 1, panel: b.panel, past: map[string]past{}}
	}
	return b.show(boardName)
}

// more loads the next page, one at a time.
func (b *board) more() tea.Cmd {
	if b.loading || b.slug == "" || b.loaded && b.cursor == "" {
		return nil
	}
	b.loading = true
	return b.page(b.cursor, false)
}

func (b *board) page(cursor string, fresh bool) tea.Cmd {
	turn, slug, d := b.turn, b.slug, b.daemon
	return call(b.hub, callTime, func(ctx context.Context) (api.LeaderboardPage, error) {
		return d.Leaderboard(ctx, slug, pageRows, cursor)
	},
		func(p api.LeaderboardPage, err error) tea.Msg { return boardMsg{turn, p, err, fresh} })
}

func (b *board) update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case boardsMsg:
		if m.err != nil {
			b.err = m.err
			return nil
		}
		b.all, b.err = m.rows, nil
		if b.slug == "" && len(m.rows) > 0 {
			b.slug = m.rows[0].Slug
			b.turn++
			return b.more()
		}
	case competitionsMsg:
		if m.err == nil {
			b.all = m.rows
		}
	case boardMsg:
		if m.turn == b.turn {
			return b.take(m)
		}
	case pastMsg:
		b.takePast(m)
	case tickMsg:
		return b.refresh()
	case feedMsg:
		return b.events(m)
	}
	return nil
}

// take is a page that came.
func (b *board) take(m boardMsg) tea.Cmd {
	if m.fresh {
		return b.takeFresh(m)
	}
	b.loading = false
	if b.err = m.err; m.err != nil {
		b.hunting, b.toEnd = false, false
		return nil
	}
	b.info = m.page.Data
	b.st.add(m.page.Data.Entries)
	b.info.Entries = nil
	b.cursor = ""
	if m.page.Meta.NextCursor != nil {
		b.cursor = *m.page.Meta.NextCursor
	}
	first := !b.loaded
	b.loaded = true
	if first && b.chosen == "" && len(b.st.rows) > 0 {
		b.chosen = b.st.rows[0].UserID
	}
	return tea.Batch(b.hunt(), b.prefetch(), b.loadPast())
}

// prefetch loads what may soon come into sight.
func (b *board) prefetch() tea.Cmd {
	if b.toEnd && b.cursor == "" && b.loaded {
		b.toEnd = false
		b.grid.move(len(b.st.rows)-1, len(b.st.rows))
		b.choose()
	}
	if b.toEnd || b.grid.top+b.grid.height+ahead > len(b.st.rows) {
		return b.more()
	}
	return nil
}

// events applies the changes of the board at once, and has it read anew when
// they are over: what an event says of a rank was so when it was sent.
func (b *board) events(m feedMsg) tea.Cmd {
	if !b.loaded {
		return nil
	}
	if m.missed {
		b.dirty, b.changed = true, b.now()
	}
	last := map[string]api.Event{} // a user's last change is the one that counts
	order := []string{}
	for _, e := range m.events {
		if e.Type == api.EventLeaderboard && str(e, "competition") == b.slug {
			user := str(e, "user_id")
			if _, again := last[user]; again {
				order = slices.DeleteFunc(order, func(u string) bool { return u == user })
			}
			last[user] = e
			order = append(order, user)
		}
	}
	if len(order) == 0 {
		return nil
	}
	b.dirty, b.changed = true, b.now()
	if len(order) <= maxChanges {
		for _, user := range order {
			b.apply(last[user])
		}
	}
	b.anchor()
	return nil
}

func (b *board) apply(e api.Event) {
	rank, _ := e.Data["rank"].(float64)
	primary, ok := e.Data["primary_score"].(float64)
	user := str(e, "user_id")
	if !ok || user == "" {
		return
	}
	entry := api.LeaderboardEntry{Rank: int(rank), UserID: user, Name: str(e, "name"), PrimaryScore: primary, ScoredAt: e.Time,
		EvaluationSplitVersion: b.info.EvaluationSplitVersion}
	known := b.st.change(entry, b.now())
	mine := user == b.me.UserID
	if !known && !(mine && b.info.Me != nil) && b.cursor == "" {
		b.info.Total++
	}
	if mine {
		b.info.Me = &entry
	} else if me := b.info.Me; me != nil && !known && entry.Rank <= me.Rank {
		moved := *me // the caller is now one lower
		moved.Rank++
		b.info.Me = &moved
	}
	b.addPast(user, e.Time, primary)
}

// refresh reads the board anew, as far as one has scrolled, when it has
// changed and is at rest, or has been changing for long.
func (b *board) refresh() tea.Cmd {
	if !b.dirty || b.next != nil || b.loading || !b.conn.up || b.now().Sub(b.changed) < refreshWait || b.grid.top > refreshRows {
		return nil
	}
	b.dirty = false
	b.next = newStandings()
	return b.page("", true)
}

func (b *board) takeFresh(m boardMsg) tea.Cmd {
	if b.next == nil {
		return nil
	}
	if m.err != nil {
		b.next, b.dirty, b.changed = nil, true, b.now()
		return nil
	}
	b.next.add(m.page.Data.Entries)
	next := ""
	if m.page.Meta.NextCursor != nil {
		next = *m.page.Meta.NextCursor
	}
	if need := b.grid.top + b.grid.height + pageRows; next != "" && len(b.next.rows) < min(need, len(b.st.rows)) {
		return b.page(next, true)
	}
	b.next.keep(b.st)
	b.info = m.page.Data
	b.info.Entries = nil
	b.st, b.cursor, b.next = b.next, next, nil
	b.anchor()
	return b.prefetch()
}

// anchor keeps the cursor on the chosen user, wherever that one is now.
func (b *board) anchor() {
	if i := b.st.find(b.chosen); i >= 0 && i != b.grid.cursor {
		b.grid.top += i - b.grid.cursor
		b.grid.move(i, len(b.st.rows))
	}
}

func (b *board) choose() {
	if b.grid.cursor < len(b.st.rows) {
		b.chosen = b.st.rows[b.grid.cursor].UserID
	}
}

// filter searches by name, from the cursor on.
func (b *board) filter(text string) tea.Cmd {
	b.words = strings.ToLower(text)
	if b.hunting = b.words != ""; !b.hunting {
		return nil
	}
	b.grid.cursor-- // the row under it can match as well
	cmd := b.hunt()
	b.grid.cursor = max(0, b.grid.cursor)
	return cmd
}

// hunt goes to the next place with the words; when it is not among what is
// loaded, more is loaded.
func (b *board) hunt() tea.Cmd {
	if !b.hunting {
		return nil
	}
	for i := max(0, b.grid.cursor+1); i < len(b.st.rows); i++ {
		if b.matches(i) {
			b.found(i)
			return nil
		}
	}
	if b.cursor != "" {
		return b.more()
	}
	for i := 0; i <= b.grid.cursor && i < len(b.st.rows); i++ { // around the end
		if b.matches(i) {
			b.found(i)
			return nil
		}
	}
	b.hunting = false
	b.say("Nobody on this board has %q in the name.", b.words)
	return nil
}

func (b *board) matches(i int) bool {
	return strings.Contains(strings.ToLower(b.st.rows[i].Name), b.words)
}

func (b *board) found(i int) {
	b.hunting = false
	b.grid.top = i - b.grid.height/2
	b.grid.move(i, len(b.st.rows))
	b.choose()
}

// back is hunt upwards, among what is loaded.
func (b *board) back() {
	for n := 1; n <= len(b.st.rows); n++ {
		i := ((b.grid.cursor-n)%len(b.st.rows) + len(b.st.rows)) % len(b.st.rows)
		if b.words != "" && b.matches(i) {
			b.found(i)
			return
		}
	}
}
