package tui

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/termtext"
)

// Of a log so many lines are kept, and so many are asked for at first.
const keptLines, firstLines = 10_000, 2_000

// logs shows what a session printed, and what it goes on to print.
type logs struct {
	*hub
	session api.Session
	pager   pager
	ctx     context.Context // of the log's stream: it ends with close
	cancel  context.CancelFunc
	reader  *logReader
	ended   bool
	err     error
	// reset is set when a stream begins, whose first lines may be known.
	reset bool
}

// logReader is an open log. Only one command reads it at a time.
type logReader struct {
	body io.Closer
	in   *bufio.Reader
}

type logMsg struct {
	of     *logs
	reader *logReader
	lines  []string
	err    error
}

func newLogs(h *hub, s api.Session) *logs {
	l := &logs{hub: h, session: s, pager: pager{follow: true, hit: -1}}
	l.ctx, l.cancel = context.WithCancel(h.ctx)
	return l
}

// begin opens the log. The stream has no deadline of its own: it is followed
// until it is closed.
func (l *logs) begin() tea.Cmd {
	l.reset = true
	follow := !l.session.Status.Terminal()
	return func() tea.Msg {
		body, err := l.daemon.SessionLogs(l.ctx, l.session.ID, firstLines, follow)
		if err != nil {
			return logMsg{of: l, err: err}
		}
		r := &logReader{body, bufio.NewReaderSize(body, 64<<10)}
		context.AfterFunc(l.ctx, func() { _ = r.body.Close() }) // it was only read
		return r.read(l)
	}
}

// read waits for a line and takes all that is there already.
func (r *logReader) read(l *logs) tea.Msg {
	m := logMsg{of: l, reader: r}
	for {
		line, err := r.in.ReadSlice('\n')
		if len(line) > 0 {
			m.lines = append(m.lines, strings.TrimSuffix(termtext.LogLine(string(line)), "\n"))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) { // a line without an end comes in pieces
			m.err = err
			return m
		}
		if r.in.Buffered() == 0 || len(m.lines) >= 500 {
			return m
		}
	}
}

func (l *logs) update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case logMsg:
		if m.of != l || l.ctx.Err() != nil {
			return nil
		}
		if m.reader != nil && l.reset {
			l.pager.lines, l.reset = nil, false
		}
		for _, line := range m.lines {
			l.pager.lines = append(l.pager.lines, strings.ReplaceAll(line, "\t", "    "))
		}
		l.trim()
		if m.err != nil {
			l.ended = true
			if !errors.Is(m.err, io.EOF) {
				l.err = m.err
			}
			return nil
		}
		r := m.reader
		return func() tea.Msg { return r.read(l) }
	case feedMsg:
		if l.ended && l.err != nil && m.conn.up { // the daemon is back
			l.ended, l.err = false, nil
			return l.begin()
		}
	}
	return nil
}

// trim drops the oldest lines, and what is in sight stays where it is.
func (l *logs) trim() {
	n := len(l.pager.lines) - keptLines
	if n <= 0 {
		return
	}
	l.pager.lines = append(l.pager.lines[:0], l.pager.lines[n:]...)
	l.pager.top = max(0, l.pager.top-n)
	l.pager.hit = max(-1, l.pager.hit-n)
}

func (l *logs) key(k tea.KeyMsg) (tea.Cmd, bool) {
	switch k.String() {
	case "esc", "backspace":
		return nil, true
	case "f":
		l.pager.follow = !l.pager.follow
		return nil, false
	}
	l.pager.key(k.String())
	return nil, false
}

func (l *logs) mouse(m tea.MouseMsg) tea.Cmd { l.pager.mouse(m); return nil }

func (l *logs) filter(text string) tea.Cmd { l.pager.search(text); return nil }

func (l *logs) editing() bool { return false }

func (l *logs) close() { l.cancel() }

func (l *logs) bindings() []binding {
	return []binding{
		{"esc", "back", true}, {"f", "follow", true}, {"/", "search", true}, {"n N", "next, previous hit", true},
		{"← →, h l", "to the left, to the right", false},
	}
}

func (l *logs) view(columns, lines int) string {
	state := "follows"
	switch {
	case l.err != nil:
		state = why(l.err)
	case l.ended:
		state = "ended"
	case !l.pager.follow:
		state = "stands"
	}
	body := l.pager.view(l.th, columns, lines-1) // before its state is told
	head := spread(" "+l.th.strong.Render("Log of "+clean(l.session.Slug))+"  "+l.th.muted.Render(cut(state, max(8, columns-34))),
		l.th.muted.Render(l.pager.state()+" "), columns)
	if len(l.pager.lines) == 0 {
		text := "  Loading the log."
		if l.ended {
			text = "  It has printed nothing."
		}
		return head + "\n\n" + l.th.muted.Render(text)
	}
	return head + "\n" + body
}
