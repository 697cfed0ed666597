package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/medforge/medforge/pkg/fault"
)

const (
	dialTimeout = 5 * time.Second
	ioTimeout   = 30 * time.Second // the longest silence within one answer
)

type mysqlEngine struct{ dsn *mysql.Config }

func (db *DB) openMySQL(ctx context.Context) error {
	c, err := mysqlConfig(db.cfg.DSN, db.logger)
	if err != nil {
		return err
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "store/bad-dsn", "the database's dsn cannot be used; see docs/install.md for its form")
	}
	pool := sql.OpenDB(connector)
	n := db.cfg.MaxConns
	if n == 0 {
		n = 16
	}
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	pool.SetConnMaxLifetime(30 * time.Minute) // a server's address may change
	db.engine, db.w, db.r = mysqlEngine{dsn: c}, pool, pool
	return db.checkServer(ctx)
}

// mysqlConfig reads a DSN and sets what our queries rely on, whatever the
// server's configuration says.
func mysqlConfig(dsn string, logger *slog.Logger) (*mysql.Config, error) {
	c, err := mysql.ParseDSN(dsn)
	if err != nil {
		// The cause holds the password: it is not kept.
		return nil, fault.New(fault.Invalid, "store/bad-dsn",
			"the database's dsn is not in the form user:password@unix(/run/mysqld/mysqld.sock)/medforge")
	}
	if c.DBName == "" {
		return nil, fault.New(fault.Invalid, "store/bad-dsn", "the database's dsn names no database: end it with /medforge")
	}
	if c.Timeout == 0 {
		c.Timeout = dialTimeout
	}
	if c.ReadTimeout == 0 {
		c.ReadTimeout = ioTimeout
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = ioTimeout
	}
	c.ParseTime, c.Loc = true, time.UTC // goose's own table has a TIMESTAMP
	c.ClientFoundRows = true            // "changed" counts what matched, as SQLite does
	c.InterpolateParams = true          // one round trip a query instead of three
	c.MultiStatements = false
	c.RejectReadOnly = true // a replica that was the primary: reconnect
	c.Logger = quiet{logger}
	params := map[string]string{
		"time_zone": "'+00:00'",
		// The driver speaks utf8mb4; values compare as columns do.
		"collation_connection": "'utf8mb4_nopad_bin'",
		// Nothing is cut short or bent to fit: a value that does not fit fails.
		"sql_mode": "'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
		// Every statement decides on what is committed at that moment; nothing
		// relies on repeatable reads, and fewer gaps are locked.
		"tx_isolation":             "'READ-COMMITTED'",
		"innodb_lock_wait_timeout": "5",
	}
	maps.Copy(params, c.Params)
	c.Params = params
	return c, nil
}

// quiet keeps the driver's own remarks (a connection that was lost) at debug:
// what matters comes back as an error.
type quiet struct{ logger *slog.Logger }

func (q quiet) Print(v ...any) { q.logger.Debug("mysql driver", "remark", v) }

var versionForm = regexp.MustCompile(`^(?:5\.5\.5-)?(\d+)\.(\d+)[^ ]*-MariaDB`)

// checkServer refuses what the schema cannot live on and warns of a setting
// that would lose answered writes.
func (db *DB) checkServer(ctx context.Context) error {
	var version, flush string
	err := db.read(ctx, "connect to the database", func(q queryer) error {
		return q.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version)
	})
	if err != nil {
		return err
	}
	m := versionForm.FindStringSubmatch(version)
	if m == nil {
		return fault.New(fault.Invalid, "store/not-mariadb", "the database server is %s; MedForge needs MariaDB 10.6 or newer", version)
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	if major < 10 || major == 10 && minor < 6 {
		return fault.New(fault.Invalid, "store/mariadb-too-old", "the database server is MariaDB %d.%d; MedForge needs 10.6 or newer", major, minor)
	}
	err = db.read(ctx, "read the database server's settings", func(q queryer) error {
		return q.QueryRowContext(ctx, "SELECT @@GLOBAL.innodb_flush_log_at_trx_commit").Scan(&flush)
	})
	if err == nil && flush != "1" {
		db.logger.Warn("MariaDB does not sync each commit: answered writes can be lost with the power",
			"innodb_flush_log_at_trx_commit", flush, "wanted", "1")
	}
	return err
}

// MariaDB's error numbers: https://mariadb.com/kb/en/mariadb-error-codes/
var mysqlKinds = map[uint16]errorKind{
	1062: duplicate, 1586: duplicate,
	1205: tryAgain, 1213: tryAgain, // lock wait timeout, deadlock
	1020: tryAgain, // record has changed since last read (snapshot isolation, 11.x)
	1452: noParent, 1216: noParent,
	1406: unfit, 1264: unfit, 1366: unfit, 1300: unfit, 1265: unfit, 1292: unfit, 1048: unfit, 3988: unfit,
	1021: full, 1114: full,
	1040: unavailable, 1203: unavailable, 1226: unavailable, // too many connections, of a user, of a resource
	1041: unavailable, 1135: unavailable, // out of memory, no thread
	1044: refused, 1045: refused, 1049: refused, 1130: refused, 1129: refused, 1142: refused, 1698: refused, // not let in, or not to this
	1053: unavailable, 1077: unavailable, 1079: unavailable, // shutting down
	1152: unavailable, 1158: unavailable, 1159: unavailable, 1160: unavailable, 1161: unavailable, // connection lost
	1184: unavailable, 1927: unavailable, // connection killed
	1290: unavailable, 1836: unavailable, // read only
	1317: tooLate, 1969: tooLate, // interrupted, max_statement_time
}

func (mysqlEngine) kind(err error) errorKind {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return mysqlKinds[e.Number]
	}
	if errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, mysql.ErrMalformPkt) || errors.Is(err, mysql.ErrPktSync) || errors.Is(err, mysql.ErrBusyBuffer) {
		return unavailable
	}
	return unforeseen
}

func (mysqlEngine) tableExists() string {
	return "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?"
}

// longPool: an index over a large table takes longer than any query of ours.
func (e mysqlEngine) longPool(Config) (*sql.DB, migrationLock, error) {
	c := e.dsn.Clone()
	c.ReadTimeout = 0
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, nil, err
	}
	return sql.OpenDB(connector), &namedLock{name: strings.ToLower("medforge-migrate-" + c.DBName)}, nil
}

func (mysqlEngine) snapshot(ctx context.Context, conn *sql.Conn) error {
	for _, s := range []string{
		"SET SESSION net_write_timeout = 3600", // a reader may be slow; the connection is not used again
		"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
		"START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
	} {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
