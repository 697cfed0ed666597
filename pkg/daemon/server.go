package daemon

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// newGrace is how long a connection may be silent before its first request
// when the daemon ends; browsers open some that they never use.
const newGrace = 5 * time.Second

// server serves HTTP on one listener and can end without dropping a request.
// http.Server.Shutdown alone cannot: a request that it reads after it was asked
// to end is dropped without an answer, and one that comes on a connection that
// was idle may be. Here the listener closes first (systemd holds a copy, in
// whose queue new callers wait for the next daemon), what was accepted is
// answered with "Connection: close", and only then comes Shutdown.
type server struct {
	http     *http.Server
	listener net.Listener
	left     chan struct{} // closed when nobody accepts any more

	ending atomic.Bool // set with mu held

	mu      sync.Mutex
	conns   map[net.Conn]connState
	changed chan struct{} // one place: a connection's state changed while ending
}

type connState struct {
	http.ConnState
	since time.Time
}

// newServer takes over h, whose ConnState and Handler it wraps.
func newServer(h *http.Server, l net.Listener) *server {
	s := &server{http: h, listener: l, left: make(chan struct{}), conns: map[net.Conn]connState{}, changed: make(chan struct{}, 1)}
	inner := h.Handler
	h.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.ending.Load() {
			w.Header().Set("Connection", "close") // HTTP/2: GOAWAY
		}
		inner.ServeHTTP(w, r)
	})
	h.ConnState = s.note
	return s
}

// serve returns when the listener is closed. Errors: any but of shutdown.
func (s *server) serve() error {
	defer close(s.left)
	err := s.http.Serve(s.listener)
	if s.ending.Load() || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// note is http.Server.ConnState.
func (s *server) note(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateClosed, http.StateHijacked: // a WebSocket is its proxy's
		delete(s.conns, c)
	default:
		s.conns[c] = connState{state, time.Now()}
	}
	if !s.ending.Load() {
		return
	}
	if state == http.StateIdle {
		refuseMore(c)
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// refuseMore makes what a caller sends from now on fail at the caller, who then
// knows that nothing of it was read and connects anew; what has been sent
// already is still read and answered. Only unix sockets can (shutdown(2) with
// SHUT_RD fails the peer's writes). With TCP, whoever sends on a connection
// just when it is closed has to try again (RFC 9112, 9.3.1).
func refuseMore(c net.Conn) {
	if u, ok := c.(*net.UnixConn); ok {
		_ = u.CloseRead() // it is gone, or it works
	}
}

// shutdown stops to accept, answers what has been sent, and ends. What has not
// ended when ctx does is cut. Errors: of closing the listener.
func (s *server) shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.ending.Store(true)
	for c, state := range s.conns {
		if state.ConnState == http.StateIdle {
			refuseMore(c)
		}
	}
	s.mu.Unlock()
	_ = s.listener.Close() // also of a TLS listener, which is closed twice below
	<-s.left
	s.drain(ctx)
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	if errors.Is(err, net.ErrClosed) {
		err = nil // the listener
	}
	return err
}

// drain waits until no caller waits for an answer, or ctx ends.
func (s *server) drain(ctx context.Context) {
	for {
		wait, pending := s.pending(time.Now())
		if !pending {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
		case <-time.After(wait):
		}
	}
}

// pending reports whether a caller waits, or may be about to ask, and how long
// that can be so without any change.
func (s *server) pending(now time.Time) (wait time.Duration, pending bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait = time.Hour
	for c, state := range s.conns {
		switch state.ConnState {
		case http.StateActive:
			pending = true
		case http.StateNew:
			if left := state.since.Add(newGrace).Sub(now); left > 0 {
				pending, wait = true, min(wait, left)
			}
		case http.StateIdle:
			// One that refuses more ends by itself once it has answered.
			if _, ok := c.(*net.UnixConn); ok {
				pending = true
			}
		}
	}
	return wait, pending
}
