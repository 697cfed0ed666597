package proxy

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// same checks that what shortAnswer takes is what net/http makes of it.
func same(t *testing.T, raw string) (taken bool) {
	t.Helper()
	h := http.Header{}
	status, body, ok := shortAnswer([]byte(raw), h)
	if !ok {
		return false
	}
	br := bufio.NewReader(strings.NewReader(raw))
	res, err := http.ReadResponse(br, &http.Request{Method: http.MethodGet})
	if err != nil {
		t.Fatalf("net/http takes no %q: %v", raw, err)
	}
	want, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status || !bytes.Equal(body, want) {
		t.Fatalf("%q: %d %q, net/http: %d %q %v", raw, status, body, res.StatusCode, want, err)
	}
	if res.Close || len(res.Trailer) > 0 || len(res.TransferEncoding) > 0 || br.Buffered() > 0 {
		t.Fatalf("%q: the connection cannot be used again", raw)
	}
	dropHopByHop(res.Header)
	if !maps.EqualFunc(h, res.Header, func(a, b []string) bool { return reflect.DeepEqual(a, b) }) {
		t.Fatalf("%q: %q, net/http: %q", raw, h, res.Header)
	}
	return true
}

func TestShortAnswers(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok": true,
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":   true,
		"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\ncontent-length:  2 \r\nX:\r\n\r\nno": true,
		"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok":                                                       true,
		"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok": true,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no":                                                     false, // half of it
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n":                                 false, // more than it
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok":                               false,
		"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok":                                                   false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok":                                                 false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok":                      false,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n":                                    false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTrailer: X\r\n\r\nok":                                      false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok":                               false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-A\r\nX-A: 1\r\n\r\nok":                       false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nUpgrade: h2c\r\n\r\nok":                                    false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n c\r\n\r\nok":                                    false, // folded
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A : b\r\n\r\nok":                                         false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\rc\r\n\r\nok":                                       false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\nX-B: c\r\n\r\nok":                                  false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: \x00\r\n\r\nok":                                       false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n: b\r\n\r\nok":                                             false,
		"HTTP/1.1 200 OK\r\n\r\n":                                                                           false, // ends with the connection
		"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok":                                            false,
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\n\r\n":                                            false,
		"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n":                                                false,
		"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\n\r\n":                                     false,
		"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok":                                                    false,
		"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok":                                                   false,
		"HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok":                                                   false,
		"HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", maxShortFields) + "Content-Length: 2\r\n\r\nok":  false,
		"HTTP/1.1 200 \n\r\nContent-Length: 2\r\n\r\n00":                                                    false,
		"": false,
	} {
		if same(t, raw) != want {
			t.Errorf("%.100q: taken %v, want %v", raw, !want, want)
		}
	}
}

func FuzzShortAnswer(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok")
	f.Add("HTTP/1.1 404 No\r\nContent-Length:0\r\nset-cookie: a\r\nSet-Cookie: b\r\n\r\n")
	f.Fuzz(func(t *testing.T, raw string) { same(t, raw) })
}
