package proxy

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

// View is what the proxy must know of a session.
type View struct {
	ID     string // UUID
	UserID string // UUID of the owner
	Slug   string
	// Running: its IDE has answered and nobody has asked it to stop.
	Running bool
	// Status is the session's state in words, for the page that is shown
	// while it does not run: "starting", "stopping".
	Status string
	// Done is closed when the session no longer runs.
	Done <-chan struct{}
}

// Sessions finds sessions in memory: it is asked on every request, must not
// block and should not allocate. A session that has ended may be unknown.
type Sessions interface {
	BySlug(slug string) (View, bool)
}

// Dialer connects to a session's IDE. Errors: *fault.Error, Unavailable or
// Denied.
type Dialer interface {
	DialIDE(ctx context.Context, slug string) (net.Conn, error)
}

// Keys checks what visitors show. SessionHost and Token are asked on every
// request and must be in memory; account.Service is.
type Keys interface {
	SessionHost(secret string) (auth.Grant, bool)
	Token(token string) (auth.Grant, bool)
	// Ticket errors: Unauthenticated, Denied, TooMany.
	Ticket(ctx context.Context, a auth.Actor, sessionID, ownerID string) (ticket string, expires time.Time, err error)
	// Redeem errors: Unauthenticated, Denied, Unavailable.
	Redeem(ctx context.Context, ticket, sessionID, label string) (secret string, expires time.Time, err error)
}

// Options make a Proxy.
type Options struct {
	Hosts    Hosts
	Sessions Sessions
	Dialer   Dialer
	Keys     Keys
	// Main serves MedForge's own host, the page and the API.
	Main http.Handler
	// API serves the host that has the API alone; nil: Main does.
	API http.Handler
	// OpenPath is where on the main host Open is mounted; visitors who are not
	// signed in are sent there. Empty: they are told to run
	// `medforge session open`.
	OpenPath string
	// SignInPath is the sign-in page on the main host, for Open; it gets the
	// query parameter "return".
	SignInPath string
	// ClientAddr is the visitor's address after trusted proxies; nil takes the
	// connection's.
	ClientAddr func(*http.Request) netip.Addr
	Logger     *slog.Logger
	Now        func() time.Time
}

var (
	errNotSignedIn = fault.New(fault.Unauthenticated, "auth/not-signed-in",
		"you are not signed in on this session's host; run `medforge session open` for a one-time link")
	errNotYours = fault.New(fault.Denied, "sessions/not-yours",
		"only the session's owner and administrators may open it")
	errNoSession = fault.New(fault.NotFound, "sessions/not-running",
		"there is no such session, or it is not running; see `medforge session list`")
	errBadGateway = fault.New(fault.Unavailable, "sessions/ide-not-answering",
		"the session's IDE does not answer; see `medforge session logs`")
	errOrigin = fault.New(fault.Denied, "request/foreign-origin",
		"the request comes from another site's page, so it was refused")
	errInternal = fault.New(fault.Denied, "auth/not-on-a-session-host",
		"this is not reachable through a session's own host")
	errHost = fault.New(fault.Misdirected, "request/unknown-host",
		"this host name is not served here")
)
