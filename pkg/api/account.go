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
	Current string `json:"current" maxLength:"128"`
	New     string `json:"new" minLength:"8" maxLength:"128"`
}

// Token is a bearer token as its owner sees it later: without the secret.
type Token struct {
	ID        string     `json:"id" format:"uuid"`
	Label     string     `json:"label"`
	CreatedAt time.Time  `json:"created_at"`
	LastUsed  *time.Time `json:"last_used"`
	ExpiresAt *time.Time `json:"expires_at" doc:"null is never."`
}

// TokenCreate asks for a token.
type TokenCreate struct {
	Label     string     `json:"label" minLength:"1" maxLength:"100"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// TokenCreated is the only time a token is shown.
type TokenCreated struct {
	Token  Token  `json:"token"`
	Secret string `json:"secret" doc:"Shown once; only its hash is kept."`
}

// User is an account as an admin sees it.
type User struct {
	UserID       string    `json:"user_id" format:"uuid"`
	Email        string    `json:"email"`
	UnixName     string    `json:"unix_name"`
	Name         string    `json:"name"`
	Role         string    `json:"role" enum:"user,admin"`
	Disabled     bool      `json:"disabled"`
	SessionLimit int       `json:"session_limit" doc:"0 is the host's default."`
	CreatedAt    time.Time `json:"created_at"`
}
