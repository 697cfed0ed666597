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

// splitQuoted cuts one record off data and returns how many bytes it took.
func (r *csvReader) splitQuoted(data []byte) (int, quotedState) {
	r.fields, r.count, r.unquoted = r.fields[:0], 0, r.unquoted[:0]
	pos := 0
	for {
		field, n, state := r.oneField(data[pos:])
		if state != quotedOK {
			return 0, state
		}
		pos += n
		r.count++
		if len(r.fields) < maxFields {
			r.fields = append(r.fields, field)
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

// oneField reads one field and says how many bytes it took, up to the comma or
// line end behind it.
func (r *csvReader) oneField(data []byte) ([]byte, int, quotedState) {
	if len(data) == 0 || data[0] != '"' {
		return r.bareField(data)
	}
	from, start := len(r.unquoted), 1
	for pos := 1; ; {
		q := bytes.IndexByte(data[pos:], '"')
		if q < 0 || pos+q+1 == len(data) && !r.eof {
			if r.eof {
				return nil, 0, quotedBad // never closed
			}
			return nil, 0, quotedMore
		}
		pos += q
		if pos+1 < len(data) && data[pos+1] == '"' {
			r.unquoted = append(r.unquoted, data[start:pos+1]...)
			pos += 2
			start = pos
			continue
		}
		if len(r.unquoted) == from {
			return data[start:pos], pos + 1, quotedOK
		}
		r.unquoted = append(r.unquoted, data[start:pos]...)
		return r.unquoted[from:len(r.unquoted):len(r.unquoted)], pos + 1, quotedOK
	}
}

// bareField reads a field without quotes.
func (r *csvReader) bareField(data []byte) ([]byte, int, quotedState) {
	end := bytes.IndexAny(data, ",\n\"")
	if end < 0 {
		if !r.eof {
			return nil, 0, quotedMore
		}
		end = len(data)
		if end > 0 && data[end-1] == '\r' {
			end--
		}
		return data[:end], end, quotedOK
	}
	if data[end] == '"' {
		return nil, 0, quotedBad
	}
	if data[end] == '\n' && end > 0 && data[end-1] == '\r' {
		end--
	}
	return data[:end], end, quotedOK
}
