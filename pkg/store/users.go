package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/fault"
)

// Accounts is account.Store.
type Accounts struct{ db *DB }

// Accounts returns the users and their credentials.
func (db *DB) Accounts() *Accounts { return &Accounts{db} }

var _ account.Store = (*Accounts)(nil)

const userColumns = `id, email, unix_name, name, role, disabled, session_limit, password_hash, created_at`

func scanUser(r scanner) (account.User, error) {
	var u account.User
	var email, unix sql.NullString
	var created int64
	err := r.Scan(&u.ID, &email, &unix, &u.Name, &u.Role, &u.Disabled, &u.SessionLimit, &u.PasswordHash, &created)
	u.Email, u.UnixName, u.CreatedAt = email.String, unix.String, fromMicros(created)
	return u, err
}

// orNull keeps "none" out of the unique index.
func orNull(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// CreateUser adds an account.
func (a *Accounts) CreateUser(ctx context.Context, u account.User) error {
	return a.db.write(ctx, "create the account", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO users (`+userColumns+`) VALUES (?,?,?,?,?,?,?,?,?)`,
			u.ID, orNull(u.Email), orNull(u.UnixName), u.Name, u.Role, bit(u.Disabled), u.SessionLimit, u.PasswordHash, micros(u.CreatedAt))
		return a.taken(err, u)
	})
}

// UpdateUser writes all of an account's fields but when it was made.
func (a *Accounts) UpdateUser(ctx context.Context, u account.User) error {
	return a.db.write(ctx, "change the account", func(tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, `UPDATE users SET email = ?, unix_name = ?, name = ?, role = ?, disabled = ?,
			session_limit = ?, password_hash = ? WHERE id = ?`,
			orNull(u.Email), orNull(u.UnixName), u.Name, u.Role, bit(u.Disabled), u.SessionLimit, u.PasswordHash, u.ID))
		if err == nil && n == 0 {
			return noUser()
		}
		return a.taken(err, u)
	})
}

// taken says which name it was that another account has. Which unique key an
// engine trips over first is its own affair, so the message names both.
func (a *Accounts) taken(err error, u account.User) error {
	if !a.db.is(err, duplicate) {
		return err
	}
	switch {
	case u.Email == "":
		return fault.Wrap(err, fault.Exists, "accounts/exists", "there is an account of the Unix user %q already", u.UnixName)
	case u.UnixName == "":
		return fault.Wrap(err, fault.Exists, "accounts/exists", "there is an account with that email address already")
	}
	return fault.Wrap(err, fault.Exists, "accounts/exists",
		"there is an account with that email address, or of the Unix user %q, already", u.UnixName)
}

func noUser() error {
	return fault.New(fault.NotFound, "accounts/not-found", "there is no such account")
}

// UserByID finds an account.
func (a *Accounts) UserByID(ctx context.Context, id string) (account.User, error) {
	return a.user(ctx, "id", id)
}

// UserByEmail finds an account by its exact, lower-case address.
func (a *Accounts) UserByEmail(ctx context.Context, email string) (account.User, error) {
	return a.user(ctx, "email", email)
}

// UserByUnixName finds the account of a Unix user.
func (a *Accounts) UserByUnixName(ctx context.Context, name string) (account.User, error) {
	return a.user(ctx, "unix_name", name)
}

func (a *Accounts) user(ctx context.Context, column, value string) (account.User, error) {
	var u account.User
	err := a.db.read(ctx, "read the account", func(q queryer) (err error) {
		u, err = scanUser(q.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE `+column+` = ?`, value))
		if a.db.is(err, notThere) {
			return noUser()
		}
		return err
	})
	return u, err
}

// ListUsers returns accounts, oldest first, after the account with that id.
func (a *Accounts) ListUsers(ctx context.Context, after string, limit int) ([]account.User, error) {
	var out []account.User
	err := a.db.read(ctx, "list the accounts", func(q queryer) error {
		query, args := `SELECT `+userColumns+` FROM users`, []any{}
		if after != "" {
			last, err := scanUser(q.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE id = ?`, after))
			if a.db.is(err, notThere) {
				return badCursor()
			} else if err != nil {
				return err
			}
			at := micros(last.CreatedAt)
			query, args = query+` WHERE created_at >= ? AND (created_at > ? OR id > ?)`, []any{at, at, last.ID}
		}
		query += ` ORDER BY created_at, id`
		if limit > 0 {
			query += fmt.Sprintf(" LIMIT %d", limit)
		}
		rows, err := q.QueryContext(ctx, query, args...)
		out, err = collect(rows, err, scanUser)
		return err
	})
	return out, err
}
