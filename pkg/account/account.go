// Package account is who may come in: accounts, their credentials, and the
// ways to prove oneself.
package account

import (
	"context"
	"time"

	"github.com/medforge/medforge/pkg/auth"
)

// User is an account. It has an email address, a Unix user's name, or both.
type User struct {
	ID           string // UUID
	Email        string // lower case; empty for one that only uses the socket
	UnixName     string // empty for one that only uses the web
	Name         string // shown to others
	Role         auth.Role
	Disabled     bool
	SessionLimit int // active sessions at most; 0 is the host's per_user
	// PasswordHash is argon2id in the PHC string form; empty for none.
	PasswordHash string
	CreatedAt    time.Time
}

// CredentialKind says what a credential opens.
type CredentialKind string

// The kinds.
const (
	BrowserCredential     CredentialKind = "browser"      // MedForge's own host, by cookie
	SessionHostCredential CredentialKind = "session_host" // one session's host, by that host's cookie
	TokenCredential       CredentialKind = "token"        // bearer token
)

// Credential is something that lets its owner in. Only its hash is kept.
type Credential struct {
	ID     string // UUID, for listing and ending it
	Hash   [32]byte
	Kind   CredentialKind
	UserID string
	// SessionID is the session whose host a SessionHostCredential opens.
	SessionID string
	// ParentID is the browser credential that a SessionHostCredential came
	// from; ending the parent ends it. Empty when it came from the socket.
	ParentID  string
	Label     string // a token's name, a browser's user agent
	CreatedAt time.Time
	LastUsed  time.Time
	ExpiresAt time.Time // absolute; zero is never
}

// Store keeps accounts and credentials. Errors are *fault.Error: NotFound,
// Exists (email or Unix name taken), Unavailable.
type Store interface {
	CreateUser(ctx context.Context, u User) error
	UpdateUser(ctx context.Context, u User) error
	UserByID(ctx context.Context, id string) (User, error)
	UserByEmail(ctx context.Context, email string) (User, error)
	UserByUnixName(ctx context.Context, name string) (User, error)
	// ListUsers is ordered by created_at, then id; after is the last id of the
	// page before.
	ListUsers(ctx context.Context, after string, limit int) ([]User, error)

	CreateCredential(ctx context.Context, c Credential) error
	CredentialByHash(ctx context.Context, hash [32]byte) (Credential, error)
	ListCredentials(ctx context.Context, userID string) ([]Credential, error)
	// AllCredentials is every one that has not expired: what the daemon loads
	// at its start to check in memory.
	AllCredentials(ctx context.Context, now time.Time) ([]Credential, error)
	// TouchCredential records a use.
	TouchCredential(ctx context.Context, id string, at time.Time) error
	// DeleteCredential ends one and those that came from it.
	DeleteCredential(ctx context.Context, id string) error
	// DeleteUserCredentials ends all of a user's except keepID (empty: all).
	DeleteUserCredentials(ctx context.Context, userID, keepID string) error
	// DeleteExpired forgets what expired before then.
	DeleteExpired(ctx context.Context, before time.Time) error
}
