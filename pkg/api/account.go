package api

import "time"

// Me is who is asking.
type Me struct {
	UserID string `json:"user_id" format:"uuid"`
	Email  string `json:"email" doc:"Empty for an account that only uses the socket."`
	Role   string `json:"role" enum:"user,admin"`
	Name   string `json:"name" doc:"As shown to others."`
	// UnixName is the account's Unix user.
	UnixName     string `json:"unix_name" doc:"Empty for an account that only uses the web."`
	Via          string `json:"via" enum:"socket,session,cookie,token" doc:"How this request came in."`
	SessionID    string `json:"session_id,omitempty" doc:"The session that the request came from, when it came from inside one."`
	SessionLimit int    `json:"session_limit" doc:"Active sessions at most; 0 is the host's default."`
}

// Auth is what a sign-in page has to know before anybody is signed in.
type Auth struct {
	User   *Me    `json:"user" doc:"Who is asking; null is nobody."`
	Signup string `json:"signup" enum:"open,invite,closed" doc:"Who may make an account: everybody, whoever has an invitation, or only admins."`
}

// Signup makes an account.
type Signup struct {
	Email      string `json:"email" format:"email" maxLength:"254"`
	Password   string `json:"password" minLength:"8" maxLength:"128"`
	Name       string `json:"name,omitempty" maxLength:"64" doc:"As shown to others."`
	Invitation string `json:"invitation,omitempty" maxLength:"200" doc:"Where sign-up is by invitation."`
}

// Login signs in.
type Login struct {
	Email    string `json:"email" format:"email" maxLength:"254"`
	Password string `json:"password" minLength:"1" maxLength:"128"`
}

// SignedIn is the answer to both.
type SignedIn struct {
	UserID string `json:"user_id" format:"uuid"`
	Email  string `json:"email"`
	Role   string `json:"role" enum:"user,admin"`
}

// MessageSignedOut is the answer to signing out.
const MessageSignedOut = "Signed out."

// PasswordChange changes the caller's password.
type PasswordChange struct {
	Current string `json:"current,omitempty" maxLength:"128" doc:"Left out by whoever comes by the socket and has none yet."`
	New     string `json:"new" minLength:"8" maxLength:"128"`
}

// Token is a bearer token as its owner sees it later: without the secret.
type Token struct {
	ID        string     `json:"id" format:"uuid"`
	Label     string     `json:"label"`
	CreatedAt time.Time  `json:"created_at"`
	LastUsed  *time.Time `json:"last_used" doc:"null is never."`
	ExpiresAt *time.Time `json:"expires_at" doc:"null is never."`
}

// TokenCreate asks for a token.
type TokenCreate struct {
	Label     string     `json:"label" minLength:"1" maxLength:"100"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"Left out: it stands until it is revoked."`
}

// TokenCreated is the only time a token is shown.
type TokenCreated struct {
	Token  Token  `json:"token"`
	Secret string `json:"secret" doc:"Shown once; only its hash is kept."`
}

// Browser is a browser that the caller is signed in with.
type Browser struct {
	ID      string `json:"id" format:"uuid"`
	Agent   string `json:"agent" doc:"What the browser called itself when it signed in."`
	Current bool   `json:"current" doc:"Whether this request came by it."`
	// SessionID is for one that signed in on a session's host by a one-time
	// link from the socket, and on MedForge's own not at all.
	SessionID *string    `json:"session_id" doc:"The one session whose host it is signed in on; null is MedForge itself."`
	CreatedAt time.Time  `json:"created_at"`
	LastUsed  time.Time  `json:"last_used"`
	ExpiresAt *time.Time `json:"expires_at" doc:"When it is signed out at the latest."`
}

// User is an account as an admin sees it.
type User struct {
	UserID       string    `json:"user_id" format:"uuid"`
	Email        string    `json:"email" doc:"Empty for an account that only uses the socket."`
	UnixName     string    `json:"unix_name" doc:"Empty for an account that only uses the web."`
	Name         string    `json:"name"`
	Role         string    `json:"role" enum:"user,admin"`
	Disabled     bool      `json:"disabled"`
	SessionLimit int       `json:"session_limit" doc:"0 is the host's default."`
	CreatedAt    time.Time `json:"created_at"`
}

// UserCreate makes an account: an email address, a Unix user's name, or both.
type UserCreate struct {
	Email        string `json:"email,omitempty" maxLength:"254"`
	UnixName     string `json:"unix_name,omitempty" maxLength:"32"`
	Name         string `json:"name,omitempty" maxLength:"64" doc:"As shown to others."`
	Role         string `json:"role,omitempty" enum:"user,admin"`
	SessionLimit int    `json:"session_limit,omitempty" minimum:"0" maximum:"64" doc:"0 is the host's default."`
	Password     string `json:"password,omitempty" minLength:"8" maxLength:"128" doc:"Left out with an email address: one is made up."`
}

// UserChange changes an account; what is left out stays as it is.
type UserChange struct {
	Role         *string `json:"role,omitempty" enum:"user,admin"`
	SessionLimit *int    `json:"session_limit,omitempty" minimum:"0" maximum:"64" doc:"0 is the host's default."`
	Disabled     *bool   `json:"disabled,omitempty" doc:"A disabled account is signed out everywhere at once."`
	Name         *string `json:"name,omitempty" maxLength:"64"`
	Email        *string `json:"email,omitempty" maxLength:"254"`
	// UnixName makes the account that of a Unix user too, so that the person
	// is the same one on the socket and on the web.
	UnixName      *string `json:"unix_name,omitempty" maxLength:"32" doc:"Links the account with this Unix user; empty unlinks."`
	MoveUnixName  bool    `json:"move_unix_name,omitempty" doc:"Take the name from the account that has it, which stays without one."`
	ResetPassword bool    `json:"reset_password,omitempty" doc:"Make up a new password and sign the account out everywhere."`
}

// UserChanged is an account and, when one was made up, its new password.
type UserChanged struct {
	User     User   `json:"user"`
	Password string `json:"password,omitempty" doc:"Made up, and shown once: hand it over."`
}
