package proxy

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/medforge/medforge/pkg/fault"
)

//go:embed page.html page.css
var files embed.FS

// content is one of the small pages that a browser meets instead of the IDE.
type content struct {
	Title, Text, Command string
	Refresh              int // seconds; 0: never
}

var (
	pageSignIn = content{Title: "You are not signed in here",
		Text: "This is the address of a MedForge session. In a terminal on the host, get a one-time link:", Command: "medforge session open %s"}
	pageUsedLink = content{Title: "This link no longer works",
		Text: "A link works once, and for a minute. Get a new one:", Command: "medforge session open %s"}
	pageNotYours = content{Title: "This session is somebody else's",
		Text: "Only its owner and the administrators of this host may open it. Your own sessions:", Command: "medforge session list"}
	pageNotRunning = content{Title: "This session is not running",
		Text: "There is no such session, or it has been stopped. Your files are kept; see your sessions, and start a new one from this one's files:", Command: "medforge session start --from %s"}
	pageStarting = content{Title: "The session is starting",
		Text: "This page tries again by itself. How far it is:", Command: "medforge session show %s", Refresh: 2}
	pageNoCookie = content{Title: "Your browser keeps no cookie for this address",
		Text: "Without it MedForge cannot know you here. Allow cookies for this site, then get a new link:", Command: "medforge session open %s"}
	pageBadGateway = content{Title: "The session's IDE does not answer",
		Text: "It may just be starting again; this page tries again by itself. Its output:", Command: "medforge session logs %s", Refresh: 5}
)

// pages are parsed once; html/template escapes what is put in.
var pages = template.Must(template.New("page.html").ParseFS(files, "page.html"))

var style = func() template.CSS {
	b, err := files.ReadFile("page.css")
	if err != nil {
		panic(err) // it is embedded
	}
	return template.CSS(b)
}()

// pagePolicy allows the page its one style sheet and nothing else.
var pagePolicy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

func ownHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer") // a link with a ticket is nobody else's business
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}

func (p *Proxy) page(w http.ResponseWriter, r *http.Request, status int, c content, slug string) {
	h := w.Header()
	ownHeaders(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	if c.Refresh > 0 {
		h.Set("Retry-After", strconv.Itoa(c.Refresh))
	}
	command := c.Command
	if n := len("%s"); len(command) > n && command[len(command)-n:] == "%s" {
		command = fmt.Sprintf(command, slug)
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	if err := pages.Execute(w, struct {
		content
		Command string
		Style   template.CSS
		Home    string
	}{c, command, style, p.o.Hosts.MainOrigin()}); err != nil {
		p.o.Logger.Debug("a page was not wholly sent", "error", err)
	}
}

// problem is RFC 9457's object with our code, as httpapi writes it.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
}

func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, e *fault.Error) {
	code := status(e)
	h := w.Header()
	ownHeaders(h)
	h.Set("Content-Type", "application/problem+json")
	switch {
	case code == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="MedForge"`)
	case e.RetryAfter > 0:
		h.Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	}
	w.WriteHeader(code)
	if r.Method == http.MethodHead {
		return
	}
	if err := json.NewEncoder(w).Encode(problem{
		Type: p.o.Hosts.MainOrigin() + "/problems/" + e.Code, Title: http.StatusText(code), Status: code, Detail: e.Message, Code: e.Code,
	}); err != nil {
		p.o.Logger.Debug("a problem was not wholly sent", "error", err)
	}
}

// status is the proxy's few kinds as HTTP has them.
func status(e *fault.Error) int {
	switch e.Kind {
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Denied:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Misdirected:
		return http.StatusMisdirectedRequest
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.TooMany:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		if e.Code == errBadGateway.Code {
			return http.StatusBadGateway
		}
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
