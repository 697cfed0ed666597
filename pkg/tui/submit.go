package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
)

// step is how far a submission is.
type step int

const (
	picking step = iota
	noting       // the message is typed
	sending
	scoring
	scored
	refused // with a table of mistakes, or one message
)

// submit is the way from a file to its score.
type submit struct {
	*hub
	competition api.Competition
	board       func(slug string) tea.Cmd
	step        step
	picker      *picker
	file        string
	note        textinput.Model
	size        int64
	sent        *atomic.Int64
	cancel      context.CancelFunc
	created     api.SubmissionCreated
	before      *api.LeaderboardEntry // the caller's best until now
	after       api.Leaderboard
	err         error
	grid        grid
	asked       time.Time // when the score was asked for
}

type (
	progressMsg struct{ of *submit }
	sentMsg     struct {
		of      *submit
		created api.SubmissionCreated
		before  *api.LeaderboardEntry
		err     error
	}
	scoredMsg struct {
		of         *submit
		submission api.Submission
		board      api.Leaderboard
		err        error
	}
)

func newSubmit(h *hub, c api.Competition, board func(string) tea.Cmd) *submit {
	dir, err := os.Getwd()
	if err != nil {
		dir = "/"
	}
	s := &submit{hub: h, competition: c, board: board, picker: newPicker(h, dir), note: newInput(h.th, "Message: "), sent: new(atomic.Int64)}
	s.note.Placeholder = "a note to yourself, or nothing"
	return s
}

func (s *submit) begin() tea.Cmd { return s.picker.read() }

func (s *submit) editing() bool { return s.step == noting }

func (s *submit) filter(text string) tea.Cmd {
	if s.step == picking {
		s.picker.words, s.picker.grid = strings.ToLower(text), grid{}
	}
	return nil
}

// close ends an upload that is under way.
func (s *submit) close() {
	if s.cancel != nil {
		s.cancel()
	}
}

func (s *submit) bindings() []binding {
	switch s.step {
	case picking:
		return []binding{{"enter", "choose", true}, {"h", "up", true}, {".", "hidden files", true}, {"esc", "back", true}, {"~", "home", false}, {"/", "filter", false}}
	case noting:
		return []binding{{"enter", "send", true}, {"esc", "another file", true}}
	case sending:
		return []binding{{"esc", "break off", true}}
	case refused:
		return []binding{{"j k", "scroll", true}, {"enter", "another file", true}, {"esc", "back", true}}
	}
	return []binding{{"b", "leaderboard", true}, {"enter", "another file", true}, {"esc", "back", true}}
}

func (s *submit) key(k tea.KeyMsg) (tea.Cmd, bool) {
	key := k.String()
	switch s.step {
	case picking:
		if key == "esc" {
			return nil, true
		}
		file, cmd := s.picker.key(key)
		if file != "" {
			s.plain()
			s.file, s.step = file, noting
			s.note.Focus()
		}
		return cmd, false
	case noting:
		return s.noteKey(k)
	case sending:
		if key == "esc" {
			s.close()
		}
		return nil, false
	}
	switch key {
	case "esc", "backspace":
		return nil, true
	case "enter":
		if s.step != scoring {
			s.step, s.err = picking, nil
			return s.picker.read(), false
		}
	case "b":
		return s.board(s.competition.Slug), true
	}
	s.grid.key(key, s.mistakes())
	return nil, false
}

func (s *submit) noteKey(k tea.KeyMsg) (tea.Cmd, bool) {
	switch k.String() {
	case "esc":
		s.step = picking
		s.note.Blur()
		return nil, false
	case "enter":
		s.note.Blur()
		return s.send(), false
	}
	s.note, _ = s.note.Update(k)
	return nil, false
}

// send uploads the file. It has no deadline but esc: a large file over a slow
// line takes its time.
func (s *submit) send() tea.Cmd {
	s.step, s.err = sending, nil
	s.sent, s.size = new(atomic.Int64), 0
	ctx, cancel := context.WithCancel(s.ctx)
	s.cancel = cancel
	slug, file, note, sent := s.competition.Slug, s.file, s.note.Value(), s.sent
	if info, err := os.Stat(file); err == nil {
		s.size = info.Size()
	}
	upload := func() tea.Msg {
		defer cancel()
		m := sentMsg{of: s}
		in, size, err := openFile(file)
		if err != nil {
			m.err = err
			return m
		}
		defer in.Close()
		if p, err := s.daemon.Leaderboard(ctx, slug, 1, ""); err == nil { // without it only the comparison is missing
			m.before = p.Data.Me
		}
		m.created, m.err = s.daemon.Submit(ctx, slug, Upload{Filename: filepath.Base(file), File: io.MultiReader(in), Size: size, Message: note, Progress: sent.Store})
		return m
	}
	return tea.Batch(upload, s.watch())
}

// openFile opens a regular file, and waits for no other end as a pipe would.
func openFile(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file that can be sent", path)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// watch draws the progress ten times a second while the file is sent.
func (s *submit) watch() tea.Cmd {
	return tea.Tick(100*time.Millisecond, func(time.Time) tea.Msg { return progressMsg{s} })
}

func (s *submit) update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case dirMsg:
		s.picker.update(msg)
	case progressMsg:
		if m.of == s && s.step == sending {
			return s.watch()
		}
	case sentMsg:
		if m.of != s {
			return nil
		}
		if m.err != nil {
			s.step, s.err, s.grid = refused, m.err, grid{}
			if errors.Is(m.err, context.Canceled) {
				s.step = picking
				s.say("Broken off. Nothing was submitted, unless all of it had arrived.")
			}
			return nil
		}
		s.created, s.before, s.step = m.created, m.before, scoring
		return s.askScore()
	case scoredMsg:
		if m.of == s && m.err == nil && (m.submission.ScoreStatus == api.ScoreScored || m.submission.ScoreStatus == api.ScoreFailed) {
			s.created.Submission, s.after, s.step = m.submission, m.board, scored
		}
	case tickMsg: // an event can have come before we listened
		if s.step == scoring && s.now().Sub(s.asked) >= 3*time.Second {
			return s.askScore()
		}
	case feedMsg:
		for _, e := range m.events {
			if s.step == scoring && e.Type == api.EventScored && str(e, "submission_id") == s.created.Submission.ID {
				return s.askScore()
			}
		}
	}
	return nil
}

func (s *submit) askScore() tea.Cmd {
	s.asked = s.now()
	id, slug, d := s.created.Submission.ID, s.competition.Slug, s.daemon
	return call(s.hub, callTime, func(ctx context.Context) (scoredMsg, error) {
		sub, err := d.Submission(ctx, id)
		if err != nil {
			return scoredMsg{}, err
		}
		p, err := d.Leaderboard(ctx, slug, 1, "")
		return scoredMsg{submission: sub, board: p.Data}, err
	}, func(m scoredMsg, err error) tea.Msg { m.of, m.err = s, err; return m })
}

func (s *submit) mouse(m tea.MouseMsg) tea.Cmd {
	g, n, at := &s.grid, s.mistakes(), 3
	if s.step == picking {
		g, n, at = &s.picker.grid, len(s.picker.listed()), 2
	}
	if w := wheel(m); w != 0 {
		g.move(g.cursor+w, n)
	} else if pressed(m) {
		g.click(m.Y-at, n)
	}
	return nil
}

// mistakes is how many there are to scroll through.
func (s *submit) mistakes() int {
	if e := fault.As(s.err); e != nil {
		return len(e.Fields)
	}
	return 0
}
