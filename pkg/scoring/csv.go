package scoring

import (
	"bytes"
	"context"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/medforge/medforge/pkg/fault"
)

// csvReader takes CSV (RFC 4180: commas, quotes doubled inside quotes) apart
// record by record. It differs from encoding/csv in what predictions from
// strangers need: memory stays bounded whatever the file holds, a broken
// record does not end the reading, and each record's line in the file is
// known. It is also several times faster (see the benchmarks), because a line
// without a quote is split where it lies in the buffer.
//
// Lines end in LF or CRLF; empty lines are skipped; a byte order mark at the
// start is dropped.
type csvReader struct {
	ctx       context.Context
	src       io.Reader
	maxBytes  int64
	maxRecord int // bytes; longer records are skipped

	buf    []byte
	lo, hi int // what is read and not yet used
	eof    bool
	total  int64
	lines  int // line ends used up so far

	// fields are those of the last record, in place in buf or in unquoted,
	// valid until the next call; at most maxFields of them.
	fields   [][]byte
	count    int // how many fields the record has, also beyond maxFields
	unquoted []byte
}

const (
	readChunk = 64 << 10
	maxFields = 1024
)

// record says how reading a record went.
type record uint8

const (
	recordOK        record = iota
	recordEnd              // the file is over
	recordTooLong          // longer than maxRecord, skipped
	recordBadQuotes        // quotes do not fit; skipped to the next line
)

var errTooLarge = errors.New("more bytes than are taken")

func newCSVReader(ctx context.Context, src io.Reader, maxBytes int64, maxRecord int) (*csvReader, error) {
	r := &csvReader{ctx: ctx, src: src, maxBytes: maxBytes, maxRecord: maxRecord, buf: make([]byte, readChunk)}
	if err := r.fill(); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(r.buf[:r.hi], []byte("\xef\xbb\xbf")) {
		r.lo = 3
	}
	return r, nil
}

// fill makes room and reads until the buffer is full or the file is over, so
// that what is looked at again after it has always doubled.
func (r *csvReader) fill() error {
	if r.lo > 0 {
		r.hi = copy(r.buf, r.buf[r.lo:r.hi])
		r.lo = 0
	}
	if r.hi == len(r.buf) {
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	for idle := 0; r.hi < len(r.buf); {
		if err := r.ctx.Err(); err != nil {
			return interrupted(err)
		}
		n, err := r.src.Read(r.buf[r.hi:])
		r.hi += n
		r.total += int64(n)
		idle++
		if n > 0 {
			idle = 0
		}
		switch {
		case r.total > r.maxBytes:
			return errTooLarge
		case err == io.EOF:
			r.eof = true
			return nil
		case err == nil && idle < 100:
			continue
		case err == nil:
			err = io.ErrNoProgress
		case r.ctx.Err() != nil:
			return interrupted(r.ctx.Err())
		}
		return fault.Wrap(err, fault.Unavailable, "competitions/file-unreadable", "The file could not be read; try again.")
	}
	return nil
}

func interrupted(err error) error {
	kind := fault.Unavailable
	if errors.Is(err, context.DeadlineExceeded) {
		kind = fault.Timeout
	}
	return fault.Wrap(err, kind, "competitions/scoring-interrupted", "Scoring was interrupted; try again.")
}

// next reads one record and returns the line it starts on, from 1.
func (r *csvReader) next() (line int, state record, err error) {
	for {
		data := r.buf[r.lo:r.hi]
		end := bytes.IndexByte(data, '\n')
		if end < 0 && !r.eof {
			if len(data) > r.maxRecord {
				return r.skipLine()
			}
			if err := r.fill(); err != nil {
				return 0, recordEnd, err
			}
			continue
		}
		used := end + 1
		if end < 0 {
			if len(data) == 0 {
				return 0, recordEnd, nil
			}
			end, used = len(data), len(data)
		}
		text := data[:end]
		if end > 0 && text[end-1] == '\r' {
			text = text[:end-1]
		}
		if len(text) > 0 && bytes.IndexByte(text, '"') >= 0 {
			return r.quoted()
		}
		r.lo += used
		r.lines++
		if len(text) == 0 {
			continue
		}
		if len(text) > r.maxRecord {
			return r.lines, recordTooLong, nil
		}
		r.split(text)
		return r.lines, recordOK, nil
	}
}

// split cuts a line without quotes at its commas.
func (r *csvReader) split(text []byte) {
	r.fields = r.fields[:0]
	for {
		i := bytes.IndexByte(text, ',')
		if i < 0 {
			break
		}
		if len(r.fields) == maxFields-1 {
			r.count = maxFields + bytes.Count(text, comma)
			r.fields = append(r.fields, text[:i])
			return
		}
		r.fields = append(r.fields, text[:i])
		text = text[i+1:]
	}
	r.fields = append(r.fields, text)
	r.count = len(r.fields)
}

var comma = []byte{','}

// skipLine drops everything up to the next line end, however far it is.
func (r *csvReader) skipLine() (int, record, error) {
	r.lines++
	line := r.lines
	for {
		data := r.buf[r.lo:r.hi]
		if end := bytes.IndexByte(data, '\n'); end >= 0 {
			r.lo += end + 1
			return line, recordTooLong, nil
		}
		r.lo = r.hi
		if r.eof {
			return line, recordTooLong, nil
		}
		if err := r.fill(); err != nil {
			return 0, recordEnd, err
		}
	}
}

// validText reports whether all fields of the record are UTF-8.
func (r *csvReader) validText() bool {
	for _, f := range r.fields {
		if !utf8.Valid(f) {
			return false
		}
	}
	return true
}
