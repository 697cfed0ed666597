package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/medforge/medforge/pkg/fault"
)

// A dump is JSON, one value a line, the same for both engines:
//
//	{"format":"medforge-database","version":1,"schema":10,...}
//	{"table":"users","columns":["id",...]}
//	["2d5c...","a@example.org",...]      one line a row, in the primary key's order
//	{"table":"credentials",...}
//	...
//	{"end":true,"rows":1234,"sha256":"..."}   of all lines before this one
//
// Numbers are whole or the shortest decimal that reads back as the same float;
// text that is not UTF-8 is {"base64":"..."}. It holds password hashes.
const (
	dumpFormat  = "medforge-database"
	dumpVersion = 1
)

// tables are all of the schema's with the order of their rows. Parents stand
// before what refers to them.
var tables = []struct{ name, key string }{
	{"users", "id"},
	{"credentials", "id"},
	{"sessions", "id"},
	{"gpu_claims", "gpu_uuid"},
	{"host_slots", "slot"},
	{"user_slots", "user_id, slot"},
	{"gpu_states", "gpu_uuid"},
	{"settings", "name"},
	{"audit_events", "run, seq"},
	{"datasets", "slug"},
	{"competitions", "slug"},
	{"competition_revisions", "competition, revision"},
	{"boards", "competition, split_version"},
	{"submission_days", "user_id, competition, day"},
	{"submissions", "id"},
	{"scores", "id"},
	{"official_scores", "submission_id, split_version"},
	{"leaderboard_entries", "competition, split_version, user_id"},
	{"board_blocks", "competition, split_version, low"},
}

type dumpHeader struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Schema  int64     `json:"schema"`
	Driver  string    `json:"driver"`
	At      time.Time `json:"at"`
}

type dumpTable struct {
	Table   string   `json:"table"`
	Columns []string `json:"columns"`
}

type dumpEnd struct {
	End    bool   `json:"end"`
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"`
}

// Dump writes the whole database as it is at one moment, while others go on
// writing: one read transaction sees all tables. at is written into the header.
// Errors: Conflict (the database is not at this program's version).
func (db *DB) Dump(ctx context.Context, w io.Writer, at time.Time) error {
	const doing = "dump the database"
	if err := db.CheckMigrated(ctx); err != nil {
		return err
	}
	pool, _, err := db.engine.longPool(db.cfg)
	if err != nil {
		return db.fault(err, doing)
	}
	defer pool.Close()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return db.fault(err, doing)
	}
	defer conn.Close() // ends the transaction with it
	if err := db.engine.snapshot(ctx, conn); err != nil {
		return db.fault(err, doing)
	}
	d := newDumper(w)
	if err := d.line(dumpHeader{dumpFormat, dumpVersion, Target(), db.cfg.Driver, at.UTC()}); err != nil {
		return db.writeFault(err)
	}
	for _, t := range tables {
		if err := d.table(ctx, conn, t.name, t.key); err != nil {
			return db.writeFault(err)
		}
	}
	if err := d.end(); err != nil {
		return db.writeFault(err)
	}
	return nil
}

// writeFault tells a full or broken destination from a database that failed.
func (db *DB) writeFault(err error) error {
	if e, ok := err.(writeError); ok {
		return fault.Wrap(e.error, fault.Unavailable, "store/dump-not-written", "the dump could not be written to its destination")
	}
	return db.fault(err, "dump the database")
}

type writeError struct{ error }

// dumper writes lines, counts rows and sums what it wrote.
type dumper struct {
	out  *bufio.Writer
	sum  hash.Hash
	buf  bytes.Buffer
	enc  *json.Encoder
	rows int64
}

func newDumper(w io.Writer) *dumper {
	d := &dumper{out: bufio.NewWriterSize(w, 256<<10), sum: sha256.New()}
	d.enc = json.NewEncoder(&d.buf)
	d.enc.SetEscapeHTML(false)
	return d
}

func (d *dumper) line(v any) error {
	d.buf.Reset()
	if err := d.enc.Encode(v); err != nil {
		return fault.Wrap(err, fault.Internal, "store/dump-not-written", "a row cannot be written as JSON")
	}
	d.sum.Write(d.buf.Bytes())
	if _, err := d.out.Write(d.buf.Bytes()); err != nil {
		return writeError{err}
	}
	return nil
}

func (d *dumper) end() error {
	if err := d.line(dumpEnd{true, d.rows, hex.EncodeToString(d.sum.Sum(nil))}); err != nil {
		return err
	}
	if err := d.out.Flush(); err != nil {
		return writeError{err}
	}
	return nil
}

func (d *dumper) table(ctx context.Context, q queryer, name, key string) error {
	rows, err := q.QueryContext(ctx, `SELECT * FROM `+name+` ORDER BY `+key)
	if err != nil {
		return err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	head := dumpTable{Table: name}
	cells, row := make([]any, len(types)), make([]any, len(types))
	for i, t := range types {
		head.Columns = append(head.Columns, t.Name())
		switch n := strings.ToUpper(t.DatabaseTypeName()); {
		case strings.Contains(n, "INT"):
			cells[i] = new(sql.NullInt64)
		case strings.Contains(n, "DOUBLE"), strings.Contains(n, "REAL"):
			cells[i] = new(sql.NullFloat64)
		case strings.Contains(n, "CHAR"), strings.Contains(n, "TEXT"):
			cells[i] = new(sql.NullString)
		default:
			return fault.New(fault.Internal, "store/dump-type", "column %s.%s has the type %s, which a dump does not know", name, t.Name(), n)
		}
	}
	if err := d.line(head); err != nil {
		return err
	}
	for rows.Next() {
		if err := rows.Scan(cells...); err != nil {
			return err
		}
		for i, c := range cells {
			row[i] = dumped(c)
		}
		if err := d.line(row); err != nil {
			return err
		}
		d.rows++
	}
	return rows.Err()
}

// dumped is a cell as it stands in the dump.
func dumped(cell any) any {
	switch c := cell.(type) {
	case *sql.NullInt64:
		if c.Valid {
			return c.Int64
		}
	case *sql.NullFloat64:
		if c.Valid {
			return c.Float64
		}
	case *sql.NullString:
		switch {
		case c.Valid && !utf8.ValidString(c.String):
			return map[string]string{"base64": base64.StdEncoding.EncodeToString([]byte(c.String))}
		case c.Valid:
			return c.String
		}
	default:
		panic(fmt.Sprintf("store: a cell of type %T", cell))
	}
	return nil
}
