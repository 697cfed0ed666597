package httpapi

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

// door is how requests come in on one kind of listener.
type door struct {
	guard        func(*http.Request) error
	authenticate func(*http.Request) (auth.Grant, error)
	// client is the visitor's address; nil on a unix socket, where there is
	// none.
	client func(*http.Request) netip.Addr
	// forwards reports whether X-Forwarded-Host is believed.
	forwards func(*http.Request) bool
	// page serves what is no part of the API and reports whether it was such;
	// nil: nothing is.
	page func(w http.ResponseWriter, r *http.Request) bool
}

// Socket serves the daemon's unix socket: the caller is known by its uid,
// which PeerContext must have put into the connection's context.
func (s *Server) Socket() http.Handler {
	return s.front(door{
		guard: guardSocket,
		page:  func(w http.ResponseWriter, r *http.Request) bool { return s.metrics(w, r) || s.problem(w, r) },
		authenticate: func(r *http.Request) (auth.Grant, error) {
			uid, ok := peerUID(r.Context())
			if !ok {
				return auth.Grant{}, fault.New(fault.Internal, "auth/no-peer", "the listener has no PeerContext")
			}
			a, err := s.SocketActor(r.Context(), uid)
			return auth.Grant{Actor: a}, err
		},
		// Whoever may use the socket is on this host and can ask for any
		// session's host.
		forwards: func(*http.Request) bool { return true },
	})
}

// Public serves MedForge's own host, the pages and the API. Which host that is
// is decided before: by whoever tells it apart from the sessions' hosts.
func (s *Server) Public() http.Handler {
	d := s.publicDoor()
	d.page = s.page
	return s.front(d)
}

// PublicAPI serves the host name that has the API alone.
func (s *Server) PublicAPI() http.Handler { return s.front(s.publicDoor()) }

func (s *Server) publicDoor() door {
	return door{guard: guardOrigins(s.Origins), authenticate: s.Options.Public.Authenticate,
		client: s.ClientAddr, forwards: s.TrustedProxy}
}

// Session serves the socket inside one session: whoever calls there is that
// session's owner, and may do what the table allows from inside one.
func (s *Server) Session(owner auth.Actor, sessionID string) http.Handler {
	owner.Via, owner.SessionID = auth.ViaSession, sessionID
	return s.front(door{guard: guardSocket, authenticate: func(r *http.Request) (auth.Grant, error) {
		u, err := s.Accounts.Me(r.Context(), owner) // from memory
		if err == nil && u.Disabled {
			err = fault.New(fault.Denied, "auth/account-disabled", "This account is disabled. Ask an administrator of this host.")
		}
		return auth.Grant{Actor: owner}, err
	}})
}

// admitted names the request and finds out who is asking.
func (s *Server) admitted(d door, r *http.Request, req *request) error {
	if err := d.guard(r); err != nil {
		return err
	}
	if d.client != nil {
		req.client = d.client(r)
	}
	if d.forwards != nil && d.forwards(r) {
		req.host = r.Header.Get("X-Forwarded-Host")
	}
	g, err := d.authenticate(r)
	if fault.CodeOf(err) == api.CodeSignInExpired {
		// A cookie that opens nothing is nobody's. Without it the browser is
		// asked to sign in once, and not for ever.
		req.setCookie(account.NoCookie(s.Secure))
		req.stale, err = err, nil
	}
	req.actor, req.pass = g.Actor, g.Pass
	return err
}

