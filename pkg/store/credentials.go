package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"time"
	"unicode/utf8"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/fault"
)

const credentialColumns = `id, hash, kind, user_id, session_id, parent_id, label, created_at, last_used, expires_at`

func scanCredential(r scanner) (account.Credential, error) {
	var c account.Credential
	var hash string
	var created, used, expires int64
	err := r.Scan(&c.ID, &hash, &c.Kind, &c.UserID, &c.SessionID, &c.ParentID, &c.Label, &created, &used, &expires)
	if err != nil {
		return c, err
	}
	b, err := hex.DecodeString(hash)
	if err != nil || len(b) != len(c.Hash) {
		return c, fault.Wrap(err, fault.Internal, "store/bad-hash", "the hash of credential %s is not one", c.ID)
	}
	copy(c.Hash[:], b)
	c.CreatedAt, c.LastUsed, c.ExpiresAt = fromMicros(created), fromMicros(used), fromMicros(expires)
	return c, nil
}

func noCredential() error {
	return fault.New(fault.NotFound, "accounts/no-credential", "there is no such token or sign-in")
}

// labelLimit is in characters: a browser's user agent can be longer.
const labelLimit = 512

func clipLabel(s string) string {
	s = clip(s)
	for utf8.RuneCountInString(s) > labelLimit {
		s = string([]rune(s)[:labelLimit])
	}
	return s
}

// CreateCredential keeps one. Errors: Exists, NotFound (the user).
func (a *Accounts) CreateCredential(ctx context.Context, c account.Credential) error {
	return a.db.write(ctx, "keep the sign-in", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO credentials (`+credentialColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?)`,
			c.ID, hex.EncodeToString(c.Hash[:]), c.Kind, c.UserID, c.SessionID, c.ParentID, clipLabel(c.Label),
			micros(c.CreatedAt), micros(c.LastUsed), micros(c.ExpiresAt))
		if a.db.is(err, noParent) {
			return fault.Wrap(err, fault.NotFound, "accounts/not-found", "there is no such account")
		}
		return err
	})
}

// CredentialByHash finds one.
func (a *Accounts) CredentialByHash(ctx context.Context, hash [32]byte) (account.Credential, error) {
	var c account.Credential
	err := a.db.read(ctx, "read the sign-in", func(q queryer) (err error) {
		c, err = scanCredential(q.QueryRowContext(ctx,
			`SELECT `+credentialColumns+` FROM credentials WHERE hash = ?`, hex.EncodeToString(hash[:])))
		if a.db.is(err, notThere) {
			return noCredential()
		}
		return err
	})
	return c, err
}

// ListCredentials returns a user's, oldest first.
func (a *Accounts) ListCredentials(ctx context.Context, userID string) ([]account.Credential, error) {
	return a.credentials(ctx, `WHERE user_id = ? ORDER BY created_at, id`, userID)
}

// AllCredentials returns every one that has not expired.
func (a *Accounts) AllCredentials(ctx context.Context, now time.Time) ([]account.Credential, error) {
	return a.credentials(ctx, `WHERE expires_at = 0 OR expires_at > ? ORDER BY created_at, id`, micros(now))
}

func (a *Accounts) credentials(ctx context.Context, rest string, args ...any) ([]account.Credential, error) {
	var out []account.Credential
	err := a.db.read(ctx, "list the sign-ins", func(q queryer) error {
		rows, err := q.QueryContext(ctx, `SELECT `+credentialColumns+` FROM credentials `+rest, args...)
		out, err = collect(rows, err, scanCredential)
		return err
	})
	return out, err
}

// TouchCredential records a use; an older one than what is recorded changes
// nothing.
func (a *Accounts) TouchCredential(ctx context.Context, id string, at time.Time) error {
	return a.db.write(ctx, "record the use of a sign-in", func(tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, `UPDATE credentials
			SET last_used = CASE WHEN last_used < ? THEN ? ELSE last_used END WHERE id = ?`, micros(at), micros(at), id))
		if err == nil && n == 0 {
			return noCredential()
		}
		return err
	})
}

// DeleteCredential ends one and those that came from it.
func (a *Accounts) DeleteCredential(ctx context.Context, id string) error {
	return a.db.write(ctx, "end the sign-in", func(tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, `DELETE FROM credentials WHERE id = ?`, id))
		if err != nil {
			return err
		}
		if n == 0 {
			return noCredential()
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM credentials WHERE parent_id = ?`, id)
		return err
	})
}

// DeleteUserCredentials ends all of a user's except keepID.
func (a *Accounts) DeleteUserCredentials(ctx context.Context, userID, keepID string) error {
	return a.db.write(ctx, "end the account's sign-ins", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM credentials WHERE user_id = ? AND id <> ?`, userID, keepID)
		return err
	})
}

// DeleteExpired forgets what expired before then.
func (a *Accounts) DeleteExpired(ctx context.Context, before time.Time) error {
	return a.db.write(ctx, "forget what has expired", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM credentials WHERE expires_at > 0 AND expires_at < ?`, micros(before))
		return err
	})
}
