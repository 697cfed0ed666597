package httpapi

import (
	"crypto/sha256"
	_ "embed" // signin.css
	"encoding/base64"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"os"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

//go:embed signin.css
var signInStyle string

// signInPolicy allows the page its one style sheet, and its form to come back
// here. Chromium holds every redirect after a form to form-action as well, so
// the session's host that the visitor wanted stands there too.
func signInPolicy(origin string) string {
	sum := sha256.Sum256([]byte(signInStyle))
	form := "'self'"
	if origin != "" {
		form += " " + origin
	}
	return "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action " + form +
		"; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// signIn is what the page shows.
type signIn struct {
	Base     string
	Problem  string // what went wrong
	Email    string
	Return   string // where to go afterwards, when that is a session's host
	User     *account.User
	Sessions []string // URLs of the user's active sessions
}

// html is the page. html/template is not used: see proxy's pages.
func (p signIn) html() g.Node {
	title := "Sign in"
	if p.User != nil {
		title = "Signed in"
	}
	return h.Doctype(h.HTML(h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.TitleEl(g.Text(title+" · MedForge")),
			h.StyleEl(g.Raw(signInStyle)),
		),
		h.Body(h.Main(p.main()...)),
	))
}

func (p signIn) main() []g.Node {
	if p.User == nil {
		return []g.Node{
			h.H1(g.Text("Sign in to MedForge")),
			g.If(p.Problem != "", h.P(h.Role("alert"), g.Text(p.Problem))),
			h.Form(h.Method("post"), h.Action(api.PathSignIn),
				h.Input(h.Type("hidden"), h.Name("return"), h.Value(p.Return)),
				h.Label(g.Text("Email "), h.Input(h.Type("email"), h.Name("email"), h.Value(p.Email),
					h.AutoComplete("username"), h.MaxLength("254"), h.Required(), g.If(p.Email == "", h.AutoFocus()))),
				h.Label(g.Text("Password "), h.Input(h.Type("password"), h.Name("password"),
					h.AutoComplete("current-password"), h.MaxLength("128"), h.Required(), g.If(p.Email != "", h.AutoFocus()))),
				h.Button(g.Text("Sign in")),
			),
		}
	}
	nodes := []g.Node{h.H1(g.Text("You are signed in as " + p.User.Name))}
	for _, url := range p.Sessions {
		nodes = append(nodes, h.P(h.A(h.Href(url), g.Text(url))))
	}
	if len(p.Sessions) == 0 {
		nodes = append(nodes,
			h.P(g.Text("You have no session. In a terminal:")),
			h.Pre(h.Code(g.Text("medforge login "+p.Base+"\nmedforge session start"))))
	}
	return append(nodes, h.Form(h.Method("post"), h.Action(pathSignOut), h.Button(g.Text("Sign out"))))
}

const (
	maxForm     = 16 << 10
	formTimeout = 10 * time.Second
)

// showSignIn is the form, or where to go for whoever is signed in.
func (s *Server) showSignIn(w http.ResponseWriter, r *http.Request) {
	target, origin := s.wanted(r.URL.Query().Get("return"))
	a := actorOf(r.Context())
	if !a.Known() {
		s.writeSignIn(w, r, http.StatusOK, origin, signIn{Return: target})
		return
	}
	if target != "" {
		seeOther(w, openPath(target))
		return
	}
	u, err := s.Accounts.Me(r.Context(), a)
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	page := signIn{User: &u}
	rows, _, err := s.Sessions.List(r.Context(), a, session.ListQuery{Limit: api.DefaultLimit})
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	for _, row := range rows {
		if row.Status.Active() {
			page.Sessions = append(page.Sessions, s.SessionURL(row.Slug))
		}
	}
	s.writeSignIn(w, r, http.StatusOK, "", page)
}

// postSignIn takes the form. A page of another origin never gets here: the
// guard has looked at Origin.
func (s *Server) postSignIn(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	target, wantedOrigin := s.wanted(form.Get("return"))
	in, err := s.Accounts.SignIn(r.Context(), form.Get("email"), form.Get("password"), origin(r.Context()))
	if err != nil {
		var p *problem
		if errors.As(s.fail(r.Context(), err), &p) {
			for k, v := range p.GetHeaders() {
				w.Header()[k] = v
			}
			s.writeSignIn(w, r, p.Status, wantedOrigin, signIn{Problem: p.Detail, Email: form.Get("email"), Return: target})
		}
		return
	}
	requestOf(r.Context()).setCookie(in.Cookie(s.Secure, s.Now()))
	if target == "" {
		seeOther(w, api.PathSignIn)
		return
	}
	seeOther(w, openPath(target))
}

func (s *Server) postSignOut(w http.ResponseWriter, r *http.Request) {
	if a := actorOf(r.Context()); a.Via == auth.ViaCookie {
		if err := s.Accounts.SignOut(r.Context(), a); err != nil {
			s.writeProblem(w, r, err)
			return
		}
		requestOf(r.Context()).setCookie(account.NoCookie(s.Secure))
	}
	seeOther(w, api.PathSignIn)
}

// wanted keeps only the address of a session's host, exactly as it is reached;
// anything else is dropped.
func (s *Server) wanted(raw string) (target, origin string) {
	if origin, ok := s.Pages.Return(raw); ok {
		return raw, origin
	}
	return "", ""
}

func openPath(target string) string {
	return api.PathOpen + "?" + url.Values{"return": {target}}.Encode()
}

// readForm reads a form that was posted, within a size and a time.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/x-www-form-urlencoded" {
		return nil, fault.New(fault.Invalid, api.CodeUnsupportedMedia, "The body must be a form.")
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(formTimeout)) // the kernel's clock
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, fault.New(fault.TooLarge, api.CodeTooLarge, "The form is larger than is taken here.")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fault.New(fault.Timeout, api.CodeTooSlow, "The form did not arrive in its time. Send it again.")
	case err != nil:
		return nil, fault.New(fault.Invalid, api.CodeMalformedRequest, "The form could not be read.")
	}
	return r.PostForm, nil
}

func (s *Server) writeSignIn(w http.ResponseWriter, r *http.Request, status int, origin string, page signIn) {
	page.Base = s.BaseURL
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", signInPolicy(origin))
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	// Not no-referrer: with that a browser sends "Origin: null" with the form.
	header.Set("Referrer-Policy", "same-origin")
	header.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	if err := page.html().Render(w); err != nil {
		s.Logger.Debug("the sign-in page was not wholly sent", "request_id", requestOf(r.Context()).id, "error", err)
	}
}
