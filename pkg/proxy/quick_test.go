package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/proxy"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// quickly serves handler with all that is plain answered quickly, and returns a
// connection to it. handler sees in X-By whether it was.
func quickly(t *testing.T, handler http.HandlerFunc) (net.Conn, *bufio.Reader) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("X-By", "net/http")
		if fmt.Sprintf("%T", w) == "*proxy.quickWriter" {
			w.Header().Set("X-By", "quick")
		}
		handler(w, q)
	})}
	go srv.Serve(proxy.Quick(srv, l, func(*http.Request) bool { return true }))
	t.Cleanup(func() { srv.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c, bufio.NewReader(c)
}

// wasRead waits until the server has read what was sent: the kernel holds
// nothing that has yet to arrive, and then nothing that has yet to be read.
func wasRead(t *testing.T, c net.Conn) {
	t.Helper()
	ours, theirs := c.LocalAddr().(*net.TCPAddr).Port, c.RemoteAddr().(*net.TCPAddr).Port
	queues := func(local, remote int) (unsent, unread string) {
		table, err := os.ReadFile("/proc/thread-self/net/tcp")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(table)) {
			f := strings.Fields(line) // proc_pid_net(5): number, addresses, state, the two queues
			if len(f) > 4 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", local)) && strings.HasSuffix(f[2], fmt.Sprintf(":%04X", remote)) {
				unsent, unread, _ = strings.Cut(f[4], ":")
				return unsent, unread
			}
		}
		return "", ""
	}
	const none = "00000000"
	watch.Until(t, "all that was sent arrives", func() bool { unsent, _ := queues(ours, theirs); return unsent == none })
	watch.Until(t, "all that arrived is read", func() bool { _, unread := queues(theirs, ours); return unread == none })
}

// TestQuickAnswers: each kind of answer is framed as HTTP wants it, and the
// connection goes on after it.
func TestQuickAnswers(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", 10000)
	c, br := quickly(t, func(w http.ResponseWriter, q *http.Request) {
		h := w.Header()
		switch q.URL.Path {
		case "/nothing":
		case "/length":
			h.Set("Content-Length", "4")
			io.WriteString(w, "four")
		case "/unknown":
			io.WriteString(w, "<html>")
			io.WriteString(w, "")
			io.WriteString(w, "more")
		case "/flushed":
			w.(http.Flusher).Flush()
			io.WriteString(w, "later")
		case "/long":
			h.Set("Content-Length", fmt.Sprint(len(long)))
			io.WriteString(w, long)
		case "/longchunks":
			io.WriteString(w, long[:3])
			io.WriteString(w, long[3:])
		case "/trailer":
			w.WriteHeader(200)
			io.WriteString(w, "body")
			h.Set(http.TrailerPrefix+"X-Sum", "42")
		case "/204":
			h.Set("Content-Length", "4")
			w.WriteHeader(204)
			if _, err := io.WriteString(w, "four"); !errors.Is(err, http.ErrBodyNotAllowed) {
				t.Errorf("a 204 takes a body: %v", err)
			}
		case "/304":
			h.Set("Content-Type", "text/plain")
			w.WriteHeader(304)
		case "/lines":
			h["X-Bad"] = []string{"a\r\nSet-Cookie: b"}
			h["X Bad"] = []string{"c"}
			h["Transfer-Encoding"] = []string{"gzip"}
			h["Content-Length"] = []string{"nonsense"}
			w.WriteHeader(103)
			w.WriteHeader(404)
			w.WriteHeader(200)
			io.WriteString(w, "no")
		}
	})
	for _, tt := range []struct {
		path, body, framing string
		status              int
	}{
		{"/nothing", "", "0", 200}, {"/length", "four", "4", 200}, {"/unknown", "<html>more", "chunked", 200}, {"/flushed", "later", "chunked", 200},
		{"/long", long, fmt.Sprint(len(long)), 200}, {"/longchunks", long, "chunked", 200}, {"/trailer", "body", "chunked", 200},
		{"/204", "", "", 204}, {"/304", "", "", 304}, {"/lines", "no", "chunked", 404}, {"/length", "four", "4", 200},
	} {
		io.WriteString(c, "GET "+tt.path+" HTTP/1.1\r\nHost: h\r\n\r\n")
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatalf("%s: %v", tt.path, err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || string(body) != tt.body || res.StatusCode != tt.status || res.Header.Get("X-By") != "quick" || res.Header.Get("Date") == "" {
			t.Errorf("%s: %d %.40q %v %v", tt.path, res.StatusCode, body, res.Header, err)
		}
		if framing := res.Header.Get("Content-Length") + strings.Join(res.TransferEncoding, ""); framing != tt.framing {
			t.Errorf("%s: %q, want %q", tt.path, framing, tt.framing)
		}
		switch h := res.Header; tt.path {
		case "/unknown":
			if h.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("%v", h)
			}
		case "/trailer":
			if res.Trailer.Get("X-Sum") != "42" {
				t.Errorf("trailer %v", res.Trailer)
			}
		case "/304":
			if h.Get("Content-Type") != "" {
				t.Errorf("%v", h)
			}
		case "/lines":
			if h.Get("Set-Cookie") != "" || len(h["X Bad"]) > 0 {
				t.Errorf("%v", h)
			}
		}
	}
}

