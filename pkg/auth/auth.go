// Package auth names who is asking. An Actor is set once, where a connection
// or request is accepted, and is an argument of every domain method from there
// on.
package auth

// Role is what an account may do beyond its own things.
type Role string

// The roles.
const (
	RoleUser  Role = "user"
	RoleAdmin Role = "admin"
)

// Via is the way a caller came in. It decides what the caller may ask for:
// whoever calls from inside a session may do only what a session may.
type Via string

// The ways in.
const (
	ViaSocket  Via = "socket"  // the daemon's unix socket, by the peer's uid
	ViaSession Via = "session" // a session's own api.sock, as that session's owner
	ViaCookie  Via = "cookie"  // a browser signed in on MedForge's host
	ViaToken   Via = "token"   // a bearer token
	ViaDaemon  Via = "daemon"  // the daemon itself: reconciliation, loops
)

// Actor is who is asking. The zero Actor is nobody.
type Actor struct {
	UserID string // UUID of the account; empty for nobody and for the daemon
	Name   string // as shown to others; never an email address
	Role   Role
	Via    Via
	// SessionID is the session that the caller sits in (ViaSession only).
	SessionID string
	// CredentialID is the cookie or token that let the caller in, so that
	// signing out can end exactly that one.
	CredentialID string
}

// Daemon is the actor of the daemon's own loops.
func Daemon() Actor { return Actor{Name: "medforged", Role: RoleAdmin, Via: ViaDaemon} }

// Known reports whether the actor is somebody.
func (a Actor) Known() bool { return a.UserID != "" || a.Via == ViaDaemon }

// Admin reports whether the actor may see and act on everybody's things. An
// admin who calls from inside a session is only that session's owner there:
// what runs in a session is not trusted with more.
func (a Actor) Admin() bool { return a.Role == RoleAdmin && a.Via != ViaSession }

// Owns reports whether the actor is the user with that id, or an admin.
func (a Actor) Owns(userID string) bool {
	return a.Admin() || (a.UserID != "" && a.UserID == userID)
}
