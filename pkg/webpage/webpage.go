// Package webpage serves the web page: the files of its static export, as they
// were built, with what was compressed then.
package webpage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// Page is the web page, ready to be served. It is an http.Handler for every
// path of MedForge's own host that is not the API's.
type Page struct {
	out      fs.FS
	root     *node
	notFound *file
}

// New reads an export: its HTML files are pages, a segment named "_" stands
// for any, and NAME.br and NAME.gz beside a file are the same compressed.
// Errors: of reading, and an export without index.html or 404.html.
func New(out fs.FS) (*Page, error) {
	p := &Page{out: out, root: newNode()}
	err := fs.WalkDir(out, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || isEncoded(name) {
			return err
		}
		f, err := load(out, name)
		if err != nil {
			return fmt.Errorf("web page: %s: %w", name, err)
		}
		if name == "404.html" {
			p.notFound = f
			return nil
		}
		p.root.add(strings.Split(route(name), "/"), f)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if p.notFound == nil || p.root.find([]string{""}) == nil {
		return nil, fmt.Errorf("web page: the export has no index.html or no 404.html")
	}
	return p, nil
}

// route is the path under which a file is found, without its leading slash:
// HTML files without their ending.
func route(name string) string {
	if name == "index.html" {
		return ""
	}
	return strings.TrimSuffix(name, ".html")
}

// ServeHTTP answers GET and HEAD.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	secure(h)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "The web page is only read. The API is below /api/v1.", http.StatusMethodNotAllowed)
		return
	}
	if clean := path.Clean("/" + strings.TrimLeft(r.URL.Path, "/")); clean != r.URL.Path {
		u := *r.URL
		u.Scheme, u.Host, u.Path, u.RawPath = "", "", clean, ""
		h.Set("Location", u.RequestURI())
		w.WriteHeader(http.StatusPermanentRedirect)
		return
	}
	f := p.root.find(strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/"))
	if f == nil {
		p.send(w, r, p.notFound, http.StatusNotFound)
		return
	}
	p.send(w, r, f, http.StatusOK)
}

// send answers 200, or 304 to who has it; a page that says 404 is always sent.
func (p *Page) send(w http.ResponseWriter, r *http.Request, f *file, status int) {
	form := f.headers(w.Header(), r)
	body, size, err := p.open(form.name)
	if err != nil {
		http.Error(w, "The page could not be read.", http.StatusInternalServerError)
		return
	}
	defer body.Close()
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	if status != http.StatusOK {
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			_, _ = io.Copy(w, body) // the reader is gone
		}
		return
	}
	w.Header().Set("Etag", form.etag)
	http.ServeContent(w, r, "", time.Time{}, body)
}

// open returns a file of the export and its size in bytes.
func (p *Page) open(name string) (io.ReadSeekCloser, int64, error) {
	f, err := p.out.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if seeker, ok := f.(io.ReadSeekCloser); ok && err == nil {
		return seeker, info.Size(), nil
	}
	_ = f.Close()
	return nil, 0, errors.Join(err, fmt.Errorf("%s cannot be sought in", name))
}

// headers sets what describes the form of the file that the request takes, and
// returns that form.
func (f *file) headers(h http.Header, r *http.Request) form {
	h.Set("Content-Type", f.media)
	h.Set("Cache-Control", f.caching)
	if f.policy != "" {
		h.Set("Content-Security-Policy", f.policy)
	}
	if len(f.encoded) == 0 {
		return f.plain
	}
	h.Set("Vary", "Accept-Encoding")
	accepted := r.Header.Values("Accept-Encoding")
	for _, e := range f.encoded {
		if accepts(accepted, e.encoding) {
			h.Set("Content-Encoding", e.encoding)
			return e
		}
	}
	return f.plain
}

// accepts reads Accept-Encoding (RFC 9110, 12.5.3). "*" is not counted: who
// takes anything takes the plain form.
func accepts(fields []string, encoding string) bool {
	for _, field := range fields {
		for part := range strings.SplitSeq(field, ",") {
			name, params, _ := strings.Cut(part, ";")
			if !strings.EqualFold(strings.TrimSpace(name), encoding) {
				continue
			}
			q, found := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
			weight, err := strconv.ParseFloat(q, 64)
			return !found || (err == nil && weight > 0)
		}
	}
	return false
}

// secure sets what every answer has. The policy on scripts is each page's own.
func secure(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}
