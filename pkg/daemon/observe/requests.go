// Package observe watches the daemon from the outside: every request on every
// listener for the access log and Prometheus, and the daemon's state when
// Prometheus asks.
package observe

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

// Which requests are logged.
const (
	LogNone = "none"
	LogOwn  = "own" // those that MedForge answers itself, and WebSockets
	LogAll  = "all" // what an IDE answers too
)

// Routes that are not those of a table. Together with the tables' they are all
// there are, so that nothing a stranger sends makes a new time series.
const (
	routeNone = "none" // nothing took the request
	routeIDE  = "ide"  // what an IDE answered, as the proxy names it
)

// Requests watches requests.
type Requests struct {
	Logger  *slog.Logger
	Log     string // LogNone, LogOwn or LogAll
	Metrics *Metrics
	// Client is the visitor's address behind trusted proxies.
	Client func(*http.Request) netip.Addr
}

// Handler gives every request its id, as X-Request-Id in the answer, and
// watches next. listener is "public", "socket", "session" or "metrics".
func (q *Requests) Handler(listener string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now() // for a duration
		// An answer of the API may have left a deadline on the connection.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
		id := newID()
		w.Header()["X-Request-Id"] = []string{id}
		a := &answer{ResponseWriter: w, open: q.Metrics.websockets.WithLabelValues(listener), route: routeNone}
		done := q.Metrics.inFlight.WithLabelValues(listener)
		done.Inc()
		defer func() {
			done.Dec()
			a.end()
			took := time.Since(start)
			q.Metrics.request(listener, a, took)
			if q.logs(a) {
				q.log(listener, id, r, a, took)
			}
		}()
		next.ServeHTTP(a, r)
	})
}

func (q *Requests) logs(a *answer) bool {
	return q.Log == LogAll || q.Log != LogNone && (a.route != routeIDE || a.hijacked)
}

// maxLogged bounds what a stranger can put into a line, in bytes for a field.
const maxLogged = 300

// log writes a line. What may hold a secret is never in it: no query (tickets
// and targets stand there), no Authorization, no cookie, no Referer.
func (q *Requests) log(listener, id string, r *http.Request, a *answer, took time.Duration) {
	attrs := []slog.Attr{
		slog.String("request_id", id), slog.String("listener", listener), slog.String("method", clip(r.Method)),
		slog.String("host", clip(r.Host)), slog.String("path", clip(r.URL.EscapedPath())), slog.String("proto", r.Proto),
		slog.String("route", a.route), slog.Int("status", a.status), slog.Int64("bytes", a.bytes),
		slog.Float64("ms", float64(took.Microseconds())/1000),
	}
	if q.Client != nil && listener == "public" {
		if from := q.Client(r); from.IsValid() {
			attrs = append(attrs, slog.String("client", from.String()))
		}
	}
	if a.userID != "" {
		attrs = append(attrs, slog.String("user_id", a.userID), slog.String("via", a.via))
	}
	if agent := r.UserAgent(); agent != "" {
		attrs = append(attrs, slog.String("agent", clip(agent)))
	}
	q.Logger.LogAttrs(r.Context(), slog.LevelInfo, "request", attrs...)
}

func clip(s string) string {
	if len(s) > maxLogged {
		return s[:maxLogged] + "..."
	}
	return s
}

// newID names a request: 16 hexadecimal characters.
func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// answer notes what was answered. It hands on what http.ResponseController can
// do by Unwrap.
type answer struct {
	http.ResponseWriter
	open        gauge // WebSockets
	status      int
	bytes       int64
	route       string
	userID, via string
	hijacked    bool
}

type gauge interface {
	Inc()
	Dec()
}

// NoteRequest is called by whoever finds out: the route, by the name that its
// table has for it, and who asks.
func (a *answer) NoteRequest(route, userID, via string) {
	if route != "" {
		a.route = route
	}
	a.userID, a.via = userID, via
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// Hijack is what a WebSocket begins with.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err == nil && !a.hijacked {
		a.hijacked, a.status = true, http.StatusSwitchingProtocols
		a.open.Inc()
	}
	return c, rw, err
}

func (a *answer) end() {
	if a.hijacked {
		a.open.Dec()
	}
	if a.status == 0 { // net/http says so for a handler that wrote nothing
		a.status = http.StatusOK
	}
}

// statusLabel keeps apart what MedForge answers; an IDE may answer with any
// number.
func (a *answer) statusLabel() string {
	if a.route == routeIDE {
		if a.status < 100 || a.status > 599 {
			return "other"
		}
		return strconv.Itoa(a.status/100) + "xx"
	}
	return strconv.Itoa(a.status)
}
