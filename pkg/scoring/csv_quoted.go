package scoring

import "bytes"

// quoted reads the record at r.lo, which has a quote in its first line. A
// quoted field may hold line ends, so the record may be longer than that line.
func (r *csvReader) quoted() (int, record, error) {
	line := r.lines + 1
	for {
		data := r.buf[r.lo:r.hi]
		used, state := r.splitQuoted(data)
		if state == quotedMore && len(data) <= r.maxRecord {
			if err := r.fill(); err != nil {
				return 0, recordEnd, err
			}
			continue
		}
		if state == quotedOK {
			r.lo += used
			r.lines += max(1, bytes.Count(data[:used], []byte{'\n'}))
			if used > r.maxRecord+2 {
				return line, recordTooLong, nil
			}
			return line, recordOK, nil
		}
		// Begin again at the next line, which is all that a broken quote is
		// likely to have spoilt.
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			_, _, err := r.skipLine()
			return line, recordBadQuotes, err
		}
		r.lo += end + 1
		r.lines++
		return line, recordBadQuotes, nil
	}
}

type quotedState uint8

const (
	quotedOK   quotedState = iota
	quotedMore             // the record goes on beyond the data
	quotedBad              // a quote stands where none can
)

// splitQuoted cuts one record off data and returns how many bytes it took. The
// fields go to unquoted, each with a byte behind it.
func (r *csvReader) splitQuoted(data []byte) (int, quotedState) {
	r.quotes, r.starts[0], r.stored, r.count, r.unquoted = true, 0, 0, 0, r.unquoted[:0]
	pos := 0
	for {
		n, state := r.oneField(data[pos:])
		if state != quotedOK {
			return 0, state
		}
		pos += n
		r.unquoted = append(r.unquoted, ',')
		r.count++
		if r.stored < maxFields {
			r.stored++
			r.starts[r.stored] = len(r.unquoted)
		}
		rest := data[pos:]
		switch {
		case len(rest) == 0 && r.eof, len(rest) == 1 && rest[0] == '\r' && r.eof:
			return len(data), quotedOK
		case len(rest) == 0, len(rest) == 1 && rest[0] == '\r':
			return 0, quotedMore
		case rest[0] == ',':
			pos++
		case rest[0] == '\n':
			return pos + 1, quotedOK
		case rest[0] == '\r' && rest[1] == '\n':
			return pos + 2, quotedOK
		default:
			return 0, quotedBad // text after the closing quote
		}
	}
}

// oneField appends one field to unquoted and says how many bytes it took, up
// to the comma or line end behind it.
func (r *csvReader) oneField(data []byte) (int, quotedState) {
	if len(data) == 0 || data[0] != '"' {
		return r.bareField(data)
	}
	for start := 1; ; {
		q := bytes.IndexByte(data[start:], '"')
		end := start + q
		switch {
		case q < 0 && r.eof:
			return 0, quotedBad // never closed
		case q < 0, end+1 == len(data) && !r.eof:
			return 0, quotedMore
		case end+1 < len(data) && data[end+1] == '"':
			r.unquoted = append(r.unquoted, data[start:end+1]...)
			start = end + 2
		default:
			r.unquoted = append(r.unquoted, data[start:end]...)
			return end + 1, quotedOK
		}
	}
}

// bareField appends a field without quotes.
func (r *csvReader) bareField(data []byte) (int, quotedState) {
	end := bytes.IndexAny(data, ",\n\"")
	switch {
	case end < 0 && !r.eof:
		return 0, quotedMore
	case end < 0:
		end = len(data)
	case data[end] == '"':
		return 0, quotedBad
	}
	if end > 0 && data[end-1] == '\r' && (end == len(data) || data[end] == '\n') {
		end--
	}
	r.unquoted = append(r.unquoted, data[:end]...)
	return end, quotedOK
}