// front stands before the mux on every listener: a name for the request, the
// guard, who is asking, and what happens to whatever no route takes.
func (s *Server) front(d door) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		id := h.Get("X-Request-Id") // whoever watches requests has named it
		if id == "" {
			id = s.requestID()
		}
		req := &request{id: id, path: r.URL.EscapedPath(), base: s.BaseURL, agent: r.UserAgent(), answer: h,
			arrived: func() {
				_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // a writer without deadlines needs none lifted
			}}
		r = r.WithContext(withRequest(r.Context(), req))
		rec := &recorder{ResponseWriter: w}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // that of the request before, see readInTime
		h.Set("X-Request-Id", req.id)
		ownHeaders(h)

		route := ""
		defer func() {
			p := recover()
			if n, ok := w.(noter); ok {
				n.NoteRequest(cmp.Or(route, r.Pattern), req.actor.UserID, string(req.actor.Via))
			}
			if p != nil {
				s.panicked(rec, r, p)
			}
		}()

		if err := s.admitted(d, r, req); err != nil {
			s.writeProblem(rec, r, err)
			return
		}
		if d.page != nil && d.page(rec, r) {
			route = routePage
			return
		}
		s.serve(rec, r)
	})
}

// noter is a ResponseWriter that wants to know what it carries: the route, as
// its table names it, empty for none, and who asks. The daemon's access log and
// its metrics do.
type noter interface {
	NoteRequest(route, userID, via string)
}

// routePage is the route of all that is no part of the API.
const routePage = "page"

// metrics is the socket's page; whoever may use the socket may have them.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) bool {
	if s.Metrics == nil || r.URL.Path != api.PathMetrics || r.Method != http.MethodGet {
		return false
	}
	s.Metrics.ServeHTTP(w, r)
	return true
}

// serve answers what no route takes by a problem instead of net/http's text.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", apiPolicy)
	h, pattern := s.mux.Handler(r)
	switch {
	case s.small[pattern] && r.Method == http.MethodGet:
		s.readInTime(w)
		s.compress(w, r)
		return
	case pattern != "":
		s.mux.ServeHTTP(w, r) // not h: only the mux sets the path's values
		return
	}
	probe := &recorder{ResponseWriter: discard{header: http.Header{}}}
	h.ServeHTTP(probe, r)
	switch probe.status {
	case http.StatusMethodNotAllowed:
		allow := probe.Header().Get("Allow")
		w.Header().Set("Allow", allow)
		s.writeProblem(w, r, fault.New(fault.Invalid, api.CodeMethodNotAllowed,
			"%s is not possible here; %s is.", r.Method, allow))
	default:
		s.writeProblem(w, r, fault.New(fault.NotFound, api.CodeUnknownPath,
			"There is nothing at this path. %s lists what there is.", api.PathOpenAPI))
	}
}

// panicked answers 500 when nothing was sent yet, and otherwise breaks the
// connection so that the caller sees that the answer is not whole.
func (s *Server) panicked(rec *recorder, r *http.Request, p any) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p)
	}
	s.Logger.Error("handler panicked", "request_id", requestOf(r.Context()).id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if rec.status != 0 {
		panic(http.ErrAbortHandler)
	}
	s.writeProblem(rec, r, fault.New(fault.Internal, api.CodeInternal, "panic"))
}

// recorder notes what was answered. Unwrap lets http.ResponseController reach
// the real writer.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// discard is a ResponseWriter that only has headers.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// unlimited takes the server's deadlines off a request whose body or answer is
// a long stream.
func unlimited(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{}) // a writer without deadlines needs none lifted
	_ = c.SetWriteDeadline(time.Time{})
}

// streamWriter sends each write at once, and gives up on a reader that does
// not take it in time.
type streamWriter struct {
	w       http.ResponseWriter
	ctl     *http.ResponseController
	timeout time.Duration
}

func (s *Server) stream(w http.ResponseWriter) *streamWriter {
	unlimited(w)
	return &streamWriter{w: w, ctl: http.NewResponseController(w), timeout: s.WriteTimeout}
}

func (sw *streamWriter) Write(b []byte) (int, error) {
	_ = sw.ctl.SetWriteDeadline(time.Now().Add(sw.timeout)) // the kernel's clock, not Options.Now
	n, err := sw.w.Write(b)
	if err == nil {
		err = sw.ctl.Flush()
	}
	return n, err
}
