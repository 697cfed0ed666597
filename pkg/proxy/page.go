package proxy

import (
	"crypto/sha256"
	_ "embed" // page.css
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/medforge/medforge/pkg/fault"
)

//go:embed page.css
var style string

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

// html is the page. It is built by calls: html/template calls methods by their
// names, for which the linker keeps every method of the program, a seventh of it.
func (c content) html(command, home string) g.Node {
	return h.Doctype(h.HTML(h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			g.If(c.Refresh > 0, h.Meta(g.Attr("http-equiv", "refresh"), h.Content(strconv.Itoa(c.Refresh)))),
			h.TitleEl(g.Text(c.Title+" · MedForge")),
			h.StyleEl(g.Raw(style)),
		),
		h.Body(h.Main(
			h.H1(g.Text(c.Title)),
			h.P(g.Text(c.Text)),
			h.Pre(h.Code(g.Text(command))),
			h.P(h.A(h.Href(home), g.Text("MedForge"))),
		)),
	))
}

// pagePolicy allows the page its one style sheet and nothing else.
var pagePolicy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

func ownHeaders(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", pagePolicy)
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Referrer-Policy", "no-referrer") // a link with a ticket is nobody else's business
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
}

func (p *Proxy) page(w http.ResponseWriter, r *http.Request, status int, c content, slug string) {
	header := w.Header()
	ownHeaders(header)
	header.Set("Content-Type", "text/html; charset=utf-8")
	if c.Refresh > 0 {
		header.Set("Retry-After", strconv.Itoa(c.Refresh))
	}
	command := c.Command
	if n := len("%s"); len(command) > n && command[len(command)-n:] == "%s" {
		command = fmt.Sprintf(command, slug)
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	if err := c.html(command, p.o.Hosts.MainOrigin()).Render(w); err != nil {
		p.o.Logger.Debug("a page was not wholly sent", "error", err)
	}
}

// problem is RFC 9457's object with our members, as httpapi writes it.
type problem struct {
	Type      string     `json:"type"`
	Title     string     `json:"title"`
	Status    int        `json:"status"`
	Detail    string     `json:"detail"`
	Instance  string     `json:"instance"`
	Code      string     `json:"code"`
	RequestID string     `json:"request_id"`
	Kind      fault.Kind `json:"kind"`
}

func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, e *fault.Error) {
	code := status(e)
	header := w.Header()
	ownHeaders(header)
	header.Set("Content-Type", "application/problem+json")
	switch {
	case code == http.StatusUnauthorized:
		header.Set("WWW-Authenticate", `Bearer realm="MedForge"`)
	case e.RetryAfter > 0:
		header.Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	}
	w.WriteHeader(code)
	if r.Method == http.MethodHead {
		return
	}
	if err := json.NewEncoder(w).Encode(problem{
		Type: p.o.Hosts.MainOrigin() + "/problems/" + e.Code, Title: fault.Title(e.Code), Status: code, Detail: e.Message,
		Instance: r.URL.EscapedPath(), Code: e.Code, RequestID: header.Get("X-Request-Id"), Kind: e.Kind,
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
