package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"time"

	"github.com/medforge/medforge/pkg/fault"
)

// errAgain is returned by a transaction that lost to another and must be tried
// anew as a whole.
var errAgain = errors.New("another transaction was faster")

// errorKind is what an error means, found by types and codes, never by text.
type errorKind int

const (
	unforeseen  errorKind = iota // also for no error
	known                        // already a fault
	tryAgain                     // a deadlock's loser, or busy: the same again may work at once
	duplicate                    // a unique key is taken
	noParent                     // what the row refers to is not there
	notThere                     // no row
	unavailable                  // the database does not answer, or refuses everybody
	refused                      // the server refuses us: user, password, name of the database
	full                         // no space left
	unfit                        // the value cannot stand in the column
	tooLate                      // the caller's deadline passed, or the caller went away
	damaged                      // the database file is not usable
)

func (db *DB) errorKind(err error) errorKind {
	var f *fault.Error
	var network net.Error
	switch {
	case errors.As(err, &f):
		return known
	case errors.Is(err, sql.ErrNoRows):
		return notThere
	case errors.Is(err, errAgain):
		return tryAgain
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, sql.ErrTxDone): // what Commit says once the deadline has rolled back
		return tooLate
	}
	if k := db.engine.kind(err); k != unforeseen {
		return k
	}
	if errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errClosed) {
		return unavailable
	}
	return unforeseen
}

// errClosed is what database/sql says of a pool that was closed; it exports no
// value for it, so one is taken from a pool that is closed.
var errClosed = func() error {
	db := sql.OpenDB(noConnector{})
	_ = db.Close()
	return db.Ping()
}()

type noConnector struct{}

func (noConnector) Connect(context.Context) (driver.Conn, error) { return nil, driver.ErrBadConn }
func (noConnector) Driver() driver.Driver                        { return nil }

// fault turns an error into one of a kind. What the driver said goes to the
// log only, as the cause. doing says what could not be done, in the infinitive.
func (db *DB) fault(err error, doing string) error {
	switch db.errorKind(err) {
	case known:
		return err
	case tryAgain:
		return fault.Wrap(err, fault.Unavailable, "store/busy",
			"could not %s: the database is too busy; try again", doing).After(time.Second)
	case unavailable:
		return fault.Wrap(err, fault.Unavailable, "store/unavailable",
			"could not %s: the database does not answer; try again, and see `medforge doctor`", doing).After(2 * time.Second)
	case refused:
		return fault.Wrap(err, fault.Unavailable, "store/refused",
			"could not %s: the database server refuses this user, its password or the database's name; check the dsn and its grants", doing)
	case tooLate:
		return fault.Wrap(err, fault.Unavailable, "store/timeout",
			"could not %s: the database did not answer in time; try again", doing).After(time.Second)
	case full:
		return fault.Wrap(err, fault.OutOfSpace, "store/out-of-space",
			"could not %s: the database has no space left on its disk", doing)
	case damaged:
		return fault.Wrap(err, fault.Unavailable, "store/damaged",
			"could not %s: the database file is damaged; restore a backup with `medforge admin restore`", doing)
	case duplicate:
		return fault.Wrap(err, fault.Exists, "store/exists", "could not %s: it is already there", doing)
	case noParent, notThere:
		return fault.Wrap(err, fault.NotFound, "store/not-found", "could not %s: it is not there", doing)
	case unfit:
		return fault.Wrap(err, fault.Invalid, "store/unfit-value",
			"could not %s: a value is too long or holds characters that cannot be stored", doing)
	default:
		return fault.Wrap(err, fault.Internal, "store/internal", "could not %s", doing)
	}
}

// is reports whether an error of the driver is of the kind.
func (db *DB) is(err error, k errorKind) bool { return err != nil && db.errorKind(err) == k }
