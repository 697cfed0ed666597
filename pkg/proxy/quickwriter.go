package proxy

import (
	"io"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"time"
)

// quickWriter writes the answer to a plain request, in one piece if it is
// short. It is an http.ResponseWriter, with what http.ResponseController needs
// for flushing and for write deadlines.
type quickWriter struct {
	v      *visitor
	header http.Header
	wire   wire

	status  int   // 0: not known yet
	length  int64 // of the body, in bytes; -1: not announced
	written int64
	begun   bool           // the head is complete
	chunks  io.WriteCloser // for a body whose length was not announced
	last    bool           // the connection ends with this answer
	late    bool           // a write deadline is set
}

// Header is http.ResponseWriter.
func (w *quickWriter) Header() http.Header { return w.header }

// What of a header does not go out.
var (
	withLength  = map[string]bool{"Transfer-Encoding": true}
	noLength    = map[string]bool{"Transfer-Encoding": true, "Content-Length": true}
	notModified = map[string]bool{"Transfer-Encoding": true, "Content-Length": true, "Content-Type": true}
)

// WriteHeader is http.ResponseWriter. 1xx answers are not sent.
func (w *quickWriter) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return
	}
	w.status, w.length = status, -1
	w.wire.conn, w.wire.pool = w.v.TCPConn, w.v.q.out
	except := noLength
	if status == http.StatusNotModified {
		except = notModified
	} else if lines := w.header["Content-Length"]; w.hasBody() && len(lines) == 1 {
		if n, err := strconv.ParseUint(lines[0], 10, 63); err == nil {
			w.length, except = int64(n), withLength
		}
	}
	w.last = hasToken(w.header["Connection"], "close")
	w.wire.WriteString("HTTP/1.1 ")
	w.wire.WriteString(strconv.Itoa(status))
	w.wire.WriteString(" ")
	w.wire.WriteString(http.StatusText(status))
	w.wire.WriteString("\r\n")
	if _, there := w.header["Date"]; !there {
		w.wire.WriteString("Date: ")
		w.wire.WriteString(time.Now().UTC().Format(http.TimeFormat))
		w.wire.WriteString("\r\n")
	}
	_ = w.header.WriteSubset(&w.wire, except) // the wire keeps its error
}

func (w *quickWriter) hasBody() bool {
	return w.status != http.StatusNoContent && w.status != http.StatusNotModified
}

// begin completes the head; first is the beginning of the body, nil if there
// is none.
func (w *quickWriter) begin(first []byte) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.begun {
		return
	}
	w.begun = true
	if _, typed := w.header["Content-Type"]; !typed && len(first) > 0 && w.header.Get("Content-Encoding") == "" {
		w.wire.WriteString("Content-Type: " + http.DetectContentType(first) + "\r\n")
	}
	switch {
	case !w.hasBody() || w.length >= 0:
		w.wire.WriteString("\r\n")
	default:
		w.wire.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		w.chunks = httputil.NewChunkedWriter(&w.wire)
	}
}

// Write is http.ResponseWriter.
func (w *quickWriter) Write(p []byte) (int, error) {
	w.begin(p)
	if !w.hasBody() {
		return 0, http.ErrBodyNotAllowed
	}
	w.written += int64(len(p))
	if w.chunks != nil {
		if len(p) == 0 {
			return 0, nil // a chunk of no bytes is the end
		}
		return w.chunks.Write(p)
	}
	if w.written > w.length {
		w.last = true
		return 0, http.ErrContentLength
	}
	return w.wire.Write(p)
}

// FlushError is for http.ResponseController.
func (w *quickWriter) FlushError() error {
	w.begin(nil)
	return w.wire.send()
}

// Flush is http.Flusher.
func (w *quickWriter) Flush() { _ = w.FlushError() }

// SetWriteDeadline is for http.ResponseController; it holds for this answer.
func (w *quickWriter) SetWriteDeadline(t time.Time) error {
	if t.IsZero() && !w.late {
		return nil
	}
	w.late = !t.IsZero()
	return w.v.SetWriteDeadline(t)
}

// finish sends what is left and reports whether the connection can go on.
func (w *quickWriter) finish() bool {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.begun && w.hasBody() && w.length < 0 {
		w.wire.WriteString("Content-Length: 0\r\n")
		w.length = 0
	}
	w.begin(nil)
	if w.chunks != nil {
		_ = w.chunks.Close()
		_ = w.trailer().Write(&w.wire)
		w.wire.WriteString("\r\n")
	} else if w.hasBody() && w.written != w.length {
		w.last = true
	}
	err := w.wire.send()
	if err == nil {
		err = w.SetWriteDeadline(time.Time{})
	}
	if w.last && err == nil {
		_ = w.v.CloseWrite() // it is closed next
	}
	return err == nil && !w.last
}

func (w *quickWriter) trailer() http.Header {
	t := http.Header{}
	for name, values := range w.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			t[name] = values
		}
	}
	return t
}

// wire gathers what goes to the visitor. Its first error stays.
type wire struct {
	conn io.Writer
	pool *bufferPool
	out  []byte // not sent yet
	err  error
}

// Write is io.Writer.
func (w *wire) Write(p []byte) (int, error) {
	if len(w.out)+len(p) > bufferSize {
		if err := w.send(); err != nil {
			return 0, err
		}
		if len(p) > bufferSize/2 {
			var n int
			n, w.err = w.conn.Write(p)
			return n, w.err
		}
	}
	w.take()
	w.out = append(w.out, p...)
	return len(p), w.err
}

// WriteString is io.StringWriter.
func (w *wire) WriteString(s string) (int, error) {
	if len(w.out)+len(s) > bufferSize {
		return w.Write([]byte(s))
	}
	w.take()
	w.out = append(w.out, s...)
	return len(s), w.err
}

func (w *wire) take() {
	if w.out == nil {
		w.out = w.pool.Get()[:0]
	}
}

// send empties it, and gives its buffer back.
func (w *wire) send() error {
	if len(w.out) > 0 && w.err == nil {
		_, w.err = w.conn.Write(w.out)
	}
	w.release()
	return w.err
}

func (w *wire) release() {
	if w.out != nil {
		w.pool.Put(w.out)
		w.out = nil
	}
}
