package session

import (
	"context"
	"net"
)

// serveAPI makes sure that a session's api socket is listened on. A session
// that has filled or spoiled its folder goes without; others are not touched.
func (s *Service) serveAPI(ctx context.Context, row Session) {
	if s.o.ServeAPI == nil {
		return
	}
	s.apiMu.Lock()
	defer s.apiMu.Unlock()
	if _, ok := s.apis[row.Slug]; ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	l, err := s.o.Sockets.ListenAPI(ctx, row.Slug)
	if err != nil {
		s.o.Logger.Warn("session gets no api socket", "session", row.ID, "slug", row.Slug, "error", err)
		return
	}
	s.apis[row.Slug] = l
	s.wg.Go(func() {
		s.o.ServeAPI(l, row)
		s.endedAPI(row.Slug, l)
	})
}

// endedAPI forgets a listener whose serving has ended, whatever for: the next
// look at the session, where it still runs, listens anew.
func (s *Service) endedAPI(slug string, l net.Listener) {
	s.apiMu.Lock()
	defer s.apiMu.Unlock()
	if s.apis[slug] == l {
		delete(s.apis, slug)
		_ = l.Close() // the server has, or could not serve
	}
}

// closeAPI ends a session's api socket.
func (s *Service) closeAPI(slug string) {
	s.apiMu.Lock()
	defer s.apiMu.Unlock()
	if l, ok := s.apis[slug]; ok {
		delete(s.apis, slug)
		_ = l.Close() // the listener is gone either way
	}
}

func (s *Service) closeAPIs() {
	s.apiMu.Lock()
	defer s.apiMu.Unlock()
	for slug, l := range s.apis {
		delete(s.apis, slug)
		_ = l.Close()
	}
}
