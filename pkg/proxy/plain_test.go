package proxy

import (
	"io"
	"maps"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// once is a listener with one connection.
type once struct {
	net.Listener
	c    net.Conn
	took sync.Once
}

func (l *once) Accept() (c net.Conn, err error) {
	err = io.EOF
	l.took.Do(func() { c, err = l.c, nil })
	return c, err
}

func (l *once) Close() error   { return nil }
func (l *once) Addr() net.Addr { return l.c.LocalAddr() }

// asServed is what net/http's server makes of it; nil when it refuses.
func asServed(text string) (got *http.Request) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	answered := make(chan struct{})
	srv := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r })}
	defer srv.Close()
	_ = srv.Serve(&once{c: theirs})
	go func() {
		defer close(answered)
		ours.SetDeadline(time.Now().Add(time.Minute))
		ours.Read(make([]byte, 1)) // the handler has returned
	}()
	io.WriteString(ours, text)
	<-answered
	return got
}

// taken checks that a request that is taken for plain is what the server makes
// of it.
func taken(t *testing.T, text string) bool {
	t.Helper()
	q := &quick{plain: func(*http.Request) bool { return true }, parser: sync.Pool{New: func() any { return newParser() }}}
	r := q.request([]byte(text), "pipe")
	if r == nil {
		return false
	}
	want := asServed(text)
	if want == nil {
		t.Fatalf("net/http refuses %q", text)
	}
	if r.Method != want.Method || r.RequestURI != want.RequestURI || r.Host != want.Host || !reflect.DeepEqual(r.URL, want.URL) ||
		r.Proto != want.Proto || r.ContentLength != want.ContentLength || r.Close != want.Close || r.Body != want.Body || r.RemoteAddr != want.RemoteAddr ||
		r.Trailer != nil || r.TransferEncoding != nil ||
		!maps.EqualFunc(r.Header, want.Header, func(a, b []string) bool { return reflect.DeepEqual(a, b) }) {
		t.Fatalf("%q: %+v, net/http: %+v", text, r, want)
	}
	return true
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n": true,
		"GET /a/../%2e//b?c;d=%zz HTTP/1.1\r\nhost:h:80\r\nX-A:\t b \r\nx-a: c\r\nPragma: no-cache\r\n\r\n": true,
		"GET //h/x HTTP/1.1\r\nHost: h\r\nConnection: Keep-Alive\r\nTE: gzip\r\n\r\n":                       true,
		"GET / HTTP/1.1\r\nHost: h\r\n\r\nG":                                                                false,
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n\r\n\r\n":                                                         false,
		"\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n":                                                             false,
		"GET / HTTP/1.1\r\nHost: h\r\n":                                                                     false,
		"GET / HTTP/1.1\r\nHost: h\n\n":                                                                     false,
		"GET / HTTP/1.1\nHost: h\r\n\r\n":                                                                   false,
		"GET / HTTP/1.1\r\n\r\n":                                                                            false,
		"GET / HTTP/1.1\r\nHost:\r\n\r\n":                                                                   false,
		"GET / HTTP/1.1\r\nHost: a b\r\n\r\n":                                                               false,
		"GET / HTTP/1.1\r\nHost: h\r\nHOST: h\r\n\r\n":                                                      false,
		"GET / HTTP/1.1\r\nHost: h\r\n X: b\r\n\r\n":                                                        false,
		"GET / HTTP/1.1\r\nHost: h\r\nX : b\r\n\r\n":                                                        false,
		"GET / HTTP/1.1\r\nHost: h\r\nX: b\nY: c\r\n\r\n":                                                   false,
		"GET / HTTP/1.1\r\nHost: h\r\nX: b\rY: c\r\n\r\n":                                                   false,
		"GET / HTTP/1.1\r\nHost: h\r\nX: \x00\r\n\r\n":                                                      false,
		"GET / HTTP/1.1\r\nHost: h\r\nX\r\n\r\n":                                                            false,
		"GET / HTTP/1.1\r\nHost: h\r\ncontent-length: 0\r\n\r\n":                                            false,
		"GET / HTTP/1.1\r\nHost: h\r\nTRANSFER-ENCODING: chunked\r\n\r\n":                                   false,
		"GET / HTTP/1.1\r\nHost: h\r\nTrailer: X\r\n\r\n":                                                   false,
		"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n":                                           false,
		"GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n":                                         false,
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n":                                            false,
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, X\r\n\r\n":                                    false,
		"GET / HTTP/1.0\r\nHost: h\r\n\r\n":                                                                 false,
		"GET / x HTTP/1.1\r\nHost: h\r\n\r\n":                                                               false,
		"GET  / HTTP/1.1\r\nHost: h\r\n\r\n":                                                                false,
		"GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n":                                                         false,
		"GET * HTTP/1.1\r\nHost: h\r\n\r\n":                                                                 false,
		"GET /\x7f HTTP/1.1\r\nHost: h\r\n\r\n":                                                             false,
		"GET /é HTTP/1.1\r\nHost: h\r\n\r\n":                                                                false,
		"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n":                                                                false,
		"POST / HTTP/1.1\r\nHost: h\r\n\r\n":                                                                false,
		"get / HTTP/1.1\r\nHost: h\r\n\r\n":                                                                 false,
		"":                                                                                                  false, "GET": false, "GET /": false, "GET / HTTP/1.1": false, "\r\n\r\n": false,
	} {
		if taken(t, text) != want {
			t.Errorf("%q: plain %v, want %v", text, !want, want)
		}
	}
}

func FuzzPlain(f *testing.F) {
	f.Add("GET /a?b HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nX-A: b\r\n\r\n")
	f.Add("GET //x/%41 HTTP/1.1\r\nhost:[::1]:80\r\nCookie: a=b; c\r\ncookie: d\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.HasPrefix(text, "GET ") {
			taken(t, text)
		}
	})
}
