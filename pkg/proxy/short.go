package proxy

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Most answers are short and plain, and have come whole by the time that the
// first of them is read. shortAnswer reads these without the generality of
// http.ReadResponse; everything that is in any way out of the ordinary it
// leaves to that.

// maxShortFields is more than any IDE sends.
const maxShortFields = 48

// shortAnswer reads an answer to a GET that is whole in p, with nothing after
// it: HTTP/1.1, a status that has a body, one Content-Length, no transfer
// coding, no folded line, nothing that HTTP forbids. Its fields are added to h,
// without those that concern the connection alone. When it is not ok, what is
// in h means nothing.
func shortAnswer(p []byte, h http.Header) (status int, body []byte, ok bool) {
	end := bytes.Index(p, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil, false
	}
	body = p[end+4:]
	first, lines, _ := strings.Cut(string(p[:end]), "\r\n")
	if status, ok = shortStatus(first); !ok {
		return 0, nil, false
	}
	values := make([]string, 0, strings.Count(lines, "\n")+1)
	if cap(values) > maxShortFields {
		return 0, nil, false
	}
	length := -1 // none so far
	for more := lines != ""; more; {
		var line string
		line, lines, more = strings.Cut(lines, "\r\n")
		name, value, found := strings.Cut(line, ":")
		if !found || !httpguts.ValidHeaderFieldName(name) {
			return 0, nil, false
		}
		value = strings.Trim(value, " \t")
		if !httpguts.ValidHeaderFieldValue(value) {
			return 0, nil, false
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case name == "Content-Length":
			n, err := strconv.ParseUint(value, 10, 31)
			if err != nil || length >= 0 {
				return 0, nil, false
			}
			length = int(n)
		case name == "Connection" && strings.EqualFold(value, "keep-alive"), name == "Keep-Alive":
			continue
		case hopByHop(name):
			return 0, nil, false
		}
		values = append(values, value)
		if old, there := h[name]; there {
			h[name] = append(old, value)
		} else {
			h[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	return status, body, length == len(body)
}

// shortStatus reads "HTTP/1.1 200 OK".
func shortStatus(line string) (status int, ok bool) {
	rest, ok := strings.CutPrefix(line, "HTTP/1.1 ")
	if !ok || !httpguts.ValidHeaderFieldValue(line) || len(rest) < 3 || len(rest) > 3 && rest[3] != ' ' {
		return 0, false
	}
	for _, c := range []byte(rest[:3]) {
		if c < '0' || c > '9' {
			return 0, false
		}
		status = status*10 + int(c-'0')
	}
	return status, status >= 200 && status < 600 && status != http.StatusNoContent && status != http.StatusNotModified
}
