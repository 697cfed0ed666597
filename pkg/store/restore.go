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
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"github.com/medforge/medforge/pkg/fault"
)

const (
	restoreRows  = 200       // in one INSERT
	restoreBytes = 512 << 10 // of lines in one INSERT, well below any server's max_allowed_packet
	lineLimit    = 64 << 20  // a line of a dump; a MEDIUMTEXT column holds 16 MiB
)

// Restore reads a dump of either engine into an empty database, all of it or
// nothing: it is one transaction, and the dump's sum is checked before it is
// committed. A dump of an older MedForge is restored at its own version, into
// a database that is not migrated yet, and then migrated. Errors: Invalid (not
// a dump, or damaged: with the line), Conflict (the database is not empty, or
// not at the dump's version).
func (db *DB) Restore(ctx context.Context, r io.Reader) error {
	d := &dumpReader{in: bufio.NewReaderSize(r, 256<<10), sum: sha256.New()}
	if err := d.next(); err != nil {
		return db.fault(err, "read the dump")
	}
	var head dumpHeader
	if json.Unmarshal(d.line, &head) != nil || head.Format != dumpFormat {
		return fault.New(fault.Invalid, "store/not-a-dump", "this is not a dump of a MedForge database")
	}
	if head.Version != dumpVersion || head.Schema > Target() {
		return fault.New(fault.Invalid, "store/dump-newer", "the dump was made by a newer MedForge (schema %d; this one knows %d): restore it with that one", head.Schema, Target())
	}
	version, err := db.Version(ctx)
	if err != nil {
		return err
	}
	if version == 0 {
		if err := db.migrateTo(ctx, head.Schema); err != nil {
			return err
		}
	} else if version != head.Schema {
		return fault.New(fault.Conflict, "store/dump-older",
			"the dump is of schema %d and the database is at %d: restore into an empty database that was not migrated", head.Schema, version)
	}
	if err := db.load(ctx, d); err != nil {
		return err
	}
	return db.Migrate(ctx)
}