// TestQuickAnswersThatEndTheConnection: half an answer is not taken for the whole.
func TestQuickAnswersThatEndTheConnection(t *testing.T) {
	t.Parallel()
	for path, whole := range map[string]bool{"/close": true, "/short": false, "/panic": false} {
		c, br := quickly(t, func(w http.ResponseWriter, q *http.Request) {
			switch path {
			case "/close":
				w.Header().Set("Connection", "close")
			case "/short":
				w.Header().Set("Content-Length", "10")
			case "/panic":
				io.WriteString(w, "half")
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}
			io.WriteString(w, "half")
		})
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if _, err = io.ReadAll(res.Body); (err == nil) != whole || res.Header.Get("X-By") != "quick" {
			t.Errorf("%s: %v %v", path, err, res.Header)
		}
		if _, err := br.ReadByte(); err == nil {
			t.Errorf("%s: the connection goes on", path)
		}
	}
}

// TestWhoAnswers: only what is plain, and between two requests, is answered
// quickly; what belongs to a request that net/http reads is never taken for one.
func TestWhoAnswers(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []string
	var watched context.Context
	handler := func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		mu.Lock()
		seen = append(seen, q.URL.Path)
		watched = q.Context()
		mu.Unlock()
		fmt.Fprintf(w, "%s %s", q.URL.Path, body)
	}
	const hidden = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"
	plain := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n" }
	// either: net/http may have read a byte while it still answered.
	type step struct{ send, by, body string }
	for name, steps := range map[string][]step{
		"plain":             {{plain("/a"), "quick", "/a "}, {plain("/b"), "quick", "/b "}},
		"in two parts":      {{"GET /a HTTP/1.1\r\nHo", "", ""}, {"st: h\r\n\r\n", "net/http", "/a "}, {plain("/b"), "either", "/b "}},
		"two at once":       {{plain("/a") + plain("/b"), "net/http", "/a "}, {"", "net/http", "/b "}, {plain("/c"), "either", "/c "}},
		"plain, then not":   {{plain("/a"), "quick", "/a "}, {"HEAD /b HTTP/1.1\r\nHost: h\r\n\r\n", "net/http", ""}, {plain("/c"), "either", "/c "}},
		"a body":            {{fmt.Sprintf("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", len(hidden)), "", ""}, {hidden, "net/http", "/a " + hidden}, {plain("/b"), "either", "/b "}},
		"a chunked body":    {{fmt.Sprintf("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", len(hidden)), "", ""}, {hidden, "", ""}, {"\r\n0\r\n\r\n", "net/http", "/a " + hidden}, {plain("/b"), "either", "/b "}},
		"half of the next":  {{plain("/a") + "POST /b HTTP/1.1\r\nHost: h\r\n", "net/http", "/a "}, {fmt.Sprintf("Content-Length: %d\r\n\r\n", len(hidden)), "", ""}, {hidden, "net/http", "/b " + hidden}, {plain("/c"), "either", "/c "}},
		"a byte of it":      {{plain("/a") + "P", "net/http", "/a "}, {fmt.Sprintf("OST /b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", len(hidden)), "", ""}, {hidden, "net/http", "/b " + hidden}},
		"a field of it":     {{plain("/a") + "GET /b HTTP/1.1\r\nHost: h\r\nX-A: ", "net/http", "/a "}, {"GET /hidden HTTP/1.1\r\n\r\n", "net/http", "/b "}},
		"plain, then parts": {{plain("/a"), "quick", "/a "}, {fmt.Sprintf("POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", len(hidden)), "", ""}, {hidden, "net/http", "/b " + hidden}},
		"1.0":               {{"GET /a HTTP/1.0\r\nHost: h\r\n\r\n", "net/http", "/a "}},
		"close":             {{"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "net/http", "/a "}},
	} {
		c, br := quickly(t, handler)
		c.(*net.TCPConn).SetNoDelay(true)
		for i, s := range steps {
			io.WriteString(c, s.send)
			if s.by == "" {
				wasRead(t, c)
				continue
			}
			method, _, _ := strings.Cut(s.send, " ")
			res, err := http.ReadResponse(br, &http.Request{Method: method})
			if err != nil {
				t.Fatalf("%s, %d: %v", name, i, err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil || string(body) != s.body || s.by != "either" && res.Header.Get("X-By") != s.by {
				t.Errorf("%s, %d: %q by %s, %v; want %q by %s", name, i, body, res.Header.Get("X-By"), err, s.body, s.by)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, path := range seen {
		if path == "/hidden" {
			t.Error("smuggled")
		}
	}
	if watched.Err() == nil {
		t.Error("a request's context goes on after it")
	}
	<-watched.Done()
}
