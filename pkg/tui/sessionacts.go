package tui

import (
	"context"
	"fmt"
	"net/url"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/medforge/medforge/pkg/api"
)

type (
	startedMsg struct {
		session api.Session
		err     error
	}
	stoppedMsg struct {
		slug string
		err  error
	}
	linkMsg struct {
		slug string
		link api.SessionLink
		err  error
	}
	openedMsg struct {
		slug string
		err  error
	}
)

func (s *sessions) update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case startedMsg:
		if m.err != nil {
			s.grief(m.err)
			return nil
		}
		s.chosen = m.session.ID
		s.say("Session %s is starting on GPU %d.", m.session.Slug, m.session.GPUID)
		return s.loadSessions()
	case stoppedMsg:
		if m.err != nil {
			s.grief(m.err)
			return nil
		}
		s.say("Session %s is stopping; a snapshot keeps its files.", m.slug)
		return s.loadSessions()
	case linkMsg:
		if m.err != nil {
			s.grief(m.err)
			return nil
		}
		return s.useLink(m.slug, m.link)
	case openedMsg:
		if m.err != nil {
			s.say("No browser could be started: %v", m.err)
			return nil
		}
		s.say("Session %s opens in the browser.", m.slug)
	}
	if s.part != nil {
		return s.part.update(msg)
	}
	return nil
}

// start asks for a session; from is SLUG or SLUG@SNAPSHOT, whose files it
// begins with.
func (s *sessions) start(from string) tea.Cmd {
	req := api.SessionCreate{From: from}
	return call(s.hub, startTime, func(ctx context.Context) (api.Session, error) { return s.daemon.StartSession(ctx, req) },
		func(v api.Session, err error) tea.Msg { return startedMsg{v, err} })
}

func (s *sessions) askStop(r api.Session) {
	if r.Status.Terminal() {
		s.say("Session %s has already ended.", r.Slug)
		return
	}
	question := fmt.Sprintf("Stop session %s? What runs in it ends; its files are kept in a snapshot.", clean(r.Slug))
	s.ask(&confirm{question, func() tea.Cmd {
		return call(s.hub, callTime, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, s.daemon.StopSession(ctx, r.ID)
		}, func(_ struct{}, err error) tea.Msg { return stoppedMsg{r.Slug, err} })
	}})
}

// open asks for a link that works once.
func (s *sessions) open(r api.Session) tea.Cmd {
	if r.Status != api.SessionRunning {
		s.say("Session %s is %s; only a running one can be opened.", r.Slug, r.Status)
		return nil
	}
	return call(s.hub, callTime, func(ctx context.Context) (api.SessionLink, error) { return s.daemon.OpenSession(ctx, r.ID) },
		func(l api.SessionLink, err error) tea.Msg { return linkMsg{r.Slug, l, err} })
}

// useLink gives the link to the browser of this desktop, or shows and copies
// it. The ticket in it signs whoever has it in, once: it stays hidden until it
// is asked for.
func (s *sessions) useLink(slug string, l api.SessionLink) tea.Cmd {
	if s.out.Browse != nil {
		browse := s.out.Browse
		return func() tea.Msg { return openedMsg{slug, browse(s.ctx, l.URL)} }
	}
	s.out.Copy(l.URL)
	shown := false
	s.ask(&notice{title: "Open " + clean(slug), extra: map[string]func() tea.Cmd{
		"v": func() tea.Cmd { shown = true; return nil },
		"y": func() tea.Cmd { s.out.Copy(l.URL); return nil },
	}, text: func(columns int) string {
		text := wrap("The link is in the clipboard, if this terminal allows it (OSC 52). It signs you in once, until "+
			stamp(l.ExpiresAt, s.now())+"; give it to your browser and to nobody else.", columns) + "\n\n"
		if shown {
			text += wrap(clean(l.URL), columns)
		} else {
			text += wrap(withoutTicket(l.URL), columns)
		}
		return text + "\n\n" + s.th.key.Render("y") + " copy   " + s.th.key.Render("v") + " show all of it   " + s.th.key.Render("esc") + " close"
	}})
	return nil
}

// withoutTicket is a link without what signs in.
func withoutTicket(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	q := u.Query()
	for k := range q {
		q[k] = []string{"hidden"}
	}
	u.RawQuery = q.Encode()
	return clean(u.String())
}

// everybody switches between the admin's own sessions and all.
func (s *sessions) everybody() tea.Cmd {
	s.all = !s.all
	s.hub.sessions.loaded = false
	s.chosen, s.grid = "", grid{}
	return s.loadSessions()
}

// logs and snapshots take the screen's place.
func (s *sessions) logs(r api.Session) tea.Cmd {
	p := newLogs(s.hub, r)
	s.enter(p)
	return p.begin()
}

func (s *sessions) snapshots(r api.Session) tea.Cmd {
	p := newSnaps(s.hub, r, s.start)
	s.enter(p)
	return p.load()
}