func (db *DB) load(ctx context.Context, d *dumpReader) error {
	// Not db.write: the reader cannot be read twice, so nothing is tried again.
	tx, err := db.w.BeginTx(ctx, nil)
	if err != nil {
		return db.fault(err, "restore the database")
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if err := db.empty(ctx, tx); err != nil {
		return db.fault(err, "restore the database")
	}
	err = d.load(ctx, tx)
	switch db.errorKind(err) {
	case duplicate, noParent, unfit:
		return fault.Wrap(err, fault.Invalid, "store/dump-damaged", "the dump is damaged before line %d: its rows do not fit together", d.number)
	}
	if err != nil {
		return db.fault(err, fmt.Sprintf("restore the database (line %d of the dump)", d.number))
	}
	if err := tx.Commit(); err != nil {
		return db.fault(err, "restore the database")
	}
	return nil
}

// Empty reports whether the database has no rows, migrated or not: what
// Restore needs.
func (db *DB) Empty(ctx context.Context) (bool, error) {
	version, err := db.Version(ctx)
	if err != nil || version == 0 {
		return err == nil, err
	}
	err = db.read(ctx, "look whether the database is empty", func(q queryer) error { return db.empty(ctx, q) })
	if fault.CodeOf(err) == codeNotEmpty {
		return false, nil
	}
	return err == nil, err
}

const codeNotEmpty = "store/not-empty"

func (db *DB) empty(ctx context.Context, q queryer) error {
	for _, t := range tables {
		var there, one int
		if err := q.QueryRowContext(ctx, db.engine.tableExists(), t.name).Scan(&there); err != nil {
			return err
		}
		if there == 0 {
			continue // the database is at an older version, as an older dump is
		}
		err := q.QueryRowContext(ctx, `SELECT 1 FROM `+t.name+` LIMIT 1`).Scan(&one)
		if err == nil {
			return fault.New(fault.Conflict, codeNotEmpty,
				"the database is not empty (%s has rows); restore into a new one", t.name)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	return nil
}

// dumpReader reads a dump's lines.
type dumpReader struct {
	in     *bufio.Reader
	sum    hash.Hash
	line   []byte
	before string // the sum of all lines before this one
	number int
	rows   int64
}

func (d *dumpReader) damaged(format string, args ...any) error {
	return fault.New(fault.Invalid, "store/dump-damaged", "the dump is damaged at line %d: %s", d.number, fmt.Sprintf(format, args...))
}

func (d *dumpReader) next() error {
	d.number++
	d.before = hex.EncodeToString(d.sum.Sum(nil))
	d.line = d.line[:0]
	for {
		part, err := d.in.ReadSlice('\n')
		d.line = append(d.line, part...)
		switch {
		case len(d.line) > lineLimit:
			return d.damaged("it is longer than %d bytes", lineLimit)
		case err == nil:
			d.sum.Write(d.line)
			return nil
		case errors.Is(err, io.EOF):
			return d.damaged("it ends too early")
		case !errors.Is(err, bufio.ErrBufferFull):
			return fault.Wrap(err, fault.Unavailable, "store/dump-not-read", "the dump could not be read")
		}
	}
}

// load reads all tables and the end, and inserts the rows.
func (d *dumpReader) load(ctx context.Context, tx *sql.Tx) error {
	b := batch{}
	for {
		if err := d.next(); err != nil {
			return err
		}
		if d.line[0] == '[' {
			if err := d.row(&b); err != nil {
				return err
			}
			if len(b.args) >= restoreRows*len(b.columns) || b.bytes >= restoreBytes {
				if err := b.flush(ctx, tx); err != nil {
					return err
				}
			}
			continue
		}
		if err := b.flush(ctx, tx); err != nil {
			return err
		}
		var head struct {
			dumpTable
			dumpEnd
		}
		if err := json.Unmarshal(d.line, &head); err != nil {
			return d.damaged("it is not JSON")
		}
		switch {
		case head.End && (head.SHA256 != d.before || head.Rows != d.rows):
			return d.damaged("the sum of what stands before it is not what it says")
		case head.End:
			return nil
		}
		if err := b.begin(d, head.dumpTable); err != nil {
			return err
		}
	}
}

func (d *dumpReader) row(b *batch) error {
	dec := json.NewDecoder(bytes.NewReader(d.line))
	dec.UseNumber()
	var cells []any
	if err := dec.Decode(&cells); err != nil || len(cells) != len(b.columns) || len(cells) == 0 {
		return d.damaged("it is not a row of %d values of the table %q", len(b.columns), b.table)
	}
	for _, c := range cells {
		v, err := restored(c)
		if err != nil {
			return d.damaged("%v", err)
		}
		b.args = append(b.args, v)
	}
	b.bytes += len(d.line)
	d.rows++
	return nil
}

// restored is a value as a column takes it.
func restored(v any) (any, error) {
	switch v := v.(type) {
	case nil, string:
		return v, nil
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		return v.Float64()
	case map[string]any:
		if text, ok := v["base64"].(string); ok && len(v) == 1 {
			b, err := base64.StdEncoding.DecodeString(text)
			return string(b), err
		}
	}
	return nil, errors.New("a value is neither text, nor a number, nor null")
}

// batch is rows on their way into one table.
type batch struct {
	table   string
	columns []string
	args    []any
	bytes   int
}

// begin takes only names that are the schema's: they become part of SQL.
func (b *batch) begin(d *dumpReader, t dumpTable) error {
	known := slices.ContainsFunc(tables, func(k struct{ name, key string }) bool { return k.name == t.Table })
	if !known {
		return d.damaged("there is no table %q", t.Table)
	}
	for _, c := range t.Columns {
		if c == "" || strings.Trim(c, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			return d.damaged("there is no column %q", c)
		}
	}
	*b = batch{table: t.Table, columns: t.Columns, args: b.args[:0]}
	return nil
}

func (b *batch) flush(ctx context.Context, tx *sql.Tx) error {
	if len(b.args) == 0 {
		return nil
	}
	one := "(" + marks(len(b.columns)) + ")"
	_, err := tx.ExecContext(ctx, `INSERT INTO `+b.table+` (`+strings.Join(b.columns, ", ")+`) VALUES `+
		strings.TrimSuffix(strings.Repeat(one+",", len(b.args)/len(b.columns)), ","), b.args...)
	b.args, b.bytes = b.args[:0], 0
	return err
}
