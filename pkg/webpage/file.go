package webpage

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"path"
	"strings"
)

// file is one file of the export in its forms.
type file struct {
	media   string
	caching string
	policy  string // Content-Security-Policy; empty for what is no page
	plain   form
	encoded []form // smallest first
}

// form is a file as it is sent. Its bytes stay where they are, in the program,
// and take no memory of their own.
type form struct {
	encoding string // as in Content-Encoding; empty: none
	name     string // in the export
	etag     string
}

// encodings are the ones that the build makes, in the order of preference.
var encodings = []struct{ suffix, name string }{{".br", "br"}, {".gz", "gzip"}}

func isEncoded(name string) bool {
	for _, e := range encodings {
		if strings.HasSuffix(name, e.suffix) {
			return true
		}
	}
	return false
}

// Names of files below this hold their content's hash, so that they never
// change.
const hashed = "_next/static/"

func load(out fs.FS, name string) (*file, error) {
	body, err := fs.ReadFile(out, name)
	if err != nil {
		return nil, err
	}
	f := &file{media: mediaOf(name), caching: "no-cache", plain: formOf(name, body, "")}
	if strings.HasPrefix(name, hashed) {
		f.caching = "public, max-age=31536000, immutable"
	}
	if path.Ext(name) == ".html" {
		if f.policy, err = policy(body); err != nil {
			return nil, err
		}
	}
	for _, e := range encodings {
		small, err := fs.ReadFile(out, name+e.suffix)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, err
		default:
			f.encoded = append(f.encoded, formOf(name+e.suffix, small, e.name))
		}
	}
	return f, nil
}

func formOf(name string, body []byte, encoding string) form {
	sum := sha256.Sum256(body)
	return form{encoding: encoding, name: name, etag: `"` + hex.EncodeToString(sum[:12]) + `"`}
}

// media is what an export holds; the system's own table of types differs from
// host to host.
var media = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".txt": "text/plain; charset=utf-8", ".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png",
	".webp": "image/webp", ".ico": "image/x-icon", ".woff2": "font/woff2", ".webmanifest": "application/manifest+json",
}

func mediaOf(name string) string {
	if m, ok := media[path.Ext(name)]; ok {
		return m
	}
	return "application/octet-stream"
}

func hashOf(script []byte) string {
	sum := sha256.Sum256(script)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
