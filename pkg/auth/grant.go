package auth

// Pass is the cookie or token that let an actor in, for as long as it stands.
type Pass interface {
	// Done is closed when the pass has ended: signed out, revoked, expired, or
	// its account disabled. Whatever was let in by it must end then.
	Done() <-chan struct{}
	// Hold keeps the pass from running out for want of use, while something
	// long-lived such as a WebSocket stands on it. Each needs one Release.
	Hold()
	Release()
}

// Grant is an actor together with what let it in.
type Grant struct {
	Actor Actor
	// Pass is nil for callers who need none: the socket's peers, the daemon.
	Pass Pass
	// SessionID is the one session whose host the pass opens; empty for a pass
	// to MedForge itself.
	SessionID string
}
